"""The version that serves, as a folder: what a candidate is compared with before it is pushed."""

from __future__ import annotations

from collections.abc import Callable

from penstock.artifacts.location import is_local
from penstock.pushing.aliases import read_aliases
from penstock.serving.located import located
from penstock.serving.versions import version_folders
from penstock.spelling import did_you_mean


def serving_version(place: str, resolve: Callable[[str], str]) -> str | None:
    """Return the folder of the version that a place names; None if nothing was pushed there yet.

    Args:
        place: A folder or URL of versions for the highest one, `FOLDER@ALIAS`, or a name of the registry,
            such as `models:/taxi@champion`.
        resolve: Makes a path of the project absolute.

    Raises:
        ValueError: If there are versions, but no such alias.

    Example:
        >>> serving_version("serving/taxi@champion", os.path.abspath)
        '/srv/serving/taxi/7'
    """
    if place.startswith("models:/"):
        folder, version = located(place, None)
        return folder if version is None else version_folders(folder)[int(version)]
    destination, alias = _split(place)
    destination = resolve(destination)
    folders = version_folders(destination)
    if not folders:
        return None
    version = max(folders)
    if alias:
        aliases = read_aliases(destination)
        if alias not in aliases:
            known = (
                did_you_mean(alias, aliases) if aliases else " It has none yet: penstock promote"
            )
            raise ValueError(f"{destination} has no alias {alias!r}.{known}")
        version = aliases[alias]
    if is_local(destination):
        return folders[version]
    folder, _ = located(destination, version)
    return folder


def _split(place: str) -> tuple[str, str]:
    """Return a folder or URL and the alias behind it; a URL's user stands before its host."""
    head, slash, name = place.rpartition("/")
    name, _, alias = name.partition("@")
    return f"{head}{slash}{name}", alias
