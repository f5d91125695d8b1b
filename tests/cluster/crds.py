"""Custom resource definitions as their projects publish them: files of their Go modules, once a machine."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from binaries import Absent, cache_folder

KSERVE = ("github.com/kserve/kserve", "v0.15.2", "config/crd/full")
TRAINER = ("github.com/kubeflow/trainer/v2", "v2.1.0", "manifests/base/crds")


def definitions(source: tuple[str, str, str], *names: str) -> list[dict[str, Any]]:
    """Return custom resource definitions.

    Args:
        source: Go module, its version, and the folder in it.
        names: What they define, in the plural: `inferenceservices`.

    Raises:
        Absent: If the module cannot be had.
    """
    import yaml

    module, version, folder = source
    kept = cache_folder() / "definitions" / f"{module.replace('/', '-')}-{version}"
    kept.mkdir(parents=True, exist_ok=True)
    with open(kept / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        files = list(kept.glob("*.yaml"))
        if not files:
            files = [
                Path(shutil.copy(each, kept))
                for each in (_module(module, version) / folder).glob("*_*.yaml")
            ]
    found = [each for each in files if each.stem.rpartition("_")[2] in names]
    if len(found) != len(names):
        raise Absent(f"{module} {version} has not all of {names} in {folder}")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    made = [yaml.load(each.read_text(encoding="utf-8"), Loader=loader) for each in found]
    for each in made:
        each["spec"].pop("conversion", None)  # by a server of theirs, which is not here
    return made


def _module(module: str, version: str) -> Path:
    go = shutil.which("go")
    if go is None:
        raise Absent("Go is not installed: get 1.25 or newer from https://go.dev/dl")
    command = [go, "mod", "download", "-json", f"{module}@{version}"]
    done = subprocess.run(command, cwd=cache_folder(), capture_output=True, text=True, check=False)
    told = json.loads(done.stdout or "{}")
    if "Dir" not in told:
        raise Absent(f"{' '.join(command)}: {told.get('Error') or done.stderr[-500:]}")
    return Path(told["Dir"])
