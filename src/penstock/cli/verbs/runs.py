"""`penstock runs`: the runs of a store."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, positive_integer
from penstock.cli.console import Cell, Console, print_json
from penstock.cli.errors import NotFound, UsageError
from penstock.cli.quantities import duration, moment
from penstock.cli.store_option import add_store_option, open_store
from penstock.spelling import did_you_mean

if TYPE_CHECKING:
    from penstock.artifacts import Verdict
    from penstock.store import RunRecord


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "runs",
        "List the runs, the newest first.",
        [
            "penstock runs",
            "penstock runs --pipeline penguin --limit 5 --json",
            "penstock runs --pipeline penguin --metric auc --metric Trainer.val_loss",
        ],
    )
    parser.add_argument("--pipeline", metavar="NAME", help="only runs of this pipeline")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=positive_integer,
        default=20,
        help="show at most this many (default: 20)",
    )
    parser.add_argument(
        "--metric",
        metavar="NAME",
        action="append",
        default=[],
        help="a column for this metric, such as auc or Evaluator.auc; sorted by the first, the greatest "
        "on top; may be repeated",
    )
    parser.add_argument("--ascending", action="store_true", help="with --metric: the least on top")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_store_option(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print the runs."""
    if arguments.ascending and not arguments.metric:
        raise UsageError("penstock runs: --ascending needs --metric.")
    from penstock.cli.run_report import run_state

    with open_store(arguments.store) as store:
        runs = store.list_runs(arguments.pipeline, limit=arguments.limit)
        metrics = store.run_metrics([each.run_id for each in runs]) if arguments.metric else {}
        verdicts = store.run_verdicts([each.run_id for each in runs])
        states = {each.run_id: run_state(store, each) for each in runs}
    columns = {
        name: {each.run_id: _metric(metrics.get(each.run_id, {}), name) for each in runs}
        for name in arguments.metric
    }
    _check_metrics(columns, metrics)
    if columns:
        first = next(iter(columns.values()))
        sign = 1.0 if arguments.ascending else -1.0
        runs.sort(key=lambda each: (first[each.run_id] is None, sign * (first[each.run_id] or 0.0)))
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
                "metrics": {name: column[each.run_id] for name, column in columns.items()},
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
        ("RUN", "PIPELINE", "STATE", "STARTED", "TIME", *columns, "NOTE"),
        [
            (
                each.run_id,
                each.pipeline,
                (states[each.run_id].lower(), states[each.run_id]),
                moment(each.started),
                duration(each.seconds),
                *(_number(column[each.run_id]) for column in columns.values()),
                _remark(each, verdicts.get(each.run_id, {})),
            )
            for each in runs
        ],
        right=("TIME", *columns),
    )
    return exit_codes.OK


def _metric(metrics: Mapping[str, Mapping[str, float]], name: str) -> float | None:
    """Return a metric of a run: `node.metric`, or `metric` of the last node that has it."""
    found = [
        value
        for node, of in metrics.items()
        for metric, value in of.items()
        if name in (metric, f"{node}.{metric}")
    ]
    return found[-1] if found else None


def _check_metrics(
    columns: Mapping[str, Mapping[str, float | None]],
    metrics: Mapping[str, Mapping[str, Mapping[str, float]]],
) -> None:
    """Refuse a metric that no run has, naming the nearest."""
    known = {name for run in metrics.values() for of in run.values() for name in of}
    for name, column in columns.items():
        if column and all(value is None for value in column.values()):
            raise NotFound(f"no run here has a metric {name!r}.{did_you_mean(name, known)}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _remark(run: RunRecord, verdicts: Mapping[str, Verdict]) -> Cell:
    """Return why a run failed, else what its nodes found that is not good."""
    if run.error:
        node = run.error.partition(": ")[0]
        said = verdicts.get(node)
        return f"{node}: {said.text}" if said and not said.ok else run.error.partition("\n")[0][:80]
    bad = [f"{node}: {verdict.text}" for node, verdict in verdicts.items() if not verdict.ok]
    return ("; ".join(bad), "warning") if bad else ""
