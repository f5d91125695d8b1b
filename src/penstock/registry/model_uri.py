"""Names of models as MLflow's users know them: `models:/taxi@champion`, `models:/taxi/7`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penstock.pushing.aliases import UnknownVersion, read_aliases
from penstock.registry.destinations import find_destination
from penstock.serving.versions import list_versions, version_folders
from penstock.spelling import did_you_mean

SCHEME = "models:/"
_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:/(?P<version>[0-9]+|latest)|@(?P<alias>[\w-]+))")


@dataclass(frozen=True)
class ModelLocation:
    """A version of a model that a name stands for.

    Args:
        name: The model's name.
        destination: The folder or URL of its versions.
        version: The version.
        path: The version's folder or URL.
        alias: The alias that was given; None for a number or `latest`.
    """

    name: str
    destination: str
    version: int
    path: str
    alias: str | None = None


def locate(uri: str, *, store: str | None = None) -> ModelLocation:
    """Return the version that a name stands for.

    Args:
        uri: `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `models:/NAME/latest`.
        store: The metadata store that knows the model; the project's by default.

    Raises:
        ModelNotFound: If there is no model of that name.
        UnknownVersion: If the version or alias does not exist.
        ValueError: If the name is of another form.

    Example:
        >>> locate("models:/taxi@champion").version
        7
    """
    parts = _URI.fullmatch(uri)
    if parts is None:
        raise ValueError(
            "A model is named models:/NAME@ALIAS, models:/NAME/VERSION or models:/NAME/latest. "
            f"Received: {uri!r}"
        )
    name, alias = parts["name"], parts["alias"]
    destination = find_destination(name, store=store)
    folders = version_folders(destination)
    if alias is not None:
        version = version_of_alias(destination, alias)
    elif parts["version"] == "latest":
        version = max(folders, default=0)
    else:
        version = int(parts["version"])
    if version not in folders:
        which = f", which the alias {alias!r} names" if alias else ""
        raise UnknownVersion(
            f"{destination} has no version {version}{which}. Versions: "
            f"{', '.join(map(str, folders)) or 'none'}"
        )
    return ModelLocation(name, destination, version, folders[version], alias)


def version_named(destination: str, text: str) -> int:
    """Return the version that someone typed: a number, `@ALIAS` or `latest`.

    Raises:
        UnknownVersion: If it does not exist.
        ValueError: If it is of another form.

    Example:
        >>> version_named("serving/taxi", "@champion")
        7
    """
    return choose_version(text, list_versions(destination), read_aliases(destination), destination)


def choose_version(
    text: str, versions: Sequence[int], aliases: Mapping[str, int], where: str
) -> int:
    """Return which of some versions someone typed; as `version_named`.

    Args:
        text: What was typed.
        versions: The versions that there are.
        aliases: The version of each alias.
        where: What messages call the model.
    """
    if text.startswith("@"):
        return _of_alias(text[1:], aliases, where)
    if text == "latest" and versions:
        return max(versions)
    if not (text.isascii() and text.isdecimal()) and text != "latest":
        raise ValueError(f"A version is a number, @ALIAS or latest. Received: {text!r}")
    if text == "latest" or int(text) not in versions:
        there = ", ".join(map(str, sorted(versions))) or "none"
        raise UnknownVersion(f"{where} has no version {text}. Versions: {there}")
    return int(text)


def version_of_alias(destination: str, alias: str) -> int:
    """Return the version that an alias names.

    Raises:
        UnknownVersion: If there is no such alias.
    """
    return _of_alias(alias, read_aliases(destination), destination)


def _of_alias(alias: str, aliases: Mapping[str, int], where: str) -> int:
    if alias not in aliases:
        known = did_you_mean(alias, aliases) if aliases else " It has no aliases."
        raise UnknownVersion(f"{where} has no alias {alias!r}.{known}")
    return aliases[alias]
