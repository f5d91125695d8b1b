"""Pushing to an object store: the files one by one, the manifest last.

A push claims its version with the file `<version>/penstock_push.json`, a lease that it renews. A version
whose lease is void and that has no manifest is what a killed push left; the next push removes it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from penstock.artifacts.location import exists, list_files, remove
from penstock.io.files.filesystem import join
from penstock.pushing.lease_file import LeaseFile, is_valid, void
from penstock.pushing.manifest import Manifest, write_manifest
from penstock.serving.saved_model import ModelError
from penstock.serving.versions import MANIFEST, version_names

CLAIM = "penstock_push.json"


def push_to_store(
    source: str,
    destination: str,
    manifest: Manifest,
    *,
    first: Callable[[int], int],
    check: Callable[[str], None] | None = None,
) -> int:
    """Upload a model as a new version, and return the version.

    Args:
        source: The model's folder on this machine.
        destination: The URL of all versions.
        manifest: What belongs to the model, under any version.
        first: Gives the version to try from the highest that there is.
        check: Called with the version's URL before its manifest is written; what it raises ends the push.

    Raises:
        ModelError: If what lies there is not what was sent.
    """
    remove_killed_pushes(destination)
    with _claimed(destination, first) as version:
        folder = join(destination, str(version))
        try:
            _upload(source, folder, manifest)
            if check is not None:
                check(folder)
            write_manifest(folder, replace(manifest, version=version))
        except BaseException:
            # What cannot be removed now, the next push removes.
            with contextlib.suppress(Exception):
                remove_version(folder)
            raise
    return version


def remove_version(folder: str) -> None:
    """Remove a version from an object store so that what is left after a crash is found again."""
    claim = join(folder, CLAIM)
    void(claim)
    remove(join(folder, MANIFEST))
    for name, _ in list_files(folder):
        if name != CLAIM:
            remove(join(folder, name))
    remove(claim)


def remove_killed_pushes(destination: str) -> list[str]:
    """Remove what killed pushes left, and return the names of the versions."""
    found = []
    for name in version_names(destination):
        folder = join(destination, name)
        claim = join(folder, CLAIM)
        if not exists(claim) or is_valid(claim):
            continue
        if exists(join(folder, MANIFEST)):
            remove(claim)
        else:
            remove_version(folder)
            found.append(name)
    return found


@contextlib.contextmanager
def _claimed(destination: str, first: Callable[[int], int]) -> Iterator[int]:
    """Yield a version that no other push has."""
    taken = max(map(int, version_names(destination)), default=0)
    while True:
        version = first(taken)
        taken = max(taken, version)
        folder = join(destination, str(version))
        try:
            claim = LeaseFile(join(folder, CLAIM), exclusive=True)
        except FileExistsError:
            continue
        # Another push may have claimed it, written it and given the claim back in the meantime.
        if [name for name, _ in _listed(folder)] == [CLAIM]:
            break
        claim.remove()
    try:
        yield version
    finally:
        claim.remove()


def _upload(source: str, folder: str, manifest: Manifest) -> None:
    import fsspec

    system, inner = fsspec.core.url_to_fs(folder)
    for name in manifest.files:
        system.put_file(os.path.join(source, name), join(inner, name))
    sizes = dict(_listed(folder))
    for name, entry in manifest.files.items():
        if sizes.get(name) != entry.size:
            raise ModelError(
                f"{join(folder, name)} has {sizes.get(name, 'no')} bytes after the upload, and should have "
                f"{entry.size}. The version was removed."
            )


def _listed(folder: str) -> list[tuple[str, int]]:
    """Return what lies in a folder now, and not when it was listed last."""
    import fsspec

    fsspec.core.url_to_fs(folder)[0].invalidate_cache()
    return list_files(folder)


def timestamp_or_next(versioning: str) -> Callable[[int], int]:
    """Return what gives the next version from the highest that there is."""

    def following(highest: int) -> int:
        if versioning == "timestamp":
            return max(highest + 1, int(time.time()))
        return highest + 1

    return following
