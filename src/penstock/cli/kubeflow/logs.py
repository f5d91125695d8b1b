"""`penstock kubeflow logs`: what a node's container printed."""

from __future__ import annotations

import argparse
import sys

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, positive_integer
from penstock.cli.kubeflow.options import add_connection_options, connect


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "kubeflow logs",
        "Print the log of a node's container. It is read from its pod, or from Kubeflow, if that keeps\n"
        "logs of pods that are gone.",
        [
            "penstock kubeflow logs latest Trainer",
            "penstock kubeflow logs latest Trainer --follow",
            "penstock kubeflow logs 3f2c51aa Trainer --attempt 1",
        ],
    )
    parser.add_argument(
        "run", metavar="RUN", help="a run's id or the start of one, its name, or `latest`"
    )
    parser.add_argument("node", metavar="NODE", help="a node of its pipeline")
    parser.add_argument("--follow", action="store_true", help="follow the log until the node ends")
    parser.add_argument("--attempt", metavar="N", type=positive_integer, help="an earlier attempt")
    add_connection_options(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print the log."""
    pieces = connect(arguments).logs(
        arguments.run, arguments.node, follow=arguments.follow, attempt=arguments.attempt
    )
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    return exit_codes.OK
