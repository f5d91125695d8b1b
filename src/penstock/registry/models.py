"""Reading the registry: models and their versions, from destinations and the store."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from penstock.pushing.aliases import read_aliases
from penstock.pushing.leases import is_held
from penstock.pushing.manifest import Manifest, read_manifest
from penstock.registry.destinations import (
    by_name,
    destination_of,
    find_destination,
    from_environment,
    name_of,
    open_project_store,
    pushed_models,
)
from penstock.registry.records import ModelVersion, Refusal, RegisteredModel
from penstock.serving.saved_model import ModelError
from penstock.serving.versions import version_folders
from penstock.store import ArtifactRecord, MetadataStore
from penstock.store.exceptions import RecordNotFound


def list_models(*, store: str | None = None) -> list[RegisteredModel]:
    """Return every model that the project's pipelines pushed, or that lies below PENSTOCK_MODELS.

    Args:
        store: The metadata store; the project's by default.

    Example:
        >>> [(model.name, model.aliases) for model in list_models()]
        [('taxi', {'champion': 7})]
    """
    models = []
    opened = open_project_store(store)
    try:
        records = [] if opened is None else pushed_models(opened)
        places = {name: [place] for name, place in from_environment().items()}
        places = by_name(records) | places
        for name, destinations in sorted(places.items()):
            models += [_model(name, place, opened, records) for place in destinations]
    finally:
        if opened is not None:
            opened.close()
    return models


def read_model(name: str, *, store: str | None = None) -> RegisteredModel:
    """Return a model with its versions.

    Args:
        name: The model's name, or the path or URL of its versions.
        store: The metadata store; the project's by default.

    Raises:
        ModelNotFound: If there is none.
    """
    destination = find_destination(name, store=store)
    opened = open_project_store(store)
    if opened is None:
        return _model(_last_part(name), destination, None, [])
    with opened:
        records = pushed_models(opened)
        known = {destination_of(record): name_of(record) for record in reversed(records)}
        given = known.get(destination, _last_part(name))
        return _model(given, destination, opened, records)


def _last_part(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]


def _model(
    name: str, destination: str, store: MetadataStore | None, records: Iterable[ArtifactRecord]
) -> RegisteredModel:
    aliases = read_aliases(destination)
    pushed = {
        int(record.artifact.custom_properties["pushed_version"]): record
        for record in records
        if destination_of(record) == destination
    }
    versions = [
        _version(version, folder, aliases, store, pushed.get(version), destination)
        for version, folder in reversed(version_folders(destination).items())
    ]
    refused = (
        None
        if store is None
        else _refusal(store, name, max(pushed.values(), default=None, key=_id))
    )
    return RegisteredModel(name, destination, versions, aliases, refused)


def _id(record: ArtifactRecord) -> int:
    return record.artifact.id or 0


def _version(
    version: int,
    folder: str,
    aliases: Mapping[str, int],
    store: MetadataStore | None,
    record: ArtifactRecord | None,
    destination: str,
) -> ModelVersion:
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


def _from_store(store: MetadataStore, record: ArtifactRecord) -> dict[str, Any]:
    """Return the lineage of what was pushed without a manifest, such as by TFX into our store."""
    found = store.lineage([_id(record)])
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


def _refusal(store: MetadataStore, name: str, newest: ArtifactRecord | None) -> Refusal | None:
    """Return the newest refusal to push a model, if nothing was pushed since."""
    for record in store.find_artifacts(type_name="PushedModel"):
        properties = record.artifact.custom_properties
        if newest is not None and _id(record) <= _id(newest):
            return None
        if properties.get("model_name") == name and properties.get("not_pushed_because"):
            because = str(properties["not_pushed_because"])
            return Refusal(record.run_id or "", record.node_id or "", because)
    return None
