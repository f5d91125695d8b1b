"""Artifacts that a run does not make: those of earlier runs, and those from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from penstock.artifacts import Artifact, location
from penstock.artifacts.fingerprint import fingerprint
from penstock.dsl.resolver import LatestArtifacts, LatestBlessedModel
from penstock.dsl.values import decode
from penstock.graph import GraphNode, OutputDeclaration
from penstock.launch.attempt import stamp
from penstock.store import MetadataStore

Outputs = Mapping[str, Sequence[Artifact]]


def resolve_artifacts(store: MetadataStore, node: GraphNode, pipeline: str) -> Outputs:
    """Return what a resolver finds in the store; keys for which there is nothing are left out."""
    strategy = decode(dict(node.parameters))["strategy"]
    found: dict[str, Sequence[Artifact]] = {}
    if isinstance(strategy, LatestBlessedModel):
        pair = store.latest_blessed_model(pipeline=pipeline)
        by_type = {} if pair is None else {each.TYPE_NAME: each for each in pair}
        for key, declaration in node.outputs.items():
            if declaration.type_name in by_type:
                found[key] = [by_type[declaration.type_name]]
    else:
        assert isinstance(strategy, LatestArtifacts)
        for key, declaration in node.outputs.items():
            found[key] = store.latest_artifacts(
                declaration.type_name, pipeline=pipeline, count=strategy.count
            )
    return as_declared(node, {key: each for key, each in found.items() if each})


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
