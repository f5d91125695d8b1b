"""Runs of a pipeline of the repository in the test's own process, where TensorFlow is imported once."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def copied_project(tmp_path, monkeypatch) -> Iterator[Path]:
    """A copy of the repository's project, which is the current folder; its data are the repository's."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    for name in ("pipelines", "modules"):
        shutil.copytree(
            REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    (folder / "data").symlink_to(REPOSITORY / "data")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in [
        name for name in sys.modules if name.partition(".")[0] in ("modules", "pipelines")
    ]:
        del sys.modules[name]


@pytest.fixture
def run_pipeline(copied_project, capsys) -> Callable[..., dict[str, Any]]:
    """Return `run_pipeline(name, *options)`: a run with seed 7; it returns what `--json` says."""

    def run(name: str, *options: str) -> dict[str, Any]:
        capsys.readouterr()
        words = ["run", f"pipelines/{name}.py", "--in-process", "--json", "--progress", "none"]
        with warnings.catch_warnings():
            # What Keras's callbacks and files say about NumPy and TensorFlow.
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            code = main([*words, "--seed", "7", *options])
        printed = capsys.readouterr()
        assert code == 0, printed.out + printed.err
        result: dict[str, Any] = json.loads(printed.out[printed.out.index("{") :])
        return result

    return run
