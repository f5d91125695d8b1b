"""`penstock compare`: runs side by side."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.console import Cell, Console, print_json
from penstock.cli.errors import UsageError
from penstock.cli.quantities import duration
from penstock.cli.store_option import add_store_option, open_store

if TYPE_CHECKING:
    from penstock.history import ComparedRow, RunComparison

_TITLES = {
    "run": "RUN",
    "parameters": "PARAMETER",
    "inputs": "OUTSIDE INPUT",
    "metrics": "METRIC",
    "slices": "SLICE: METRIC",
    "verdicts": "VERDICT",
    "seconds": "TIME OF NODE",
}
_SHOWN = 25


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "compare",
        "Compare runs with the first one: parameters, code, data, metrics by slice, verdicts,\n"
        "times. Only what differs is shown.",
        [
            "penstock compare 20261121-0930 latest",
            "penstock compare latest 20261120 20261119 --all",
            "penstock compare 20261121-0930 latest -o comparison.html",
        ],
    )
    parser.add_argument(
        "runs",
        metavar="RUN",
        nargs="+",
        help="two or more runs: an id, the start of one, or `latest`",
    )
    parser.add_argument("--all", action="store_true", help="also show what is equal")
    parser.add_argument("-o", "--output", metavar="PAGE", help="also write an HTML page")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_store_option(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Compare, and print what differs."""
    from penstock.cli.run_report import find_run
    from penstock.history import compare_runs

    if len(arguments.runs) < 2:
        raise UsageError("penstock compare: give two or more runs.")
    with open_store(arguments.store) as store:
        ids = [find_run(store, name).run_id for name in arguments.runs]
        twice = sorted({each for each in ids if ids.count(each) > 1})
        if twice:
            raise UsageError(f"penstock compare: run {twice[0]} is given twice.")
        comparison = compare_runs(store, ids)
    if arguments.output:
        from penstock.cards import comparison_page

        comparison_page(comparison.to_json()).write(arguments.output)
    if arguments.json:
        print_json(comparison.to_json())
    else:
        _print(comparison, Console(), all_rows=arguments.all)
    return exit_codes.OK


def _print(comparison: RunComparison, console: Console, *, all_rows: bool) -> None:
    ids = [each.run_id for each in comparison.runs]
    rows = comparison.rows if all_rows else comparison.differing()
    for section, title in _TITLES.items():
        of = [row for row in rows if row.section == section]
        if not of:
            continue
        if section == "slices":
            of.sort(key=_change, reverse=True)
        console.table(
            (title, *ids),
            [((row.name, "name"), *_cells(row)) for row in of[:_SHOWN]],
            right=ids if section in ("metrics", "slices", "seconds") else (),
        )
        if len(of) > _SHOWN:
            console.print(f"... and {len(of) - _SHOWN} more (--json has them all)")
        console.print()
    for (run_id, node), sentences in comparison.changes.items():
        console.print(f"{console.style(node, 'name')} in {run_id}, against {ids[0]}:")
        for sentence in sentences:
            console.print(f"  - {sentence}")
    if not rows and not comparison.changes:
        console.print("nothing differs")


def _cells(row: ComparedRow) -> list[Cell]:
    is_time = row.section == "seconds" or (row.section, row.name) == ("run", "seconds")
    texts = [duration(value) if is_time else _text(value) for value in row.values]
    first = texts[0]
    return [first, *((text, "warning") if text != first else text for text in texts[1:])]


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def _change(row: ComparedRow) -> float:
    numbers: Sequence[float] = [each for each in row.values if isinstance(each, float)]
    return max(numbers) - min(numbers) if numbers else 0.0
