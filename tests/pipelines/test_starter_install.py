"""From nothing: an empty folder, an empty environment, an installation by pip, `make run`, `make test`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

REPOSITORY = Path(__file__).resolve().parents[2]


def run(folder: Path, *words: str) -> str:
    """Run a command with nothing in its environment but where programs are."""
    python = str(Path(sys.executable).resolve().parent)
    ended = subprocess.run(
        ["env", "-i", f"PATH={python}:/usr/local/bin:/usr/bin:/bin", *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def seed(environment: Path) -> None:
    """Let an environment find this one's packages, so that 3 GB of them need not be installed again.

    Penstock itself is not found so: pip installs it from the project's requirement.
    """
    run(environment.parent, "python3", "-m", "venv", environment.name)
    (packages,) = environment.glob("lib/python*/site-packages")
    import tensorflow as tf

    (packages / "seed.pth").write_text(f"{Path(tf.__file__).parents[1]}\n")


@pytest.mark.parametrize("editable", [True, False], ids=["editable", "copied"])
def test_init_run_and_test_in_an_empty_environment(tmp_path, editable):
    source = tmp_path / "penstock source"
    source.mkdir()
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / file, source)
    left_out = shutil.ignore_patterns("*.egg-info", "__pycache__")
    shutil.copytree(REPOSITORY / "src", source / "src", ignore=left_out)
    run(tmp_path, "python3", "-m", "venv", "venv")
    # Without the extra: defining a project needs nothing of what runs it.
    how = ["--editable", str(source)] if editable else [str(source)]
    run(tmp_path, "venv/bin/pip", "install", "--quiet", *how)
    said = run(tmp_path, "venv/bin/penstock", "init", "taxi")
    assert "cd taxi" in said

    project = tmp_path / "taxi"
    seed(project / ".venv")
    wanted = f"penstock-ml[run] @ {source.as_uri()}"
    assert wanted in (project / "pyproject.toml").read_text("utf-8")
    assert "complete" in run(project, "make", "run")
    assert os.listdir(project / "serving/taxi")
    assert "5 passed" in run(project, "make", "test")
    assert "cached" in run(project, ".venv/bin/python", "pipelines/taxi.py")
    where = "import penstock, os; print(os.path.realpath(penstock.__file__))"
    found = Path(run(project, ".venv/bin/python", "-c", where).splitlines()[-1])
    assert found.is_relative_to(source) == editable
