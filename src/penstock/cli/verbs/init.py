"""`penstock init`: a new project, made for a table."""

from __future__ import annotations

import argparse
import keyword
import re
import shlex
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.errors import UsageError

if TYPE_CHECKING:
    from penstock.cli.starter.plan import Plan

_FEW_ROWS = 50
_LONGEST_LIST = 800
_TAKEN = frozenset(
    {"columns", "components", "labelled_rows", "modules", "penstock", "pipelines", "row_counts", "tests"}
)  # fmt: skip


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "init",
        "Create a project that trains on a CSV file: a pipeline, its module file, its columns sorted\n"
        "by kind, a custom component, tests, a Makefile and a Dockerfile. Without --data the project\n"
        "is about penguins.",
        [
            "penstock init penguins",
            "penstock init titanic --data passengers.csv --label survived",
            "penstock init wine --data wine.csv --label quality --task regression",
        ],
    )
    parser.add_argument(
        "folder", metavar="NAME", help="the folder to create; its last part names the project"
    )
    parser.add_argument("--data", metavar="FILE", help="a CSV file with a header; it is copied")
    parser.add_argument("--label", metavar="COLUMN", help="the column to predict")
    parser.add_argument(
        "--task",
        choices=("classification", "regression"),
        help="what the model does (default: what the label looks like)",
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Make the project."""
    target = Path(arguments.folder)
    name = _module_name(target)
    _check_free(target)
    _check_options(arguments)

    from penstock.cli.starter.installed import installed_penstock
    from penstock.cli.starter.plan import make_plan
    from penstock.cli.starter.project import EXAMPLE, write_project

    if arguments.data is None:
        plan = make_plan(EXAMPLE, "species")
    else:
        plan = make_plan(Path(arguments.data), arguments.label, arguments.task)
    installed = installed_penstock()
    files = write_project(target, name, plan, installed)
    print(f"made {target} with {len(files)} files")
    _print_plan(plan)
    print("Go on with:")
    print(f"  cd {shlex.quote(str(target))}")
    print(f"  make run      # sets .venv up, then: penstock run pipelines/{name}.py")
    return exit_codes.OK


def _print_plan(plan: Plan) -> None:
    """Print what was found and decided."""
    from penstock.cli.starter.columns import Kind
    from penstock.cli.starter.project import describe

    table, task = plan.table, plan.task
    rows = f"{table.rows:,} rows" if table.is_whole else f"the first {table.rows:,} rows"
    print(f"  looked at {rows} and {len(table.names)} columns of {table.file.name}")
    for place, old, new in table.renamed:
        what = "has no name" if not old.strip() else f"is a second {old!r}"
        print(f"  column {place} {what}: it is {new!r} in the project's copy")
    if table.na_values:
        print(f"  taken as missing: {', '.join(table.na_values)}")
    lines = [("label", [f"{task.label.name}: {describe(task)}"])]
    if task.label.missing:
        lines.append(("", [f"{task.label.missing} rows without it are left out"]))
    lines += [("", [doubt]) for doubt in _doubts(plan)]
    for kind in Kind:
        found = plan.of(kind)
        shown = [
            f"{each.name} ({each.note})" if kind is Kind.IGNORED else each.name for each in found
        ]
        if shown:
            lines.append((kind.value.replace("_", "-"), shown))
    for title, words in lines:
        text = _listed(words)
        print(textwrap.fill(text, 100, initial_indent=f"  {title:<13}", subsequent_indent=" " * 15))


def _doubts(plan: Plan) -> Iterator[str]:
    """Yield the reasons, in the table, why the project's verdict is worth little."""
    few = {name: count for name, count in plan.task.classes.items() if count < _FEW_ROWS}
    if few:
        name = min(few, key=few.__getitem__)
        others = f", and few of {len(few) - 1} more" if len(few) > 1 else ""
        yield (
            f"only {few[name]} rows of {name!r}{others}; the model is judged by about a fifth of the rows, "
            "so chance decides much"
        )
    if all(map(_is_number, plan.table.names)):
        yield "all column names are numbers: does the file begin with a header line?"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _listed(words: Sequence[str]) -> str:
    """Return as many words as fit into some lines, and how many more there are."""
    shown = list(words)
    while len(shown) > 1 and len(", ".join(shown)) > _LONGEST_LIST:
        shown.pop()
    more = len(words) - len(shown)
    return ", ".join(shown) + (f" and {more} more: see modules/columns.py" if more else "")


def _check_options(arguments: argparse.Namespace) -> None:
    if arguments.data is not None and arguments.label is None:
        raise UsageError(
            "penstock init: --data needs --label, the column to predict. See `penstock init --help`."
        )
    for option in ("label", "task"):
        if arguments.data is None and getattr(arguments, option) is not None:
            raise UsageError(
                f"penstock init: --{option} needs --data, a CSV file. See `penstock init --help`."
            )


def _check_free(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        what = "is not empty" if target.is_dir() else "is a file"
        raise UsageError(f"penstock init: {target} {what}. Give a new folder or an empty one.")


def _module_name(target: Path) -> str:
    """Return the name that the project's modules have."""
    given = target.resolve().name
    name = given.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name) or keyword.iskeyword(name):
        raise UsageError(
            "penstock init: a project's name is up to 41 lowercase letters, digits, '_' and '-', "
            f"and starts with a letter. Received: {given!r}"
        )
    if name in _TAKEN:
        raise UsageError(
            f"penstock init: {given!r} is the name of something in the project. Choose another."
        )
    return name
