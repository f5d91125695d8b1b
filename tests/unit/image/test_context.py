"""What a build is sent, by Docker's own rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.image import context_files

FILES = (
    "Dockerfile",
    "README.md",
    "data/a.csv",
    "data/deep/b.csv",
    "docs/index.md",
    "src/penstock/__init__.py",
    "src/penstock/x.pyc",
    "src/x.egg-info/PKG-INFO",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("# nothing", {*FILES, ".dockerignore"}),
        ("docs", {*FILES, ".dockerignore"} - {"docs/index.md"}),
        ("*/deep", {*FILES, ".dockerignore"} - {"data/deep/b.csv"}),
        ("**/*.csv", {*FILES, ".dockerignore"} - {"data/a.csv", "data/deep/b.csv"}),
        ("data/?.csv", {*FILES, ".dockerignore"} - {"data/a.csv"}),
        ("*.csv", {*FILES, ".dockerignore"}),
        ("*\n!src\n**/*.pyc\n**/*.egg-info", {"src/penstock/__init__.py"}),
        ("data\n!data/deep/b.csv\n.dockerignore", {*FILES} - {"data/a.csv"}),
        ("/docs/\n[D]ockerfile", {*FILES, ".dockerignore"} - {"docs/index.md", "Dockerfile"}),
    ],
)
def test_the_last_line_that_matches_decides(folder: Path, lines: str, expected: set[str]) -> None:
    (folder / ".dockerignore").write_text(lines + "\n")
    assert list(context_files(str(folder))) == sorted(expected)


def test_without_rules_everything_but_what_no_build_needs(folder: Path) -> None:
    for name in (".git/HEAD", "src/__pycache__/x.pyc"):
        (folder / name).parent.mkdir()
        (folder / name).write_text("")
    assert list(context_files(str(folder))) == sorted(FILES)
