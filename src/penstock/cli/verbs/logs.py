"""`penstock logs`: what a node printed and logged."""

from __future__ import annotations

import argparse
import sys
import time

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, positive_integer
from penstock.cli.errors import NotFound
from penstock.cli.store_option import add_store_option, open_store

_PAUSE_SECONDS = 0.3


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "logs",
        "Print the log of a node's last attempt (for a cached node, of the execution it was cached from).",
        [
            "penstock logs latest Trainer",
            "penstock logs latest Trainer --follow",
            "penstock logs 20261121-0930 Trainer --attempt 1",
        ],
    )
    parser.add_argument("run", metavar="RUN", help="a run's id, the start of one, or `latest`")
    parser.add_argument("node", metavar="NODE", help="a node of its pipeline")
    parser.add_argument("--attempt", metavar="N", type=positive_integer, help="an earlier attempt")
    parser.add_argument("--follow", action="store_true", help="follow the log until the node ends")
    parser.add_argument("--path", action="store_true", help="print only the path of the log")
    add_store_option(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print the log."""
    from penstock.artifacts import location
    from penstock.cli.run_report import check_node, find_run, graph_of
    from penstock.launch.spread_run import is_spread, live_executions
    from penstock.store import ExecutionState

    with open_store(arguments.store) as store:
        record = find_run(store, arguments.run)
        check_node(graph_of(record), arguments.node)
        attempts = [e for e in store.run_executions(record.run_id) if e.node_id == arguments.node]
        if arguments.attempt is not None:
            attempts = [each for each in attempts if each.attempt == arguments.attempt]
        if not attempts:
            which = f"attempt {arguments.attempt} of " if arguments.attempt else ""
            raise NotFound(f"{which}{arguments.node} did not run in run {record.run_id}: no log")
        execution = attempts[-1]
        while execution.cached_from is not None:
            execution = store.get_execution(execution.cached_from)
        if execution.log_path is None:
            why = (
                f"it was not executed: {execution.error}" if execution.error else "it is looked up"
            )
            raise NotFound(f"{arguments.node} has no log: {why}")
        path = execution.log_path.replace("{execution_id}", str(execution.id))
        if arguments.path:
            print(path)
            return exit_codes.OK

        def running() -> bool:
            state = store.get_execution(execution.id).state
            return state is ExecutionState.RUNNING and (
                execution.id in live_executions(store)
                if is_spread(record)
                else store.is_held(record.run_id)
            )

        if not location.is_local(path):
            return _print_copy(path, arguments.node, is_running=running())
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                while True:
                    alive = arguments.follow and running()
                    sys.stdout.write(file.read())
                    sys.stdout.flush()
                    if not alive:
                        break
                    time.sleep(_PAUSE_SECONDS)
        except FileNotFoundError:
            if execution.state is ExecutionState.COMPLETE:
                print(f"{arguments.node} logged nothing", file=sys.stderr)
                return exit_codes.OK
            raise NotFound(f"the log of {arguments.node} is missing: {path}") from None
    return exit_codes.OK


def _print_copy(url: str, node: str, *, is_running: bool) -> int:
    """Print a log that a container copied to where the artifacts lie, when it ended."""
    from penstock.artifacts import location

    try:
        sys.stdout.write(location.read_bytes(url).decode(errors="replace"))
    except FileNotFoundError:
        where = f"{url} is written when it ends. Until then, see the log of its container"
        raise NotFound(
            f"{node} is still running: {where}"
            if is_running
            else f"the log of {node} is missing: {url}"
        ) from None
    return exit_codes.OK
