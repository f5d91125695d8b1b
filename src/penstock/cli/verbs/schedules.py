"""`penstock schedules`: list the schedules; pause or resume one."""

from __future__ import annotations

import argparse
import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.console import Cell, Console, print_json
from penstock.cli.errors import NotFound, UsageError

if TYPE_CHECKING:
    from penstock.scheduling import Schedule, ScheduleFolder
    from penstock.scheduling.state import ScheduleState


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "schedules",
        "List the schedules of this project, with the last run of each; or pause or resume one.",
        [
            "penstock schedules",
            "penstock schedules --pause penguin",
            "penstock schedules --resume penguin",
        ],
    )
    parser.add_argument("--pause", metavar="NAME", help="let a schedule not fire")
    parser.add_argument("--resume", metavar="NAME", help="let it fire again")
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print them, or change one."""
    from penstock.project_root import find_project_root
    from penstock.scheduling import ScheduleError, ScheduleFolder, UnknownSchedule

    if arguments.pause and arguments.resume:
        raise UsageError("penstock schedules: give --pause or --resume, not both.")
    folder = ScheduleFolder(find_project_root("."))
    name = arguments.pause or arguments.resume
    try:
        if name:
            schedule = folder.find(name)
            enabled = arguments.resume is not None
            folder.add(dataclasses.replace(schedule, enabled=enabled))
            print(f"schedule {name} is {'resumed' if enabled else 'paused'}")
            return exit_codes.OK
        rows = [(each, folder.state(each.name)) for each in folder.schedules()]
    except UnknownSchedule as error:
        raise NotFound(f"penstock schedules: {error}") from None
    except ScheduleError as error:
        raise UsageError(f"penstock schedules: {error}") from None
    if arguments.json:
        print_json([{**each.to_json(), "state": state.to_json()} for each, state in rows])
        return exit_codes.OK
    _print(folder, rows)
    return exit_codes.OK


def _print(folder: ScheduleFolder, rows: list[tuple[Schedule, ScheduleState]]) -> None:
    console = Console()
    if not rows:
        console.print("no schedule in this project yet")
        return
    console.table(
        ("SCHEDULE", "STATE", "WHEN", "NEXT", "LAST RUN", ""),
        [
            (
                (schedule.name, "name"),
                "enabled" if schedule.enabled else ("paused", "warning"),
                schedule.when,
                _next(schedule),
                _last(state),
                _remark(schedule, state),
            )
            for schedule, state in rows
        ],
    )
    if not folder.has_scheduler():
        console.print("nothing runs them now; start what does: penstock scheduler")


def _next(schedule: Schedule) -> str:
    if not schedule.enabled or schedule.after is not None:
        return "-"
    moment = schedule.next_after(datetime.now(UTC))
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def _last(state: ScheduleState) -> Cell:
    if state.run_id:
        return (f"{state.run_id} running", "RUNNING")
    return (
        (f"{state.last_run} {state.last_state.lower()}", state.last_state)
        if state.last_run
        else "-"
    )


def _remark(schedule: Schedule, state: ScheduleState) -> str:
    remarks = ["catches up"] if schedule.catch_up else []
    if state.last_error:
        remarks.append(state.last_error)
    if state.notice:
        remarks.append(f"not told: {state.notice}")
    return "; ".join(remarks)
