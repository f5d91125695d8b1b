"""`penstock doctor`: check this machine and explain what is wrong."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.console import Console, print_json
from penstock.cli.store_option import add_store_option, store_location

if TYPE_CHECKING:
    from penstock.cli.diagnosis.finding import Diagnosis

_MARKS = {"good": "ok", "warning": "note", "problem": "BAD"}


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "doctor",
        "Check Python, packages, byte code, processors, memory, disk, accelerators and the store, and\n"
        "say what is wrong and what to do. Imports no TensorFlow unless --devices is given. Returns 1\n"
        "if something is wrong.",
        ["penstock doctor", "penstock doctor --devices", "penstock doctor --json"],
    )
    parser.add_argument(
        "--devices",
        action="store_true",
        help="also import TensorFlow (in its own process) and list its devices",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_store_option(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Look, and say."""
    found = examine(arguments.store, devices=arguments.devices)
    problems = sum(each.level == "problem" for each in found)
    if arguments.json:
        print_json({"problems": problems, "findings": [each.to_json() for each in found]})
    else:
        _print(found, Console())
    return exit_codes.FAILED if problems else exit_codes.OK


def examine(store: str | None, *, devices: bool) -> list[Diagnosis]:
    """Return the diagnoses.

    Args:
        store: What `--store` says.
        devices: Whether to import TensorFlow in a process of its own.
    """
    from penstock.cli.diagnosis import packages, store_health, surroundings
    from penstock.cli.diagnosis.finding import Diagnosis
    from penstock.launch.project import Project, ProjectError

    found = [*packages.check_python(), *packages.check_packages(), *packages.check_byte_code()]
    try:
        project = Project.find(".")
    except ProjectError as error:
        return [*found, Diagnosis("problem", "project", str(error), "correct pyproject.toml")]
    found.append(Diagnosis("good", "project", project.root))
    location = store_location(store)
    folders = {"artifacts": project.artifacts, "store": location.removeprefix("sqlite:///")}
    local = {label: path for label, path in folders.items() if "://" not in path}
    found += surroundings.check_machine(local)
    found += surroundings.check_devices()
    if devices:
        found += surroundings.check_tensorflow_devices()
    found += store_health.check_store(location)
    return found


def _print(found: list[Diagnosis], console: Console) -> None:
    width = max(len(each.topic) for each in found) + 2
    indent = " " * (6 + width)
    for each in found:
        mark = console.style(
            f"{_MARKS[each.level]:<6}", "bad" if each.level == "problem" else each.level
        )
        lines = textwrap.wrap(each.text, max(30, console.width - len(indent))) or [""]
        console.print(f"{mark}{each.topic:<{width}}{lines[0]}")
        for line in lines[1:]:
            console.print(f"{indent}{line}")
        if each.advice:
            advice = f"-> {each.advice}"
            for line in textwrap.wrap(advice, max(30, console.width - len(indent))):
                console.print(f"{indent}{console.style(line, 'name')}")
    problems = [each for each in found if each.level == "problem"]
    notes = [each for each in found if each.level == "warning"]
    console.print()
    if problems:
        console.print(f"{len(problems)} wrong: {', '.join(each.topic for each in problems)}")
    elif notes:
        console.print(
            f"nothing is wrong; {len(notes)} to know: {', '.join(n.topic for n in notes)}"
        )
    else:
        console.print("nothing is wrong")
