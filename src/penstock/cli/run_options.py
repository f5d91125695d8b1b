"""The common part of `run` and `resume`: setting up the local runner, and reporting the end of a run."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, positive_integer
from penstock.cli.console import print_json
from penstock.cli.quantities import duration

if TYPE_CHECKING:
    from penstock.runners.result import RunResult


def add_runner_options(parser: Parser) -> None:
    """Add the options that control how nodes are executed."""
    parser.add_argument(
        "--max-parallel",
        metavar="N",
        type=positive_integer,
        help="nodes to run at once (default: the number of cores)",
    )
    parser.add_argument(
        "--in-process",
        action="store_true",
        help="run everything in this process, for a debugger; timeouts are not enforced",
    )
    parser.add_argument(
        "--progress",
        choices=("auto", "live", "plain", "none"),
        default="auto",
        help="how to show progress (default: live on a terminal, else plain)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def runner_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `LocalDagRunner`."""
    progress = arguments.progress
    if arguments.json and progress == "auto":
        progress = "none"
    return {
        "max_parallel": arguments.max_parallel,
        "in_process": arguments.in_process,
        "progress": progress,
    }


def report_end(result: RunResult, arguments: argparse.Namespace) -> int:
    """Tell how a run ended, where the runner's progress did not, and return the exit code.

    Args:
        result: The run.
        arguments: What was typed.
    """
    from penstock.runners.result import failure_lines, resume_lines

    if arguments.json:
        print_json(result_json(result))
    elif arguments.progress == "none":
        print(f"run {result.run_id} {result.state.lower()} in {duration(result.seconds)}")
        lines = failure_lines(result) if result.failed else []
        if result.state != "COMPLETE":
            print(*lines, *resume_lines(result), sep="\n", file=sys.stderr)
    if result.state == "COMPLETE":
        return exit_codes.OK
    if result.state == "CANCELED":
        terminated = (result.error or "").startswith("terminated")
        return exit_codes.TERMINATED if terminated else exit_codes.INTERRUPTED
    return exit_codes.FAILED


def result_json(result: RunResult) -> dict[str, Any]:
    """Return the end of a run as a JSON value."""
    return {
        "run_id": result.run_id,
        "state": result.state,
        "error": result.error,
        "seconds": result.seconds,
        "nodes": {
            node.id: {
                "state": node.state.value,
                "seconds": node.seconds,
                "attempts": node.attempts,
                "execution_id": node.execution_id,
                "error": node.error,
                "traceback": node.traceback,
                "log": node.log_path,
                "metrics": dict(node.metrics),
                "verdict": node.verdict.to_json() if node.verdict else None,
                "start_seconds": node.start_seconds,
                "outputs": {
                    key: [artifact.to_json() for artifact in artifacts]
                    for key, artifacts in node.outputs.items()
                },
            }
            for node in result.nodes.values()
        },
    }
