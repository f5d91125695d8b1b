"""`penstock kubeflow unschedule`: remove a schedule."""

from __future__ import annotations

import argparse

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.kubeflow.options import add_connection_options, connect


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "kubeflow unschedule",
        "Remove a schedule. Its runs stay, also those that go on.",
        ["penstock kubeflow unschedule penguin"],
    )
    parser.add_argument("schedule", metavar="NAME", help="name or id of the schedule")
    add_connection_options(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Remove it."""
    connect(arguments).unschedule(arguments.schedule)
    print(f"schedule {arguments.schedule} is removed")
    return exit_codes.OK
