"""`penstock why`: why a node ran, or why it was cached."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.console import Console, print_json
from penstock.cli.store_option import add_store_option, open_store

if TYPE_CHECKING:
    from penstock.store import MetadataStore


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "why",
        "Say why a node ran or was cached: what differs from the nearest earlier execution of it.\n"
        "The cache key covers code, library versions, parameters, inputs, data files and seed;\n"
        "paths, times, the pipeline's name and worker counts do not count.\n"
        "Of a Pusher that did not push it says why not.",
        [
            "penstock why latest Trainer",
            "penstock why latest Pusher",
            "penstock why 20261121-0930 Transform --json",
        ],
    )
    parser.add_argument("run", metavar="RUN", help="a run's id, the start of one, or `latest`")
    parser.add_argument("node", metavar="NODE", help="a node of the pipeline")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_store_option(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation."""
    from penstock.cli.run_report import check_node, find_run, graph_of
    from penstock.launch.explanation import explain

    with open_store(arguments.store) as store:
        record = find_run(store, arguments.run)
        graph = graph_of(record)
        check_node(graph, arguments.node)
        found = explain(store, record, graph, arguments.node)
        refusal = _refusal(store, record.run_id, arguments.node)
    if arguments.json:
        said = {} if refusal is None else {"not_pushed_because": refusal}
        print_json({"run_id": record.run_id, **found.to_json(), **said})
        return exit_codes.OK
    console = Console()
    state = console.style(found.state.lower(), found.state)
    console.print(f"{console.style(found.node_id, 'name')} {state}: {found.headline}")
    for reason in found.shortened():
        console.print(f"  - {reason}")
    if refusal:
        what, *reasons = refusal
        console.print(console.style(f"not pushed: {what[0].lower()}{what[1:]}", "warning"))
        for reason in reasons:
            console.print(f"  - {reason}")
    return exit_codes.OK


def _refusal(store: MetadataStore, run_id: str, node: str) -> list[str] | None:
    """Return why a Pusher did not push, and each thing that a validator said; None if it pushed."""
    for artifacts in store.run_outputs(run_id).get(node, {}).values():
        for artifact in artifacts:
            because = artifact.custom_properties.get("not_pushed_because")
            if because:
                reasons = [str(each) for each in artifact.custom_properties.get("reasons") or []]
                return [str(because).partition(": ")[0] if reasons else str(because), *reasons]
    return None
