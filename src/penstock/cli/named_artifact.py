"""An artifact as it is named on the command line, and what the store knows of it."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from penstock.artifacts import Artifact, ArtifactState, location, type_for_name
from penstock.cli.errors import NotFound
from penstock.spelling import nearest
from penstock.store import ArtifactRecord, MetadataStore, RecordNotFound, RunRecord

if TYPE_CHECKING:
    from penstock.cards import ArtifactFacts, RelatedArtifact
    from penstock.store import Lineage

_LISTED_RUNS = 500
_MAIN = ("ModelEvaluation", "Model", "TransformGraph", "TunerResults")
"""What is shown of a node that wrote several artifacts, if its name does not say which."""


def find_artifact(store: MetadataStore, name: str) -> ArtifactRecord:
    """Return an artifact by its id or alias.

    Raises:
        NotFound: If there is none, with the nearest name.
    """
    if name.isdecimal():
        try:
            return store.get_artifact(int(name))
        except (RecordNotFound, OverflowError):
            newest = store.find_artifacts(states=(), limit=1)
            last = f" The newest is {newest[0].artifact.id}." if newest else ""
            raise NotFound(
                f"There is no artifact {name} in the store {store.location}.{last} "
                "`penstock artifacts` lists them."
            ) from None
    aliases = store.aliases()
    if name in aliases:
        return store.get_artifact(aliases[name])
    near = nearest(name, aliases)
    runs = [run.run_id for run in store.list_runs(limit=_LISTED_RUNS)]
    if name == "latest" or any(run.startswith(name) for run in runs):
        near = f" It names a run; `penstock show {name}` lists its artifacts."
    raise NotFound(
        f"There is no artifact with the alias {name!r} in the store {store.location}.{near} "
        "`penstock artifacts` lists artifacts with their ids."
    )


def find_artifact_or_run(store: MetadataStore, name: str) -> ArtifactRecord | RunRecord:
    """Return an artifact by its id or alias, or a run by its id, its beginning, or `latest`.

    A number is an artifact's id, unless only runs begin with it.

    Raises:
        NotFound: If there is neither, with the nearest name.
    """
    from penstock.cli.run_report import find_run

    if name in store.aliases():
        return find_artifact(store, name)
    if name == "latest":
        return find_run(store, name)
    runs = [run.run_id for run in store.list_runs(limit=_LISTED_RUNS)]
    if name.isdecimal():
        try:
            return find_artifact(store, name)
        except NotFound:
            if not any(run.startswith(name) for run in runs):
                raise
    try:
        return store.get_run(name)
    except RecordNotFound as error:
        if any(run.startswith(name) for run in runs):
            raise
        near = nearest(name, [*store.aliases(), *runs, "latest"])
        raise NotFound(
            f"There is no artifact, alias or run {name!r} in the store {store.location}.{near} "
            "`penstock artifacts` and `penstock runs` list them."
        ) from error


def find_output(store: MetadataStore, run: str, name: str) -> ArtifactRecord:
    """Return what a node of a run wrote.

    Args:
        store: The store.
        run: The run, as `find_run` takes it.
        name: The node, whose main output it is, or `NODE.OUTPUT`.

    Raises:
        NotFound: If the run has no such node, or the node no such output.
    """
    from penstock.cli.run_report import check_node, find_run, graph_of, report_run

    record = find_run(store, run)
    graph = graph_of(record)
    node_id, key = name, ""
    if "." in name and name not in {node.id for node in graph.nodes}:
        node_id, _, key = name.rpartition(".")
    check_node(graph, node_id)
    (node,) = (each for each in report_run(store, record).nodes if each.id == node_id)
    outputs = {output: found for output, found in node.outputs.items() if found}
    if not outputs:
        raise NotFound(
            f"node {node_id} of run {record.run_id} wrote nothing: it is {node.state.lower()}"
        )
    if not key:
        main = {outputs[each][0].TYPE_NAME: each for each in sorted(outputs, reverse=True)}
        key = next((main[each] for each in _MAIN if each in main), min(outputs))
    if key not in outputs:
        near = nearest(key, outputs) or f" It has {', '.join(outputs)}."
        raise NotFound(f"node {node_id} has no output {key!r}.{near}")
    number = outputs[key][0].id
    assert number is not None
    return store.get_artifact(number)


def check_there(record: ArtifactRecord) -> None:
    """Raise if the artifact's files are gone.

    Raises:
        NotFound: Saying whether they were removed by `gc` or are missing.
    """
    artifact = record.artifact
    what = f"{record.type_name} {artifact.id}"
    more = f"`penstock artifacts {artifact.id}` shows what it was made from."
    if artifact.state is ArtifactState.DELETED:
        raise NotFound(f"{what} was deleted, for example by `penstock gc`: {artifact.uri}. {more}")
    if not location.exists(artifact.uri):
        raise NotFound(f"the files of {what} are missing: {artifact.uri}. {more}")


def load_class(store: MetadataStore, record: ArtifactRecord) -> tuple[ArtifactRecord, list[str]]:
    """Import the class of an artifact whose type is the user's own.

    Returns:
        The artifact, of its class if that can be imported; and sentences about what went wrong.
    """
    if type_for_name(record.type_name) is not None or record.run_id is None:
        return record, []
    from penstock.cli.run_report import graph_of
    from penstock.dsl.references import import_from, resolve

    run = store.get_run(record.run_id)
    nodes = [node for node in graph_of(run).nodes if node.id == record.node_id]
    declared = nodes[0].outputs.get(record.key or "") if nodes else None
    if declared is None:
        return record, []
    try:
        if run.project:
            import_from(run.project)
        with contextlib.redirect_stdout(sys.stderr):  # the user's module may print
            resolve(declared.artifact_class)
    except Exception as error:  # the user's module may raise anything
        sentence = f"Its class {declared.artifact_class} cannot be imported: {error}"
        return record, [f"{sentence}. The page shows its files."]
    number = record.artifact.id
    assert number is not None
    return store.get_artifact(number), []


def facts_of(store: MetadataStore, record: ArtifactRecord, notes: list[str]) -> ArtifactFacts:
    """Return the store's facts about an artifact, for its page."""
    from penstock.cards import ArtifactFacts

    number = record.artifact.id
    assert number is not None
    up = store.lineage([number], max_hops=1)
    down = store.lineage([number], "downstream", max_hops=1)
    return ArtifactFacts(
        created=record.created,
        pipeline=record.pipeline,
        run_id=record.run_id,
        node_id=record.node_id,
        key=record.key,
        execution_id=record.execution_id,
        aliases=[alias for alias, of in store.aliases().items() if of == number],
        made_from=_others(up, number),
        used_for=_others(down, number),
        notes=notes,
    )


def _others(lineage: Lineage, number: int) -> list[RelatedArtifact]:
    from penstock.cards import RelatedArtifact

    return [
        RelatedArtifact(id, each.type_name, each.node_id or "", each.artifact.uri)
        for id, each in sorted(lineage.artifacts.items())
        if id != number
    ]


def named(artifact: Artifact) -> str:
    """Return the type and id of an artifact, for messages."""
    return f"{artifact.TYPE_NAME} {artifact.id}"
