from __future__ import annotations

import tomllib
from pathlib import Path

from penstock.installation import DISTRIBUTION, install_command, requirement

ROOT = Path(__file__).resolve().parents[2]


def test_the_name_is_the_distributions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == DISTRIBUTION


def test_requirements_and_commands():
    assert requirement() == "penstock-ml"
    assert requirement("run", "gcp") == "penstock-ml[run,gcp]"
    assert install_command() == "pip install penstock-ml"
    assert install_command("run") == "pip install 'penstock-ml[run]'"
    assert install_command("run", upgrade=True) == "pip install --upgrade 'penstock-ml[run]'"


def test_nobody_is_sent_to_the_other_projects_package():
    """`penstock` on PyPI is someone else's."""
    files = [*(ROOT / "src").rglob("*"), *(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    files += [ROOT / "Dockerfile", ROOT / "Makefile"]
    for file in files:
        if file.is_file() and file.suffix not in (".pyc", ".so"):
            text = file.read_text("utf-8", "replace")
            assert "penstock[" not in text, file
            assert "pip install penstock " not in text, file
