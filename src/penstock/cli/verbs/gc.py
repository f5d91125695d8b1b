"""`penstock gc`: remove artifacts that nothing needs."""

from __future__ import annotations

import argparse
import collections
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, positive_integer
from penstock.cli.console import Console, print_json
from penstock.cli.quantities import moment, parse_duration, size
from penstock.cli.store_option import add_store_option, open_store

if TYPE_CHECKING:
    from penstock.upkeep import Collected

_SHOWN = 40


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "gc",
        "Remove artifacts that nothing needs, and what failed attempts left. Without --yes only\n"
        "list them. Kept are the outputs of each node's newest executions, what was used recently, what\n"
        "has an alias, pushed and blessed models, what running runs use, and everything that these\n"
        "were made from. What is removed is marked DELETED in the store; records and logs stay.",
        [
            "penstock gc                                   # lists what would go",
            "penstock gc --keep 5 --older-than 30d --yes   # does it",
            "penstock gc --models 3 --pipeline penguin",
        ],
    )
    parser.add_argument(
        "--keep",
        metavar="N",
        type=positive_integer,
        default=3,
        help="keep the outputs of the newest N executions of each node (default: 3)",
    )
    parser.add_argument(
        "--older-than",
        metavar="TIME",
        type=_seconds,
        help="keep what was written or reused within this time, such as 30d, 12h, 2w",
    )
    parser.add_argument(
        "--models",
        metavar="N",
        type=positive_integer,
        help="keep the newest N pushed and blessed models of each pipeline (default: all)",
    )
    parser.add_argument("--pipeline", metavar="NAME", help="only artifacts of this pipeline")
    parser.add_argument(
        "--unknown",
        action="store_true",
        help="also remove folders in the pipeline roots that are unknown to this store",
    )
    parser.add_argument("--yes", action="store_true", help="do it")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_store_option(parser)
    return parser


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(arguments: argparse.Namespace) -> int:
    """Plan, print, and with --yes remove."""
    from penstock.upkeep import Rules, collect_garbage

    rules = Rules(arguments.keep, arguments.older_than, arguments.models, arguments.pipeline)
    with open_store(arguments.store, write=arguments.yes) as store:
        collected = collect_garbage(store, rules, remove=arguments.yes, unknown=arguments.unknown)
    if arguments.json:
        print_json(
            {
                "removed": arguments.yes,
                "bytes": collected.bytes,
                "artifacts": [
                    {**each.artifact.to_json(), "bytes": collected.sizes[each.artifact.id]}
                    for each in collected.artifacts
                ],
                "folders": [
                    {"path": each.path, "kind": each.kind, "bytes": each.size}
                    for each in collected.folders
                ],
                "unknown": [each.path for each in collected.unknown],
                "kept": {str(number): why for number, why in collected.plan.kept.items()},
            }
        )
        return exit_codes.OK
    _print(collected, arguments, Console())
    return exit_codes.OK


def _print(collected: Collected, arguments: argparse.Namespace, console: Console) -> None:
    gone, leftovers, unknown = collected.artifacts, collected.folders, collected.unknown
    if gone:
        console.table(
            ("ID", "TYPE", "FROM", "CREATED", "SIZE", "URI"),
            [
                (
                    str(record.artifact.id),
                    record.type_name,
                    f"{record.node_id}.{record.key}",
                    moment(record.created),
                    size(collected.sizes[record.artifact.id]),
                    record.artifact.uri,
                )
                for record in gone[:_SHOWN]
            ],
            right=("ID", "SIZE"),
        )
        if len(gone) > _SHOWN:
            console.print(f"... and {len(gone) - _SHOWN} more (--json lists them all)")
    for each in leftovers[:_SHOWN]:
        console.print(f"{each.kind}: {each.path} ({size(each.size)})")
    if len(leftovers) > _SHOWN:
        console.print(f"... and {len(leftovers) - _SHOWN} more folders")
    reasons = collections.Counter(collected.plan.kept.values())
    kept = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    console.print(f"kept: {len(collected.plan.kept)} artifacts ({kept or 'none'})")
    what = f"{len(gone)} artifacts and {len(leftovers)} folders, {size(collected.bytes)}"
    if arguments.yes:
        console.print(f"removed: {what}")
    elif gone or leftovers:
        console.print(f"would remove: {what}. Do it with --yes.")
    else:
        console.print("nothing to remove")
    if unknown and not arguments.unknown:
        amount = size(sum(each.size for each in unknown))
        console.print(
            f"{len(unknown)} folders ({amount}) are unknown to this store, such as "
            f"{unknown[0].path}; --unknown removes them"
        )
