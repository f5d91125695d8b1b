"""`penstock artifacts`: list artifacts, name them, and follow what they were made from."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, positive_integer
from penstock.cli.console import Console, print_json
from penstock.cli.errors import UsageError
from penstock.cli.quantities import moment
from penstock.cli.store_option import add_store_option, open_store

if TYPE_CHECKING:
    from penstock.store import ArtifactRecord, MetadataStore


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "artifacts",
        "List artifacts, the newest first, or show one with its lineage.",
        [
            "penstock artifacts --type Model",
            "penstock artifacts --run latest --json",
            "penstock artifacts 17                     # one, with its lineage",
            "penstock artifacts 17 --alias production  # give it an alias; gc keeps artifacts with one",
        ],
    )
    parser.add_argument(
        "artifact",
        metavar="ID|ALIAS",
        nargs="?",
        help="the artifact to show (default: list artifacts)",
    )
    parser.add_argument("--type", metavar="NAME", help="only artifacts of this type, such as Model")
    parser.add_argument("--pipeline", metavar="NAME", help="only artifacts of this pipeline")
    parser.add_argument("--run", metavar="RUN", help="only artifacts of this run")
    parser.add_argument(
        "--node", metavar="NODE", help="only artifacts of this node (with --pipeline or --run)"
    )
    parser.add_argument("--uri", metavar="URI", help="only artifacts at this URI")
    parser.add_argument("--deleted", action="store_true", help="include artifacts that gc removed")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=positive_integer,
        default=50,
        help="show at most this many (default: 50)",
    )
    parser.add_argument("--alias", metavar="NAME", help="give the artifact this alias")
    parser.add_argument("--remove-alias", metavar="NAME", help="remove this alias")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_store_option(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """List, show or name."""
    writes = bool(arguments.alias or arguments.remove_alias)
    with open_store(arguments.store, write=writes) as store:
        if arguments.remove_alias:
            store.artifact_by_alias(arguments.remove_alias)
            store.remove_alias(arguments.remove_alias)
            print(f"removed the alias {arguments.remove_alias}")
        elif arguments.artifact is not None:
            _one(store, arguments)
        elif arguments.alias:
            raise UsageError(
                "penstock artifacts: --alias needs an artifact, given by its id or alias."
            )
        else:
            _list(store, arguments)
    return exit_codes.OK


def _list(store: MetadataStore, arguments: argparse.Namespace) -> None:
    from penstock.artifacts import ArtifactState
    from penstock.cli.run_report import check_node, find_run, graph_of

    run_id, pipeline = None, arguments.pipeline
    if arguments.run:
        run = find_run(store, arguments.run)
        run_id, pipeline = run.run_id, pipeline or run.pipeline
        if arguments.node:
            check_node(graph_of(run), arguments.node)
    if arguments.node and pipeline is None:
        raise UsageError("penstock artifacts: --node needs --pipeline or --run.")
    records = store.find_artifacts(
        type_name=arguments.type,
        pipeline=pipeline,
        run_id=run_id,
        node_id=arguments.node,
        uri=arguments.uri,
        states=() if arguments.deleted else (ArtifactState.LIVE,),
        limit=arguments.limit,
    )
    aliases = _aliases(store)
    if arguments.json:
        print_json([_to_json(each, aliases) for each in records])
        return
    console = Console()
    if not records:
        console.print("no such artifacts")
        return
    console.table(
        ("ID", "TYPE", "FROM", "RUN", "CREATED", "URI"),
        [
            (
                str(each.artifact.id),
                each.type_name,
                f"{each.node_id or '-'}.{each.key or '-'}",
                each.run_id or "-",
                moment(each.created),
                _uri(each, aliases),
            )
            for each in records
        ],
        right=("ID",),
    )


def _one(store: MetadataStore, arguments: argparse.Namespace) -> None:
    from penstock.cli.named_artifact import find_artifact

    record = find_artifact(store, arguments.artifact)
    number = record.artifact.id
    assert number is not None
    if arguments.alias:
        if arguments.alias.isdecimal():
            raise UsageError(
                f"penstock artifacts: an alias is a name, not a number. Received: {arguments.alias!r}"
            )
        store.set_alias(arguments.alias, number)
    aliases = _aliases(store)
    lineage = store.lineage([number])
    ancestors = [each for id, each in sorted(lineage.artifacts.items()) if id != number]
    if arguments.json:
        print_json(
            {**_to_json(record, aliases), "made_from": [_to_json(e, aliases) for e in ancestors]}
        )
        return
    console = Console()
    artifact = record.artifact
    lines: dict[str, Any] = {
        "artifact": f"{artifact.id} ({record.type_name}, {artifact.state.name.lower()})",
        "alias": ", ".join(aliases.get(number, [])),
        "uri": artifact.uri,
        "fingerprint": artifact.fingerprint,
        "written by": f"{record.node_id}.{record.key}, execution {record.execution_id}"
        if record.node_id
        else "",
        "run": record.run_id,
        "created": moment(record.created),
    }
    for name, value in lines.items():
        if value:
            console.print(f"{console.style(f'{name:<12}', 'dim')}{value}")
    for name, value in {**artifact.properties, **artifact.custom_properties}.items():
        console.print(f"{console.style('property', 'dim')}    {name} = {value}")
    if ancestors:
        console.print()
        console.table(
            ("MADE FROM", "TYPE", "NODE", "URI"),
            [
                (str(e.artifact.id), e.type_name, e.node_id or "-", e.artifact.uri)
                for e in ancestors
            ],
            right=("MADE FROM",),
        )


def _aliases(store: MetadataStore) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for alias, number in store.aliases().items():
        found.setdefault(number, []).append(alias)
    return found


def _uri(record: ArtifactRecord, aliases: dict[int, list[str]]) -> str:
    from penstock.artifacts import ArtifactState

    notes = list(aliases.get(record.artifact.id or 0, []))
    if record.artifact.state is ArtifactState.DELETED:
        notes.append("deleted")
    return f"{record.artifact.uri} [{', '.join(notes)}]" if notes else record.artifact.uri


def _to_json(record: ArtifactRecord, aliases: dict[int, list[str]]) -> dict[str, Any]:
    return {
        **record.artifact.to_json(),
        "type": record.type_name,
        "state": record.artifact.state.name,
        "created": record.created,
        "execution_id": record.execution_id,
        "pipeline": record.pipeline,
        "run_id": record.run_id,
        "node_id": record.node_id,
        "key": record.key,
        "aliases": aliases.get(record.artifact.id or 0, []),
    }
