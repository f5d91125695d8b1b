"""`penstock init`: a new project."""

from __future__ import annotations

import argparse
import keyword
import re
from collections.abc import Iterator
from pathlib import Path

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.errors import UsageError

_SUFFIX = ".template"
_TEMPLATE = Path(__file__).resolve().parents[1] / "template"
_TAKEN = frozenset(
    {"columns", "components", "modules", "penstock", "pipelines", "row_counts", "tests"}
)


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "init",
        "Make a folder with a new project: a pipeline that runs on a small data set to a pushed model,\n"
        "its module file, a component of its own, tests, Makefile and Dockerfile.",
        ["penstock init taxi", "penstock init work/taxi"],
    )
    parser.add_argument(
        "folder", metavar="NAME", help="the new folder; its last part names the project"
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Make the project."""
    target = Path(arguments.folder)
    files = write_project(target)
    name = target.resolve().name.replace("-", "_")
    print(f"made {target} with {len(files)} files. Go on with:")
    print(f"  cd {target}")
    print(
        f"  penstock run pipelines/{name}.py      # or: make run, which also sets an environment up"
    )
    return exit_codes.OK


def write_project(target: Path) -> list[Path]:
    """Write a new project's files and return them.

    Args:
        target: A folder that does not exist or is empty; its last part names the project.

    Raises:
        UsageError: If the name cannot be a project's, or the folder is in use.
    """
    name = _module_name(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        what = "is not empty" if target.is_dir() else "is a file"
        raise UsageError(f"penstock init: {target} {what}. Give a new name, or an empty folder.")
    written = []
    for source in _sources(_TEMPLATE):
        relative = source.relative_to(_TEMPLATE).as_posix().removesuffix(_SUFFIX)
        file = target / relative.replace("project_name", name)
        file.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text("utf-8")
        text = text.replace("project_name", name).replace("project-name", name.replace("_", "-"))
        file.write_text(text, "utf-8")
        written.append(file)
    return written


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _sources(path)
        elif path.name.endswith(_SUFFIX):
            yield path


def _module_name(target: Path) -> str:
    """Return the name that the project's modules have."""
    given = target.resolve().name
    name = given.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name) or keyword.iskeyword(name):
        raise UsageError(
            "penstock init: a project's name is small letters, digits, '_' and '-', a letter first, at "
            f"most 41. Received: {given!r}"
        )
    if name in _TAKEN:
        raise UsageError(
            f"penstock init: {given!r} is the name of something in the project. Give another."
        )
    return name
