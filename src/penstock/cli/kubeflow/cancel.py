"""`penstock kubeflow cancel`: ask a run to end."""

from __future__ import annotations

import argparse

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.kubeflow.options import add_connection_options, connect


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "kubeflow cancel",
        "Ask a run to end. Its pods get SIGTERM, and what they have written half is removed.",
        ["penstock kubeflow cancel latest", "penstock kubeflow cancel 3f2c51aa"],
    )
    parser.add_argument(
        "run", metavar="RUN", help="a run's id or the start of one, its name, or `latest`"
    )
    add_connection_options(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Ask it to end."""
    kubeflow = connect(arguments)
    found = kubeflow.find(arguments.run)
    if kubeflow.cancel(found.run_id):
        print(f"run {found.run_id} ({found.name}) was asked to end")
    else:
        print(f"run {found.run_id} ({found.name}) has ended already: {found.state}")
    return exit_codes.OK
