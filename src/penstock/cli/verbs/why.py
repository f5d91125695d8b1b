"""`penstock why`: why a node ran, or why it was cached."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.console import Console, print_json
from penstock.cli.store_option import add_store_option, open_store
from penstock.cli.threshold_table import verdict_of

if TYPE_CHECKING:
    from penstock.store import MetadataStore

_MOST_REASONS = 10


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "why",
        "Say why a node ran or was cached: what differs from the nearest earlier execution of it.\n"
        "The cache key covers code, library versions, parameters, inputs, data files and seed;\n"
        "paths, times, the pipeline's name and worker counts do not count.\n"
        "Of an Evaluator it says why the model was blessed or not, of a Pusher why it did not push.",
        [
            "penstock why latest Trainer",
            "penstock why latest Evaluator",
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
        verdict = _verdict(store, record.run_id, arguments.node)
    if arguments.json:
        said: dict[str, Any] = {} if refusal is None else {"not_pushed_because": refusal}
        said |= {} if verdict is None else {"verdict": verdict}
        print_json({"run_id": record.run_id, **found.to_json(), **said})
        return exit_codes.OK
    console = Console()
    state = console.style(found.state.lower(), found.state)
    console.print(f"{console.style(found.node_id, 'name')} {state}: {found.headline}")
    for reason in found.shortened():
        console.print(f"  - {reason}")
    if verdict:
        blessed = bool(verdict["blessed"])
        word = "blessed" if blessed else "not blessed"
        console.print(f"{console.style(word, 'good' if blessed else 'bad')}, because")
        for reason in verdict["reasons"][:_MOST_REASONS]:
            console.print(f"  - {reason}")
        more = int(verdict["num_failed"]) - _MOST_REASONS
        if more > 0:
            console.print(f"  - and {more:,} more: penstock open {arguments.run} {arguments.node}")
    if refusal:
        what, *reasons = refusal
        console.print(console.style(f"not pushed: {what[0].lower()}{what[1:]}", "warning"))
        for reason in reasons:
            console.print(f"  - {reason}")
    return exit_codes.OK


def _verdict(store: MetadataStore, run_id: str, node: str) -> Mapping[str, Any] | None:
    """Return the verdict of an Evaluator's thresholds as data, also of one that a gate rejected."""
    outputs = {**store.rejected_outputs(run_id), **store.run_outputs(run_id)}.get(node, {})
    found = verdict_of(each for artifacts in outputs.values() for each in artifacts)
    return None if found is None else found[0]


def _refusal(store: MetadataStore, run_id: str, node: str) -> list[str] | None:
    """Return why a Pusher did not push, and each thing that a validator said; None if it pushed."""
    for artifacts in store.run_outputs(run_id).get(node, {}).values():
        for artifact in artifacts:
            because = artifact.custom_properties.get("not_pushed_because")
            if because:
                reasons = [str(each) for each in artifact.custom_properties.get("reasons") or []]
                return [str(because).partition(": ")[0] if reasons else str(because), *reasons]
    return None
