"""Reading the registry: models and their versions, from destinations and the store."""

from __future__ import annotations

from collections.abc import Iterable

from penstock.pushing.aliases import read_aliases
from penstock.registry.description import describe_elsewhere, describe_version, id_of
from penstock.registry.destinations import (
    ModelNotFound,
    by_name,
    destination_of,
    find_destination,
    from_environment,
    name_of,
    open_project_store,
    pushed_elsewhere,
    pushed_models,
)
from penstock.registry.records import ModelVersion, Refusal, RegisteredModel
from penstock.serving.versions import version_folders
from penstock.store import ArtifactRecord, MetadataStore


def list_models(*, store: str | None = None) -> list[RegisteredModel]:
    """Return every model that the project's pipelines pushed, or that lies below PENSTOCK_MODELS.

    What a Pusher's own function pushed is described by the store, and has no destination.

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
        if opened is not None:
            models += _elsewhere(opened)
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
    try:
        destination = find_destination(name, store=store)
    except ModelNotFound:
        opened = open_project_store(store)
        if opened is None:
            raise
        with opened:
            for model in _elsewhere(opened):
                if model.name == name:
                    return model
        raise
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
        describe_version(version, folder, aliases, store, pushed.get(version), destination)
        for version, folder in reversed(version_folders(destination).items())
    ]
    refused = (
        None
        if store is None
        else _refusal(store, name, max(pushed.values(), default=None, key=id_of))
    )
    return RegisteredModel(name, destination, versions, aliases, refused)


def _elsewhere(store: MetadataStore) -> list[RegisteredModel]:
    """Return the models that Pushers pushed by functions of the user's own."""
    found: dict[str, list[ModelVersion]] = {}
    for record in pushed_elsewhere(store):
        found.setdefault(name_of(record), []).append(describe_elsewhere(store, record))
    return [RegisteredModel(name, "", versions) for name, versions in sorted(found.items())]


def _refusal(store: MetadataStore, name: str, newest: ArtifactRecord | None) -> Refusal | None:
    """Return the newest refusal to push a model, if nothing was pushed since."""
    for record in store.find_artifacts(type_name="PushedModel"):
        properties = record.artifact.custom_properties
        if newest is not None and id_of(record) <= id_of(newest):
            return None
        if properties.get("model_name") == name and properties.get("not_pushed_because"):
            because = str(properties["not_pushed_because"])
            return Refusal(record.run_id or "", record.node_id or "", because)
    return None
