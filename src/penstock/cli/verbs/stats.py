"""`penstock stats`: statistics of data, as a table, a page or JSON."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.console import Cell, Console, print_json
from penstock.cli.data_files import load_schema, statistics_of
from penstock.cli.errors import CommandError

if TYPE_CHECKING:
    from penstock.cards.feature_summary import FeatureSummary

_MUCH_MISSING = 0.2


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "stats",
        "Show statistics of data: CSV, Parquet, TFRecords of tf.Examples, the folder of an artifact, or\n"
        "stored statistics (.pb, .pbtxt). With -o, write them as a page that needs no network.",
        [
            "penstock stats taxi.csv",
            "penstock stats taxi.csv -o taxi.html",
            "penstock stats monday.parquet --against sunday.parquet -o changes.html",
            "penstock stats .penstock/taxi/StatisticsGen/statistics/7 --split eval",
        ],
    )
    parser.add_argument("file", metavar="FILE", help="data, statistics, or an artifact's folder")
    parser.add_argument("--against", metavar="FILE", help="data to compare it with")
    parser.add_argument(
        "--schema", metavar="FILE", help="schema: which features are categorical, images, ..."
    )
    parser.add_argument("--split", metavar="NAME", help="the split of an artifact's folder")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write a page (.html) or the statistics (.pb, .pbtxt)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Compute, and show."""
    from penstock.cards.feature_summary import summarize_dataset
    from penstock.data_validation.schema_inference import default_dataset

    schema = load_schema(arguments.schema) if arguments.schema else None
    statistics = statistics_of(arguments.file, schema, arguments.split)
    others = []
    if arguments.against:
        others.append(statistics_of(arguments.against, schema, arguments.split))
    if arguments.output:
        _write(arguments, statistics, others)
    datasets = [default_dataset(each) for each in (statistics, *others)]
    summaries = [summarize_dataset(dataset) for dataset in datasets]
    if arguments.json:
        names = [arguments.file, arguments.against]
        print_json(
            [
                {
                    "file": name,
                    "rows": int(dataset.num_examples),
                    "features": [_to_json(each) for each in summary.values()],
                }
                for name, dataset, summary in zip(names, datasets, summaries, strict=False)
            ]
        )
    elif not arguments.output:
        _print(Console(), summaries, [int(dataset.num_examples) for dataset in datasets])
    return exit_codes.OK


def _write(arguments: argparse.Namespace, statistics: Any, others: list[Any]) -> None:
    from penstock.cards import visualize_statistics
    from penstock.data_validation import write_stats_binary, write_stats_text

    path = arguments.output
    if path.endswith((".html", ".htm")):
        other = others[0] if others else None
        page = visualize_statistics(statistics, other, arguments.file, arguments.against or "")
        page.write(path)
    elif others:
        raise CommandError(
            f"-o {path}: a comparison is written as a page. Give a name that ends in .html."
        )
    elif path.endswith(".pbtxt"):
        write_stats_text(statistics, path)
    elif path.endswith(".pb"):
        write_stats_binary(statistics, path)
    else:
        raise CommandError(f"-o {path}: expected a name that ends in .html, .pb or .pbtxt.")
    print(f"wrote {path}", file=sys.stderr)


def _to_json(summary: FeatureSummary) -> dict[str, Any]:
    return {
        "name": summary.name,
        "type": summary.type,
        "missing": summary.missing,
        **summary.numbers,
        "top_values": [{"value": value, "count": count} for value, count in summary.values[:20]],
    }


def _print(console: Console, summaries: list[dict[str, FeatureSummary]], rows: list[int]) -> None:
    from penstock.cards.charts import number
    from penstock.cards.feature_summary import distance

    compared = len(summaries) > 1
    console.print(" against ".join(f"{count:,} rows" for count in rows))
    console.print()
    titles = ["FEATURE", "TYPE", "MISSING", "DISTINCT", "MEAN", "MIN", "MEDIAN", "MAX"]
    titles += ["DIFFERS BY"] if compared else ["MOST FREQUENT"]
    table: list[list[Cell]] = []
    for name in dict.fromkeys(name for summary in summaries for name in summary):
        sides = [summary.get(name) for summary in summaries]
        first = next(side for side in sides if side is not None)
        numbers = [
            number(first.numbers[key]) if key in first.numbers else ""
            for key in ("unique", "mean", "min", "median", "max")
        ]
        missing: Cell = f"{first.missing:.1%}"
        if first.missing > _MUCH_MISSING:
            missing = (f"{first.missing:.1%}", "warning")
        if compared:
            both = [side for side in sides if side is not None]
            apart = distance(*both) if len(both) == 2 else None
            last = "only on one side" if len(both) < 2 else "" if apart is None else f"{apart:.3f}"
        else:
            last = ", ".join(value for value, _ in first.values[:3])[:40]
        table.append([(name, "name"), first.type.lower(), missing, *numbers, last])
    console.table(titles, table, right=titles[2:8])
