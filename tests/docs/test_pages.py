"""The code of README and of the documentation runs as it stands, page by page."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet
from pages import ROOT, RUN_BY_SHELL, blocks, commands, missing_lines, pages, script

CHEAP = {
    "docs/cli.md",
    "docs/caching.md",
    "docs/components.md",
    "docs/data-validation.md",
    "docs/defining-pipelines.md",
    "docs/ingestion.md",
    "docs/store.md",
    "docs/troubleshooting.md",
}
"""Pages that need no TensorFlow. The other ones take seconds to minutes."""

_ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "BROWSER": "true",  # a program that does nothing
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "COLUMNS": "120",
}


def _cases() -> list[ParameterSet]:
    cases = []
    for page in pages():
        name = str(page.relative_to(ROOT))
        if any(
            block.language in ("python", "console") and not block.not_run for block in blocks(page)
        ):
            cases.append(
                pytest.param(page, id=name, marks=() if name in CHEAP else pytest.mark.slow)
            )
    return cases


def run_page(page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the code of a page in a project that has this repository's data."""
    for name in ("data", "modules", "pipelines") if page.parent == ROOT else ("data",):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pyproject.toml").write_text("[tool.penstock]\n")
    (folder / "page.py").write_text(script(page))
    return subprocess.run(
        [sys.executable, "page.py"],
        cwd=folder,
        env=os.environ | _ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
    )


@pytest.mark.parametrize("page", _cases())
def test_code_runs(page, tmp_path):
    done = run_page(page, tmp_path)
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_run_or_say_why_not(page):
    for block in blocks(page):
        for command in commands(block) if block.language == "console" and not block.not_run else ():
            assert command.split()[0] in RUN_BY_SHELL, (
                f"{page.name}, line {block.line}: {command!r} is not run; say why with "
                "<!-- not run: ... --> before the block"
            )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("```python\n1 / 0\n```\n", "ZeroDivisionError"),
        ("```python\nprint('3 cats')\n```\n\n```text\n3 dogs\n```\n", "3 dogs"),
        ("```console\n$ penstock runn\n```\n", "'penstock runn' ended with 2, not 0"),
        ("<!-- exits 3 -->\n```console\n$ penstock --help\n```\n", "ended with 0, not 3"),
    ],
    ids=["python", "output", "command", "exit code"],
)
def test_a_block_that_breaks_is_found(tmp_path, text, why):
    page = tmp_path / "page.md"
    page.write_text(text)
    (tmp_path / "project").mkdir()
    done = run_page(page, tmp_path / "project")
    assert done.returncode == 1
    assert why in done.stdout
    assert "page.md, line" in done.stdout


def test_numbers_and_what_is_left_out_may_differ():
    assert missing_lines(["3 rows of ...", "at 1.5 s", "..."], "4 rows of it\nat 2 s\n") == []
    assert missing_lines(["3 rows"], "3 columns\n") == ["3 rows"]
