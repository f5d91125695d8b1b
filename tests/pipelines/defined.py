"""Run in a process of its own: loads, checks and compiles every pipeline file, and prints what it found."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path

from penstock.cli import main

HEAVY = ("tensorflow", "keras", "jax", "torch", "apache_beam", "pyarrow", "numpy", "matplotlib")
ACCELERATOR = "nvidia-l4"


def _printed(*words: str) -> tuple[int, str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(list(words))
    return code, out.getvalue()


def found(files: list[str], folder: Path) -> dict[str, dict]:
    """Return for each pipeline its graph, what checking it said, and its Kubeflow form."""
    pipelines: dict[str, dict] = {}
    for file in files:
        code, graph = _printed("compile", file)
        _, checked = _printed("check", file, "--json")
        pipelines[Path(file).stem] = {
            "compiled": code,
            "graph": json.loads(graph or "null"),
            "check": json.loads(checked),
            "heavy": [name for name in HEAVY if name in sys.modules],
        }
    import yaml

    for file in files:
        each = pipelines[Path(file).stem]
        target = folder / f"{Path(file).stem}.yaml"
        words = ["compile", file, "--to", "kubeflow", "--image", "registry.example.com/penstock:1"]
        words += ["--root", "gs://bucket/root", "-o", str(target)]
        parameters = (each["graph"] or {}).get("parameters") or {}
        if "accelerator" in parameters:
            words += ["--param", f"accelerator={ACCELERATOR}"]
        each["kubeflow"], _ = _printed(*words)
        specs = list(yaml.safe_load_all(target.read_text())) if target.is_file() else [{}]
        executors = specs[0].get("deploymentSpec", {}).get("executors", {})
        each["accelerated"] = sorted(
            name
            for name, it in executors.items()
            if "accelerator" in it["container"].get("resources", {})
        )
    return pipelines


if __name__ == "__main__":
    print(json.dumps(found(sys.argv[2:], Path(sys.argv[1]))))
