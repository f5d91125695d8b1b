"""`penstock kubeflow status`: the newest runs on the cluster, or one of them."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, positive_integer
from penstock.cli.console import Cell, Console, print_json
from penstock.cli.errors import UsageError
from penstock.cli.kubeflow.options import add_connection_options, connect
from penstock.cli.kubeflow.run import add_progress_options, follow
from penstock.cli.quantities import duration, moment

if TYPE_CHECKING:
    from penstock.kubeflow.client import Kubeflow
    from penstock.kubeflow.records import ClusterRun


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "kubeflow status",
        "List the newest runs on the cluster, or show one: its nodes, their states and times.",
        [
            "penstock kubeflow status",
            "penstock kubeflow status latest",
            "penstock kubeflow status latest --follow",
        ],
    )
    parser.add_argument(
        "run",
        metavar="RUN",
        nargs="?",
        help="a run's id or the start of one, its name, or `latest` (default: list runs)",
    )
    parser.add_argument("--follow", action="store_true", help="follow it until it has ended")
    parser.add_argument(
        "-n", "--limit", metavar="N", type=positive_integer, default=20, help="runs to list (20)"
    )
    add_progress_options(parser)
    add_connection_options(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print the runs, or the run."""
    kubeflow = connect(arguments)
    if arguments.run is None:
        if arguments.follow:
            raise UsageError("penstock kubeflow status: --follow is for one RUN, such as latest.")
        _print_runs(kubeflow.runs(arguments.limit), as_json=arguments.json)
        return exit_codes.OK
    found = kubeflow.find(arguments.run)
    if arguments.follow:
        return follow(arguments, found.run_id)
    _print_run(kubeflow, found, as_json=arguments.json)
    return exit_codes.FAILED if found.state == "FAILED" else exit_codes.OK


def _print_runs(runs: list[ClusterRun], *, as_json: bool) -> None:
    if as_json:
        print_json([run.to_json() for run in runs])
        return
    console = Console()
    if not runs:
        console.print("no run on this Kubeflow yet")
        return
    rows: list[tuple[Cell, ...]] = [
        (
            (run.run_id[:8], "name"),
            run.name,
            (_state(run), run.state),
            moment(run.created) if run.created else "-",
            duration(_seconds(run)),
            "schedule" if run.schedule_id else "",
        )
        for run in runs
    ]
    console.table(("RUN", "NAME", "STATE", "WHEN", "TIME", ""), rows, right=("TIME",))


def _print_run(kubeflow: Kubeflow, run: ClusterRun, *, as_json: bool) -> None:
    from penstock.kubeflow.tasks import node_results

    nodes = node_results(kubeflow.package(run).nodes, run)
    if as_json:
        print_json(
            {
                **run.to_json(),
                "nodes": {
                    node.id: {
                        "state": node.state.value,
                        "seconds": node.seconds,
                        "attempts": node.attempts,
                        "error": node.error,
                    }
                    for node in nodes.values()
                },
            }
        )
        return
    console = Console()
    given = ", ".join(f"{name}={value}" for name, value in run.parameters.items())
    lines = (
        ("run", f"{console.style(run.run_id, 'name')} ({run.name})"),
        ("state", console.style(_state(run), run.state)),
        ("began", moment(run.created) if run.created else ""),
        ("took", duration(_seconds(run))),
        ("given", given),
        ("error", run.error or ""),
    )
    for name, text in lines:
        if text:
            console.print(f"{console.style(f'{name:<8}', 'dim')}{text}")
    console.print()
    rows: list[tuple[Cell, ...]] = [
        (
            (node.id, "name"),
            (node.state.lower(), node.state.value),
            duration(node.seconds) if node.seconds else "-",
            str(node.attempts) if node.attempts > 1 else "",
            node.error or "",
        )
        for node in nodes.values()
    ]
    console.table(("NODE", "STATE", "TIME", "ATTEMPTS", ""), rows, right=("TIME", "ATTEMPTS"))


def _state(run: ClusterRun) -> str:
    return "canceling" if run.canceling else run.state.lower()


def _seconds(run: ClusterRun) -> float | None:
    return None if run.created is None else max(0.0, (run.finished or time.time()) - run.created)
