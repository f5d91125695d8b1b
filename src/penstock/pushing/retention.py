"""Removing old versions from a destination, but none that is in use."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from penstock.artifacts.location import exists, is_local, local_path
from penstock.io.files.filesystem import join
from penstock.pushing.aliases import earlier_versions, locked, read_aliases
from penstock.pushing.leases import unused
from penstock.pushing.local_folder import STAGING
from penstock.pushing.object_store import remove_version
from penstock.pushing.write_errors import not_allowed
from penstock.serving.versions import MANIFEST, version_folders


@dataclass(frozen=True)
class Retention:
    """What retention does with a destination.

    Args:
        removed: The versions that were, or would be, removed.
        kept: Why each older version than the newest so many stays.
    """

    removed: tuple[int, ...]
    kept: dict[int, str]


def apply_retention(destination: str, keep: int, *, dry_run: bool = False) -> Retention:
    """Remove older versions than the newest so many.

    A version stays if an alias names it, if it is the one that an alias named before (so that the alias
    can be rolled back), if a server has a lease on it, and if it has no manifest: another tool pushed it.

    Args:
        destination: The folder of versions; a path or an fsspec URL.
        keep: How many of the newest versions stay in any case; 1 or more.
        dry_run: Only say what would be removed.

    Example:
        >>> apply_retention("serving/taxi", keep=3, dry_run=True)
        Retention(removed=(1, 2), kept={3: 'alias champion'})
    """
    check_keep(keep)
    removed, kept = [], {}
    # No alias can be set on a version while it goes.
    with locked(destination), not_allowed(destination, "Old versions cannot be removed here"):
        folders = version_folders(destination)
        named = _named(destination)
        for version in list(folders)[:-keep]:
            if version in named:
                kept[version] = named[version]
            elif not exists(join(folders[version], MANIFEST)):
                kept[version] = "pushed by another tool"
            elif _remove(destination, version, folders[version], dry_run=dry_run):
                removed.append(version)
            else:
                kept[version] = "in use by a server"
    return Retention(tuple(removed), kept)


def check_keep(keep: int | None) -> None:
    """Raise ValueError unless it is a number of versions that may be kept, or None for all."""
    if keep is not None and (isinstance(keep, bool) or keep < 1):
        raise ValueError(
            f"keep is how many of the newest versions stay, 1 or more. Received: {keep!r}"
        )


def _named(destination: str) -> dict[int, str]:
    """Return why aliases need versions."""
    aliases = read_aliases(destination)
    found = {}
    for alias in aliases:
        for before in earlier_versions(destination, alias)[:1]:
            found[before] = f"alias {alias} can be rolled back to it"
    return found | {version: f"alias {alias}" for alias, version in aliases.items()}


def _remove(destination: str, version: int, folder: str, *, dry_run: bool) -> bool:
    """Remove a version unless it is in use; return whether it is free."""
    with unused(destination, version) as free:
        if not free or dry_run:
            return free
        if is_local(folder):
            # Out of sight first. What a crash leaves is hidden, and the next push sweeps it.
            gone = join(local_path(destination), f"{STAGING}{os.getpid()}-{version}")
            os.rename(local_path(folder), gone)
            shutil.rmtree(gone, ignore_errors=True)
        else:
            remove_version(folder)
    return True
