"""What is known of one version: from its manifest, or else from the store."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from penstock.pushing.leases import is_held
from penstock.pushing.manifest import Manifest, read_manifest
from penstock.registry.records import ModelVersion
from penstock.serving.saved_model import ModelError
from penstock.store import ArtifactRecord, MetadataStore
from penstock.store.exceptions import RecordNotFound


def id_of(record: ArtifactRecord) -> int:
    """Return the id of a record's artifact."""
    return record.artifact.id or 0


def describe_version(
    version: int,
    folder: str,
    aliases: Mapping[str, int],
    store: MetadataStore | None,
    record: ArtifactRecord | None,
    destination: str,
) -> ModelVersion:
    """Return what is known of a version in a destination.

    Args:
        version: The version.
        folder: Its folder or URL.
        aliases: The aliases of the destination.
        store: The store that may know it.
        record: What the store has of it.
        destination: The folder or URL of all versions.
    """
    manifest: Manifest | None = None
    note = ""
    try:
        manifest = read_manifest(folder)
    except ModelError as error:
        note = str(error)
    lineage: dict[str, Any] = dict(manifest.lineage) if manifest is not None else {}
    if not lineage and store is not None and record is not None:
        lineage = _from_store(store, record)
    if note:
        lineage["damaged"] = note
    form = manifest.form if manifest is not None else ""
    if not form and record is not None:
        form = str(record.artifact.custom_properties.get("pushed_form") or "")
    return ModelVersion(
        version,
        folder,
        tuple(name for name, named in aliases.items() if named == version),
        form,
        manifest.pushed if manifest is not None else str(lineage.get("pushed") or ""),
        manifest.num_bytes if manifest is not None else None,
        is_held(destination, version),
        lineage,
    )


def describe_elsewhere(store: MetadataStore, record: ArtifactRecord) -> ModelVersion:
    """Return what is known of a version that a function of the user's own pushed."""
    properties = record.artifact.custom_properties
    lineage = _from_store(store, record)
    return ModelVersion(
        int(properties["pushed_version"]),
        str(properties["pushed_destination"]),
        form=str(properties.get("pushed_form") or ""),
        pushed=lineage["pushed"],
        lineage=lineage,
    )


def _from_store(store: MetadataStore, record: ArtifactRecord) -> dict[str, Any]:
    """Return the lineage of what was pushed without a manifest, such as by TFX into our store."""
    found = store.lineage([id_of(record)])
    written = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
    facts: dict[str, Any] = {
        "pipeline": record.pipeline,
        "run": record.run_id,
        "pushed": f"{written:%Y-%m-%dT%H:%M:%SZ}",
    }
    if record.run_id:
        try:
            run = store.get_run(record.run_id)
        except RecordNotFound:
            pass
        else:
            facts["code_version"] = f"{run.commit}{'+' if run.dirty else ''}" if run.commit else ""
    for each in found.artifacts.values():
        judged = found.executions.get(each.execution_id or 0)
        if each.type_name == "ModelBlessing" and judged is not None:
            facts["blessed"] = bool(each.artifact.custom_properties.get("blessed"))
            facts["metrics"] = dict(judged.metrics)
        if each.type_name == "Model":
            facts["model"] = {
                "id": each.artifact.id,
                "uri": each.artifact.uri,
                "fingerprint": each.artifact.fingerprint,
            }
    facts["data"] = [
        {
            "node": each.node_id,
            "uri": each.artifact.uri,
            "fingerprint": each.artifact.fingerprint,
            **{
                name: each.artifact.custom_properties[name]
                for name in ("span", "version")
                if name in each.artifact.custom_properties
            },
        }
        for each in found.artifacts.values()
        if each.type_name == "Examples"
    ]
    return {name: value for name, value in facts.items() if value not in (None, "")}
