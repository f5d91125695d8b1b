"""Changing the registry: promoting a version, rolling an alias back, removing old versions."""

from __future__ import annotations

from penstock.pushing.aliases import (
    AliasChange,
    UnknownVersion,
    check_alias,
    check_version,
    earlier_versions,
    planned_change,
    remove_alias,
    set_alias,
)
from penstock.pushing.manifest import verify_manifest
from penstock.pushing.retention import Retention, apply_retention
from penstock.registry.model_uri import version_of_alias
from penstock.serving.versions import version_folders


def promote(
    destination: str, version: int, alias: str, *, by: str | None = None, dry_run: bool = False
) -> AliasChange:
    """Let an alias name a version whose files are what they were when it was pushed.

    Args:
        destination: The folder or URL of the versions (`find_destination`).
        version: The version.
        alias: The alias, such as "champion".
        by: Who does it; the user's name on this machine by default.
        dry_run: Only check, and say what would change.

    Raises:
        UnknownVersion: If there is no such version.
        ValueError: If the name is no alias.
        ModelError: If the version's files are damaged.

    Example:
        >>> promote(find_destination("taxi"), 7, "champion")
        AliasChange(alias='champion', before=6, after=7, at='2026-11-21T09:30:00Z', by='ada')
    """
    check_alias(alias)
    check_version(destination, version)
    verify_manifest(version_folders(destination)[version])
    change = planned_change(destination, alias, version, by)
    if not dry_run:
        set_alias(destination, alias, version, by=by)
    return change


def rollback(
    destination: str, alias: str, *, by: str | None = None, dry_run: bool = False
) -> AliasChange:
    """Let an alias name the version that it named before.

    Repeated, it goes back further. Versions that are gone are passed over.

    Args:
        destination: The folder or URL of the versions (`find_destination`).
        alias: The alias.
        by: Who does it; the user's name on this machine by default.
        dry_run: Only check, and say what would change.

    Raises:
        UnknownVersion: If there is no such alias, or no version that it named before.
        ModelError: If that version's files are damaged.
    """
    now = version_of_alias(destination, alias)
    there = version_folders(destination)
    before = earlier_versions(destination, alias)
    for version in before:
        if version in there:
            return promote(destination, version, alias, by=by, dry_run=dry_run)
    gone = f" It named {', '.join(map(str, before))}, which are gone." if before else ""
    raise UnknownVersion(
        f"The alias {alias!r} of {destination} names version {now}, and no version before it.{gone}"
    )


def withdraw(
    destination: str, alias: str, *, by: str | None = None, dry_run: bool = False
) -> AliasChange:
    """Remove an alias; the version stays.

    Raises:
        UnknownVersion: If there is no such alias.
    """
    version_of_alias(destination, alias)
    change = planned_change(destination, alias, None, by)
    if not dry_run:
        remove_alias(destination, alias, by=by)
    return change


def prune(destination: str, keep: int, *, dry_run: bool = False) -> Retention:
    """Remove older versions than the newest so many, but none that an alias or a server uses.

    Args:
        destination: The folder or URL of the versions (`find_destination`).
        keep: How many of the newest versions stay in any case.
        dry_run: Only say what would be removed.
    """
    return apply_retention(destination, keep, dry_run=dry_run)
