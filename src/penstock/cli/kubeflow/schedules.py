"""`penstock kubeflow schedules`: list the schedules; pause or resume one."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.console import Cell, Console, print_json
from penstock.cli.errors import UsageError
from penstock.cli.kubeflow.options import add_connection_options, connect
from penstock.cli.quantities import duration

if TYPE_CHECKING:
    from penstock.kubeflow.records import ClusterRun, Schedule

_RUNS = 200
"""Runs among which the last one of each schedule is looked for."""


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "kubeflow schedules",
        "List the schedules, with the last run of each; or pause or resume one.",
        [
            "penstock kubeflow schedules",
            "penstock kubeflow schedules --pause penguin",
            "penstock kubeflow schedules --resume penguin",
        ],
    )
    parser.add_argument("--pause", metavar="NAME", help="let a schedule not fire")
    parser.add_argument("--resume", metavar="NAME", help="let it fire again")
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    add_connection_options(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print them, or change one."""
    kubeflow = connect(arguments)
    if arguments.pause and arguments.resume:
        raise UsageError("penstock kubeflow schedules: give --pause or --resume, not both.")
    name = arguments.pause or arguments.resume
    if name:
        kubeflow.enable(name, enabled=arguments.resume is not None)
        print(f"schedule {name} is {'resumed' if arguments.resume else 'paused'}")
        return exit_codes.OK
    from penstock.kubeflow.runs import list_runs

    schedules = kubeflow.schedules()
    runs = list_runs(kubeflow.server, most=_RUNS)
    if arguments.json:
        print_json([schedule.to_json() for schedule in schedules])
        return exit_codes.OK
    console = Console()
    if not schedules:
        console.print("no schedule on this Kubeflow yet")
        return exit_codes.OK
    rows: list[tuple[Cell, ...]] = []
    for schedule in schedules:
        last = [run for run in runs if run.schedule_id == schedule.schedule_id]
        rows.append(
            (
                (schedule.name, "name"),
                "enabled" if schedule.enabled else ("paused", "warning"),
                _when(schedule),
                _next(schedule),
                _last(last),
                "catches up" if schedule.catch_up else "",
            )
        )
    console.table(("SCHEDULE", "STATE", "WHEN", "NEXT", "LAST RUN", ""), rows)
    return exit_codes.OK


def _when(schedule: Schedule) -> str:
    return schedule.cron if schedule.cron else f"every {duration(schedule.every)}"


def _next(schedule: Schedule) -> str:
    from penstock.cron import Cron

    if not schedule.enabled or schedule.cron is None:
        return "-"
    now = datetime.now(UTC)
    begin = now if schedule.start is None else max(now, datetime.fromtimestamp(schedule.start, UTC))
    try:
        moment = Cron.parse(schedule.cron).next_after(begin)
    except ValueError:
        return "?"
    over = moment is None or (schedule.end is not None and moment.timestamp() > schedule.end)
    return "never" if over or moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def _last(runs: list[ClusterRun]) -> Cell:
    return (f"{runs[0].run_id[:8]} {runs[0].state.lower()}", runs[0].state) if runs else "-"
