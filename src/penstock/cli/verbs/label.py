"""`penstock label`: join labels that came later to logged requests."""

from __future__ import annotations

import argparse
import sys

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.console import print_json
from penstock.cli.errors import CommandError, NotFound
from penstock.spelling import counted


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "label",
        "Join labels to the requests that a server logged, by the id that each answer had in its\n"
        "header `x-request-id`, and write Examples that ImportExampleGen reads. Rows without a label\n"
        "are left out.",
        [
            "penstock label requests/taxi/served tips.csv -o labeled",
            "penstock label requests/taxi/served tips.parquet -o training --features-only",
        ],
    )
    parser.add_argument(
        "requests", metavar="REQUESTS", help="the folder of a model's logged requests"
    )
    parser.add_argument(
        "labels",
        metavar="LABELS",
        help="a CSV or Parquet file: request_id, row for requests of several rows, and the labels",
    )
    parser.add_argument(
        "-o", "--output", metavar="FOLDER", required=True, help="a new folder for the Examples"
    )
    parser.add_argument(
        "--features-only",
        action="store_true",
        help="write features and labels only, as for training, without what the server answered",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Join, and say how many rows were joined."""
    from penstock.server.request_log.labels import join_labels

    try:
        joined = join_labels(
            arguments.requests,
            arguments.labels,
            arguments.output,
            keep_answers=not arguments.features_only,
        )
    except FileNotFoundError as error:
        text = error.strerror and f"there is no file {error.filename}."
        raise NotFound(f"penstock label: {text or error}") from error
    except (ValueError, FileExistsError) as error:
        raise CommandError(f"penstock label: {error}", exit_codes.ENVIRONMENT) from error
    if arguments.json:
        print_json(
            {
                "folder": joined.folder,
                "rows": joined.rows,
                "unlabeled": joined.unlabeled,
                "unused": joined.unused,
            }
        )
        return exit_codes.OK
    print(f"{counted(joined.rows, 'row')} with labels in {joined.folder}")
    if joined.unlabeled:
        print(
            f"{counted(joined.unlabeled, 'logged row')} without a label, left out", file=sys.stderr
        )
    if joined.unused:
        print(f"{counted(joined.unused, 'label')} of no logged row", file=sys.stderr)
    return exit_codes.OK
