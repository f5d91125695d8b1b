"""A pushed version as a folder on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from penstock.artifacts.location import is_local, list_files, local_path
from penstock.io.files.filesystem import join
from penstock.pushing.manifest import read_manifest, verify_manifest, write_manifest
from penstock.pushing.object_store import CLAIM
from penstock.serving.saved_model import ModelError
from penstock.serving.versions import MANIFEST, version_folders


def fetch_version(
    destination: str, version: int | None = None, *, cache: str | os.PathLike[str] | None = None
) -> str:
    """Return a folder on this machine that holds a version, downloaded and verified if need be.

    A local destination's own folder is returned as it is. A download appears in the cache whole or not
    at all, and is used again by later calls.

    Args:
        destination: The folder of versions; a path or an fsspec URL.
        version: The version; the highest by default.
        cache: Where downloads are kept; `penstock/models` in the user's cache folder by default.

    Raises:
        ModelError: If there is no version, or what was downloaded is not what its manifest says.
        ValueError: If there is no such version.

    Example:
        >>> fetch_version("gs://models/taxi", 7)
        '/home/ada/.cache/penstock/models/1f0c.../7'
    """
    folders = version_folders(destination)
    if not folders:
        raise ModelError(f"No model at {destination}: there is no version with a manifest.")
    version = max(folders) if version is None else version
    if version not in folders:
        raise ValueError(f"{destination} has no version {version!r}. Versions: {list(folders)}")
    folder = folders[version]
    if is_local(folder):
        return local_path(folder)
    manifest = read_manifest(folder)
    target = Path(cache or default_cache(), _key(destination), str(version))
    if target.is_dir() and read_manifest(str(target)) == manifest:
        return str(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=target.parent) as staging:
        copy = os.path.join(staging, "model")
        download(folder, copy)
        verify_manifest(copy)
        if target.is_dir():  # another model of this number was here before
            shutil.rmtree(target)
        # Another process may have been faster; its copy is as good.
        with contextlib.suppress(OSError):
            os.rename(copy, target)
    return str(target)


def download(folder: str, target: str) -> None:
    """Copy the files of a version from an object store, the manifest last."""
    import fsspec

    system, inner = fsspec.core.url_to_fs(folder)
    for name, _ in list_files(folder):
        if name in (MANIFEST, CLAIM):
            continue
        path = os.path.join(target, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        system.get_file(join(inner, name), path)
    manifest = read_manifest(folder)
    if manifest is not None:
        write_manifest(target, manifest)


def default_cache() -> str:
    """Return the folder in the user's cache where downloaded models are kept."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(home, "penstock", "models")


def _key(destination: str) -> str:
    return hashlib.sha256(destination.rstrip("/").encode()).hexdigest()[:16]
