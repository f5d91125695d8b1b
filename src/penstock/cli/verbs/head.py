"""`penstock head`: the first rows of an artifact."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, positive_integer
from penstock.cli.console import Cell, Console, print_json
from penstock.cli.errors import CommandError, NotFound, UsageError
from penstock.cli.store_option import add_store_option, open_store

if TYPE_CHECKING:
    from penstock.cards import FirstRows

_WIDTH = 40


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "head",
        "Print the first rows of Examples (of each split), a Table, an Array or an InferenceResult, or\n"
        "the first terms of the vocabularies of a TransformGraph.",
        [
            "penstock head 17",
            "penstock head 17 --split eval --rows 3 --columns species,sex",
            "penstock head 17 --json | jq '.[0].rows'",
        ],
    )
    parser.add_argument("artifact", metavar="ID|ALIAS", help="an artifact's id or alias")
    parser.add_argument(
        "--rows", metavar="N", type=positive_integer, default=10, help="how many rows (default: 10)"
    )
    parser.add_argument("--split", metavar="NAME", help="only this split, or this vocabulary")
    parser.add_argument("--columns", metavar="A,B", help="only these columns")
    parser.add_argument(
        "--json", action="store_true", help="print JSON: values as they are stored, not cut"
    )
    add_store_option(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print the rows."""
    from penstock.cards import NoRowsError, first_rows, page_entry
    from penstock.cli.named_artifact import check_there, find_artifact, load_class, named

    columns = None
    if arguments.columns is not None:
        columns = [name.strip() for name in arguments.columns.split(",") if name.strip()]
        if not columns:
            raise UsageError("penstock head: --columns takes names separated by commas.")
    with open_store(arguments.store) as store:
        record = find_artifact(store, arguments.artifact)
        check_there(record)
        artifact = load_class(store, record)[0].artifact
    try:
        found = first_rows(artifact, arguments.rows, split=arguments.split, columns=columns)
    except NoRowsError:
        shows = page_entry(artifact).shows
        raise UsageError(
            f"penstock head: {named(artifact)} has no rows. "
            f"`penstock open {arguments.artifact}` shows {shows}."
        ) from None
    except KeyError as error:
        raise NotFound(f"penstock head: {error.args[0]}") from None
    except ValueError as error:
        raise CommandError(str(error), exit_codes.ENVIRONMENT) from None
    if arguments.json:
        print_json([each.to_json() for each in found])
    else:
        if not found:
            print(f"{named(artifact)} has no splits and no vocabularies", file=sys.stderr)
        _print(Console(), found)
    return exit_codes.OK


def _print(console: Console, found: list[FirstRows]) -> None:
    from penstock.cards.row_preview import cell_text, is_numeric

    for i, each in enumerate(found):
        if i:
            console.print()
        total = "" if each.total is None else f" of {each.total:,}"
        what = f"{each.name}: " if each.name else ""
        rows_word = "row" if (each.total or len(each.rows)) == 1 else "rows"
        console.print(console.style(f"{what}{len(each.rows)}{total} {rows_word}", "name"))
        if not each.rows:
            continue
        rows: list[tuple[Cell, ...]] = [
            tuple(cell_text(value, _WIDTH) for value in row) for row in each.rows
        ]
        numeric = [
            name
            for place, name in enumerate(each.columns)
            if is_numeric([row[place] for row in each.rows])
        ]
        console.table(each.columns, rows, right=numeric)
