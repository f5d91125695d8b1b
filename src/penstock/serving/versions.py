"""The versions in a folder of models, as TensorFlow Serving reads them."""

from __future__ import annotations

import os
import re

from penstock.artifacts.location import exists, is_local, local_path
from penstock.io.files.filesystem import join, list_directory

MANIFEST = "penstock_manifest.json"
_VERSION = re.compile("[0-9]+")


def list_versions(destination: str) -> list[int]:
    """Return the versions in a destination, ascending."""
    return list(version_folders(destination))


def version_folders(destination: str) -> dict[int, str]:
    """Return the folder of each version in a destination, ascending.

    A version is a folder whose name is a number, which may start with zeros, as TensorFlow Serving reads
    it. Of two folders with the same number the one with fewer zeros counts. On an object store, where
    files arrive one by one, a version is there once its manifest is.

    Args:
        destination: A folder, or an fsspec URL.

    Example:
        >>> version_folders("serving/taxi")
        {6: 'serving/taxi/6', 7: 'serving/taxi/7'}
    """
    names = sorted(version_names(destination), key=lambda name: (int(name), -len(name)))
    folders = {name: join(destination, name) for name in names}
    if is_local(destination):
        return {
            int(name): path for name, path in folders.items() if os.path.isdir(local_path(path))
        }
    return {int(name): path for name, path in folders.items() if exists(join(path, MANIFEST))}


def version_names(destination: str) -> list[str]:
    """Return the names in a destination that are numbers of 64 bits, whatever they name."""
    if is_local(destination):
        place = local_path(destination)
    else:
        import fsspec

        place = destination
        # Some file systems remember listings; another process may have pushed since.
        fsspec.core.url_to_fs(destination)[0].invalidate_cache()
    return [
        name for name in list_directory(place) if _VERSION.fullmatch(name) and int(name) < 2**63
    ]
