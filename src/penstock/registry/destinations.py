"""Where the versions of a named model lie."""

from __future__ import annotations

import os
from collections.abc import Iterable

from penstock.artifacts.location import absolute, is_local, local_path
from penstock.io.files.filesystem import join, list_directory
from penstock.launch.project import Project
from penstock.serving.versions import version_folders
from penstock.spelling import did_you_mean
from penstock.store import ArtifactRecord, MetadataStore

MODELS_VARIABLE = "PENSTOCK_MODELS"
"""Environment variable with folders or URLs, separated by commas, that hold a folder for each model."""


class ModelNotFound(LookupError):
    """No model has that name, or more than one place has it."""


def find_destination(name: str, *, store: str | None = None) -> str:
    """Return the folder or URL with the versions of a model.

    Looked up are the folders of the environment variable PENSTOCK_MODELS, and then what the pipelines of
    the project pushed, as its store says.

    Args:
        name: The model's name; or a path or URL with a `/` in it, which is returned.
        store: The metadata store; the project's by default.

    Raises:
        ModelNotFound: If there is none, or several places have a model of that name.

    Example:
        >>> find_destination("taxi")
        '/home/ada/taxi/serving/taxi'
    """
    if "/" in name:
        destination = absolute(name, os.getcwd())
        if not version_folders(destination):
            raise ModelNotFound(f"There is no model at {destination}: no version lies there.")
        return destination
    given = from_environment()
    if name in given:
        return given[name]
    location, records, others = _pushed_here(store)
    known = by_name(records)
    if name not in known and name in others:
        raise ModelNotFound(
            f"The model {name!r} is pushed by a function of its own (push_fn): there is no folder of "
            "versions with aliases. What it pushed is listed by `penstock models`."
        )
    places = known.get(name, [])
    if len(places) > 1:
        raise ModelNotFound(
            f"The model {name!r} was pushed to {len(places)} places: {', '.join(places)}. Give the place "
            f"instead of the name, or name the folder above it in {MODELS_VARIABLE}."
        )
    if not places:
        names = {*known, *given}
        hint = did_you_mean(name, names) if names else " Nothing was pushed there yet."
        raise ModelNotFound(
            f"No model is named {name!r} in {location}"
            f"{f' and in {MODELS_VARIABLE}' if given else ''}.{hint}"
        )
    return places[0]


def from_environment() -> dict[str, str]:
    """Return the destination of each model below the folders of PENSTOCK_MODELS, by name."""
    found: dict[str, str] = {}
    for place in os.environ.get(MODELS_VARIABLE, "").split(","):
        if not place.strip():
            continue
        root = absolute(place.strip(), os.getcwd())
        for name in list_directory(local_path(root) if is_local(root) else root):
            destination = join(root, name)
            if name not in found and version_folders(destination):
                found[name] = destination
    return found


def pushed_models(store: MetadataStore) -> list[ArtifactRecord]:
    """Return what Pushers pushed to folders of versions, the newest first."""
    return [each for each in _pushed(store) if not each.artifact.custom_properties.get("push_fn")]


def pushed_elsewhere(store: MetadataStore) -> list[ArtifactRecord]:
    """Return what Pushers pushed by functions of the user's own, the newest first."""
    return [each for each in _pushed(store) if each.artifact.custom_properties.get("push_fn")]


def _pushed(store: MetadataStore) -> list[ArtifactRecord]:
    return [
        record
        for record in store.find_artifacts(type_name="PushedModel", states=())
        if record.artifact.custom_properties.get("pushed")
    ]


def by_name(records: Iterable[ArtifactRecord]) -> dict[str, list[str]]:
    """Return the destinations of each model by name, the one pushed to last first."""
    found: dict[str, list[str]] = {}
    for record in records:
        destination = destination_of(record)
        name = name_of(record)
        if destination not in found.setdefault(name, []):
            found[name].append(destination)
    return {
        # A folder that was moved away or emptied is no second place.
        name: [place for place in places if len(places) == 1 or version_folders(place)]
        for name, places in sorted(found.items())
    }


def name_of(record: ArtifactRecord) -> str:
    """Return the name under which a model was pushed: the Pusher's, or that of the folder."""
    given = record.artifact.custom_properties.get("model_name")
    return str(given or destination_of(record).rpartition("/")[2])


def destination_of(record: ArtifactRecord) -> str:
    """Return the folder of all versions that a model was pushed to."""
    path = str(record.artifact.custom_properties.get("pushed_destination") or "")
    return path.rstrip("/").rpartition("/")[0]


def open_project_store(store: str | None) -> MetadataStore | None:
    """Open a store to read; None if there is none yet."""
    location = Project.find().store if store is None else absolute_store(store)
    path = location.removeprefix("sqlite:///")
    if "://" not in path and not os.path.exists(path):
        return None
    return MetadataStore.open(location, create=False, read_only="://" not in path)


def absolute_store(store: str) -> str:
    """Return a store's URL, or its path in absolute form."""
    from penstock.launch.project import absolute as absolute_location

    return absolute_location(store, os.getcwd())


def _pushed_here(store: str | None) -> tuple[str, list[ArtifactRecord], set[str]]:
    opened = open_project_store(store)
    if opened is None:
        where = Project.find().store if store is None else store
        raise ModelNotFound(
            f"There is no store at {where} that says which models were pushed. Change to the project's "
            f"folder, or name the folder above the model's in {MODELS_VARIABLE}."
        )
    with opened:
        others = {name_of(record) for record in pushed_elsewhere(opened)}
        return f"the store {opened.session.location}", pushed_models(opened), others
