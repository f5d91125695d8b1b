"""`penstock runs`: the runs of a store."""

from __future__ import annotations

import argparse

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, positive_integer
from penstock.cli.console import Console, print_json
from penstock.cli.quantities import duration, moment
from penstock.cli.store_option import add_store_option, open_store


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "runs",
        "List the runs, the newest first.",
        ["penstock runs", "penstock runs --pipeline penguin --limit 5 --json"],
    )
    parser.add_argument("--pipeline", metavar="NAME", help="only runs of this pipeline")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=positive_integer,
        default=20,
        help="at most so many (default: 20)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_store_option(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print the runs."""
    from penstock.store import RunState

    with open_store(arguments.store) as store:
        runs = store.list_runs(arguments.pipeline, limit=arguments.limit)
        states = {
            each.run_id: "KILLED"
            if each.state is RunState.RUNNING and not store.is_held(each.run_id)
            else each.state.value
            for each in runs
        }
    if arguments.json:
        print_json([
            {
                "run_id": each.run_id,
                "pipeline": each.pipeline,
                "state": states[each.run_id],
                "started": each.started,
                "finished": each.finished,
                "error": each.error,
                "parameters": dict(each.parameters),
                "commit": each.commit,
                "dirty": each.dirty,
            }
            for each in runs
        ])  # fmt: skip
        return exit_codes.OK
    console = Console()
    if not runs:
        of = f" of pipeline {arguments.pipeline!r}" if arguments.pipeline else ""
        console.print(f"no runs{of} yet")
        return exit_codes.OK
    console.table(
        ("RUN", "PIPELINE", "STATE", "STARTED", "TIME", "ERROR"),
        [
            (
                each.run_id,
                each.pipeline,
                (states[each.run_id].lower(), states[each.run_id]),
                moment(each.started),
                duration(each.finished - each.started if each.finished else None),
                (each.error or "").partition("\n")[0][:80],
            )
            for each in runs
        ],
        right=("TIME",),
    )
    return exit_codes.OK
