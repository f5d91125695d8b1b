"""Runs a pipeline of the repository on a cut of its data, in the process of the test."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock import LocalDagRunner, Pipeline
from penstock.cli.pipeline_file import load_pipeline
from penstock.runners.result import RunResult

REPOSITORY = Path(__file__).resolve().parents[2]


def project_of(folder: Path) -> Path:
    """Make a copy of the repository's project without its data."""
    folder.mkdir(parents=True)
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    for name in ("pipelines", "modules"):
        shutil.copytree(
            REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    return folder


def run_cut(
    project: Path,
    name: str,
    parameters: Mapping[str, Any],
    *,
    seed: int = 7,
    pipeline_of: Callable[[ModuleType], Pipeline] | None = None,
) -> RunResult:
    """Run `pipelines/NAME.py` of a project up to its judgements, one node after another.

    TensorFlow is imported once, in this process. The Pusher would start another, which loads the model:
    it is left out, and runs where the whole pipeline does. `pipeline_of` makes another pipeline of the file.
    """
    before, path = Path.cwd(), list(sys.path)
    os.chdir(project)
    _forget_user_code()
    sys.path.insert(0, str(project))
    try:
        file = load_pipeline(f"pipelines/{name}.py")
        pipeline = file.pipeline if pipeline_of is None else pipeline_of(file.module)
        judged = pipeline.to_nodes("Evaluator", "BaselineComparison")
        return LocalDagRunner(in_process=True, progress="none").run(
            judged, parameters=parameters, project_root=str(project), seed=seed
        )
    finally:
        os.chdir(before)
        sys.path[:] = path
        _forget_user_code()


def _forget_user_code() -> None:
    """Forget modules of projects, which have the same names in each of them."""
    for name in list(sys.modules):
        if name.partition(".")[0] in ("modules", "pipelines"):
            del sys.modules[name]
