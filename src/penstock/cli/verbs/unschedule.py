"""`penstock unschedule`: remove a schedule."""

from __future__ import annotations

import argparse

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.errors import NotFound


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "unschedule",
        "Remove a schedule. Its runs stay, also one that goes on.",
        ["penstock unschedule penguin"],
    )
    parser.add_argument("schedule", metavar="NAME", help="name of the schedule")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Remove it."""
    from penstock.project_root import find_project_root
    from penstock.scheduling import ScheduleError, ScheduleFolder

    try:
        ScheduleFolder(find_project_root(".")).remove(arguments.schedule)
    except ScheduleError as error:
        raise NotFound(f"penstock unschedule: {error}") from None
    print(f"schedule {arguments.schedule} is removed")
    return exit_codes.OK
