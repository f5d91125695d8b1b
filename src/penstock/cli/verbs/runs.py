"""`penstock runs`: the runs of a store."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, positive_integer
from penstock.cli.console import Cell, Console, print_json
from penstock.cli.quantities import duration, moment
from penstock.cli.store_option import add_store_option, open_store

if TYPE_CHECKING:
    from penstock.artifacts import Verdict
    from penstock.store import RunRecord


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
        verdicts = store.run_verdicts([each.run_id for each in runs])
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
                "verdicts": {
                    node: verdict.to_json()
                    for node, verdict in verdicts.get(each.run_id, {}).items()
                },
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
        ("RUN", "PIPELINE", "STATE", "STARTED", "TIME", "NOTE"),
        [
            (
                each.run_id,
                each.pipeline,
                (states[each.run_id].lower(), states[each.run_id]),
                moment(each.started),
                duration(each.seconds),
                _remark(each, verdicts.get(each.run_id, {})),
            )
            for each in runs
        ],
        right=("TIME",),
    )
    return exit_codes.OK


def _remark(run: RunRecord, verdicts: Mapping[str, Verdict]) -> Cell:
    """Return why a run failed, else what its nodes found that is not good."""
    if run.error:
        node = run.error.partition(": ")[0]
        said = verdicts.get(node)
        return f"{node}: {said.text}" if said and not said.ok else run.error.partition("\n")[0][:80]
    bad = [f"{node}: {verdict.text}" for node, verdict in verdicts.items() if not verdict.ok]
    return ("; ".join(bad), "warning") if bad else ""
