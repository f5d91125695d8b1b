"""`penstock stop`: ask a running run to stop."""

from __future__ import annotations

import argparse
import time

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.store_option import add_store_option, open_store


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "stop",
        "Ask the process of a run to stop, as Ctrl-C would: running nodes end and become CANCELED,\n"
        "complete ones stay. `penstock resume` continues the run.",
        ["penstock stop latest", "penstock stop 20261121-0930 --wait 60"],
    )
    parser.add_argument("run", metavar="RUN", help="a run's id, the start of one, or `latest`")
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=30.0,
        help="how long to wait for its end (default: 30; 0: do not wait)",
    )
    add_store_option(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Ask, and wait."""
    from penstock.cli.run_report import KILLED, advice, find_run, run_state

    with open_store(arguments.store, write=True) as store:
        record = find_run(store, arguments.run)
        state = run_state(store, record)
        if state == KILLED:
            print(
                f"run {record.run_id} is not running: its process is gone. "
                f"Go on with: {advice(record)}"
            )
            return exit_codes.OK
        if state != "RUNNING":
            print(f"run {record.run_id} has ended already: {state}")
            return exit_codes.OK
        store.request_stop(record.run_id)
        deadline = time.monotonic() + arguments.wait
        while time.monotonic() < deadline:
            state = run_state(store, store.get_run(record.run_id))
            if state != "RUNNING":
                print(f"run {record.run_id} has stopped: {state}")
                return exit_codes.OK
            time.sleep(0.1)
        print(f"run {record.run_id} was asked to stop")
        return exit_codes.OK if arguments.wait == 0 else exit_codes.FAILED
