"""Artifacts that a run does not make: those of earlier runs, and those from outside."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

from penstock.artifacts import Artifact, Examples, location
from penstock.artifacts.fingerprint import fingerprint
from penstock.dsl.resolver import LatestArtifacts, LatestBlessedModel
from penstock.dsl.values import decode
from penstock.graph import GraphNode, OutputDeclaration
from penstock.launch.attempt import stamp
from penstock.store import ArtifactRecord, ExecutionState, MetadataStore

Outputs = Mapping[str, Sequence[Artifact]]


def resolve_artifacts(
    store: MetadataStore, node: GraphNode, pipeline: str, current: Sequence[Artifact] = ()
) -> Outputs:
    """Return what a resolver finds in the store; keys for which there is nothing are left out.

    Args:
        store: The metadata store.
        node: The resolver.
        pipeline: Name of the pipeline, where the strategy names no other.
        current: What it is to find something else than.
    """
    strategy = decode(dict(node.parameters))["strategy"]
    pipeline = strategy.pipeline or pipeline
    found: dict[str, Sequence[Artifact]] = {}
    if isinstance(strategy, LatestBlessedModel):
        same = [each.id for each in current if each.id is not None]
        prints = [each.fingerprint for each in current if each.fingerprint]
        pair = store.latest_blessed_model(pipeline=pipeline, without=same, fingerprints=prints)
        by_type = {} if pair is None else {each.TYPE_NAME: each for each in pair}
        for key, declaration in node.outputs.items():
            if declaration.type_name in by_type:
                found[key] = [by_type[declaration.type_name]]
    else:
        assert isinstance(strategy, LatestArtifacts)
        for key, declaration in node.outputs.items():
            candidates = _Candidates(store, pipeline, declaration.type_name)
            found[key] = candidates.choose(strategy, current)
    return as_declared(node, {key: each for key, each in found.items() if each})


class _Candidates:
    """Artifacts of a type that a resolver may choose, the newest first."""

    def __init__(self, store: MetadataStore, pipeline: str, type_name: str) -> None:
        self._store = store
        self._pipeline = pipeline
        self._type_name = type_name

    def choose(self, strategy: LatestArtifacts, current: Sequence[Artifact]) -> list[Artifact]:
        """Return what the strategy asks for."""
        spans = [span for span in map(_span, current) if span]
        fitting = (
            record.artifact
            for record in self._good(strategy)
            if not any(self._is_same(record, each) for each in current)
            and (not spans or _span(record.artifact) < min(spans))
        )
        if spans:
            # Spans may be ingested in any order; of one span the newest artifact comes first.
            return sorted(fitting, key=_span, reverse=True)[: strategy.count]
        return list(itertools.islice(fitting, strategy.count))

    def _good(self, strategy: LatestArtifacts) -> Iterator[ArtifactRecord]:
        """Yield what no failed node wrote and, unless it is asked for, no gate rejected."""
        seen, size = 0, max(10, 2 * strategy.count)
        while True:
            records = self._store.find_artifacts(
                type_name=self._type_name, pipeline=self._pipeline, limit=size
            )
            page = records[seen:]
            ids = [record.artifact.id or 0 for record in page]
            writers = self._store.get_executions(
                [record.execution_id for record in page if record.execution_id is not None]
            )
            bad = {each.id for each in writers if each.state is ExecutionState.FAILED}
            rejected = (
                set()
                if strategy.include_rejected
                else {each.artifact_id for each in self._store.rejections(ids)}
            )
            yield from (
                record
                for record in page
                if record.execution_id not in bad and record.artifact.id not in rejected
            )
            if len(records) < size:
                return
            seen, size = len(records), 4 * size

    def _is_same(self, record: ArtifactRecord, current: Artifact) -> bool:
        """Return whether it is the current artifact, equals it, or was made of the same Examples."""
        other = record.artifact
        if other.id == current.id or (
            other.fingerprint and other.fingerprint == current.fingerprint
        ):
            return True
        if current.id is None or record.execution_id is None:
            return False
        writer = self._store.get_artifact(current.id)
        if writer.execution_id is None or writer.node_id != record.node_id:
            return False
        data = self._data_of(writer.execution_id)
        return bool(data) and data == self._data_of(record.execution_id)

    def _data_of(self, execution_id: int) -> list[str]:
        """Return the fingerprints of the Examples that an execution read."""
        inputs = self._store.inputs_of(execution_id)
        return sorted(
            each.fingerprint
            for of in inputs.values()
            for each in of
            if each.TYPE_NAME == Examples.TYPE_NAME and each.fingerprint
        )


def _span(artifact: Artifact) -> int:
    """Return the span of an artifact; 0 where the data has none."""
    span = artifact.properties.get("span") or artifact.custom_properties.get("span") or 0
    return int(span)


def import_artifact(node: GraphNode, absolute: Callable[[str], str]) -> tuple[str, Artifact]:
    """Return the key and the artifact of an importer, fingerprinted, not yet published.

    Args:
        node: The importer.
        absolute: Makes a path absolute.

    Raises:
        FileNotFoundError: If there is nothing at its URI.
    """
    parameters = decode(dict(node.parameters))
    ((key, declaration),) = node.outputs.items()
    uri = absolute(parameters["source_uri"])
    if not location.exists(uri):
        raise FileNotFoundError(
            f"{node.id}: there is nothing at {parameters['source_uri']!r} (looked at {uri})"
        )
    artifact = declaration.make(uri)
    artifact.properties.update(parameters["properties"])
    artifact.custom_properties.update(parameters["custom_properties"])
    stamp(artifact)
    artifact.fingerprint, _ = fingerprint(uri)
    return key, artifact


def published_before(store: MetadataStore, artifact: Artifact) -> Artifact | None:
    """Return the artifact of the store that an imported one equals, if there is one."""
    for record in store.find_artifacts(type_name=artifact.TYPE_NAME, uri=artifact.uri):
        known = record.artifact
        if (
            known.fingerprint == artifact.fingerprint
            and known.properties == artifact.properties
            and known.custom_properties == artifact.custom_properties
        ):
            return known
    return None


def as_declared(node: GraphNode, outputs: Outputs) -> dict[str, Sequence[Artifact]]:
    """Return artifacts that were read from the store as those of the declared classes."""
    return {
        key: [_as_declared(node.outputs[key], artifact) for artifact in artifacts]
        for key, artifacts in outputs.items()
        if key in node.outputs
    }


def _as_declared(declaration: OutputDeclaration, artifact: Artifact) -> Artifact:
    made = declaration.make(artifact.uri)
    if type(made) is type(artifact):
        return artifact
    return type(made).from_json(artifact.to_json())
