"""Reading and writing at a URI: local paths with the operating system, others with fsspec."""

from __future__ import annotations

import os
import shutil
from typing import Any, cast


def is_local(uri: str) -> bool:
    """Return whether `uri` is a path on this machine.

    Example:
        >>> is_local("/data/x"), is_local("gs://bucket/x")
        (True, False)
    """
    return "://" not in uri or uri.startswith("file://")


def local_path(uri: str) -> str:
    """Return the path that a local URI names.

    Raises:
        ValueError: If `uri` is not local.
    """
    if not is_local(uri):
        raise ValueError(f"{uri} is not on this machine")
    return uri.removeprefix("file://")


def absolute(path: str, root: str | os.PathLike[str]) -> str:
    """Return a user's path in absolute form: relative to `root`, with `~` as the home folder.

    URLs are returned unchanged, except `file://` URLs, which become paths.

    Example:
        >>> absolute("x/../y", "/p"), absolute("/y", "/p"), absolute("gs://b/x", "/p")
        ('/p/y', '/y', 'gs://b/x')
    """
    if not is_local(path):
        return path
    return os.path.normpath(os.path.join(root, os.path.expanduser(local_path(path))))


def _file_system(uri: str) -> tuple[Any, str]:
    import fsspec

    know_minio()
    return cast("tuple[Any, str]", fsspec.core.url_to_fs(uri))


def know_minio() -> None:
    """Let fsspec know `minio://`; where Penstock is installed as a package, it knows already."""
    from fsspec import register_implementation
    from fsspec.registry import known_implementations

    if "minio" not in known_implementations:
        register_implementation(
            "minio",
            "penstock.artifacts.minio.MinioFileSystem",
            errtxt="minio:// needs the package s3fs",
        )


def read_bytes(uri: str) -> bytes:
    """Return the content of the file at `uri`.

    Raises:
        FileNotFoundError: If the file does not exist.
    """
    if is_local(uri):
        with open(local_path(uri), "rb") as file:
            return file.read()
    system, path = _file_system(uri)
    return cast(bytes, system.cat_file(path))


def write_bytes(uri: str, data: bytes) -> None:
    """Write `data` to the file at `uri`; a missing folder is created."""
    if is_local(uri):
        path = local_path(uri)
        try:
            with open(path, "wb") as file:
                file.write(data)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
        return
    system, path = _file_system(uri)
    system.pipe_file(path, data)


def exists(uri: str) -> bool:
    """Return whether there is a file or folder at `uri`."""
    if is_local(uri):
        return os.path.exists(local_path(uri))
    system, path = _file_system(uri)
    return bool(system.exists(path))


def is_file(uri: str) -> bool:
    """Return whether there is a file, not a folder, at `uri`."""
    if is_local(uri):
        return os.path.isfile(local_path(uri))
    system, path = _file_system(uri)
    return bool(system.isfile(path))


def make_folder(uri: str) -> None:
    """Create the folder at `uri` and its parents; do nothing where the storage has no folders."""
    if is_local(uri):
        os.makedirs(local_path(uri), exist_ok=True)


def remove(uri: str) -> None:
    """Remove the file or folder at `uri` with all its content; it may be missing."""
    if is_local(uri):
        path = local_path(uri)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            try:
                os.remove(path)
            except FileNotFoundError:
                return
        return
    system, path = _file_system(uri)
    if system.exists(path):
        system.rm(path, recursive=True)


def download(uri: str, path: str) -> None:
    """Copy the file or folder at a URL to a local path, many files at once.

    Args:
        uri: A URL; of a folder all files below it are copied.
        path: The local file or folder; a folder is made even if there is no file.

    Raises:
        FileNotFoundError: If there is nothing at the URL.
    """
    system, root = _file_system(uri)
    if system.isfile(root):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        system.get_file(root, path)
        return
    names = [name for name, _ in list_files(uri)]
    if not names and not system.exists(root):
        raise FileNotFoundError(f"There is nothing at {uri}.")
    os.makedirs(path, exist_ok=True)
    targets = [os.path.join(path, *name.split("/")) for name in names]
    for folder in {os.path.dirname(target) for target in targets}:
        os.makedirs(folder, exist_ok=True)
    if names:
        system.get([f"{root.rstrip('/')}/{name}" for name in names], targets)


def upload(path: str, uri: str) -> None:
    """Copy a local folder with all its files to a URL, many files at once.

    Args:
        path: The local folder.
        uri: The URL of the folder that is to hold its files.
    """
    system, root = _file_system(uri)
    names = [name for name, _ in list_files(path)]
    if names:
        system.put(
            [os.path.join(path, name) for name in names],
            [f"{root.rstrip('/')}/{name}" for name in names],
        )


def list_files(uri: str) -> list[tuple[str, int]]:
    """Return (relative path, size in bytes) of each file under `uri`, sorted by path.

    For the URI of a file, the list holds that file under its own name.
    """
    if not is_local(uri):
        system, root = _file_system(uri)
        found = system.find(root, detail=True)
        if root in found:
            return [(root.rpartition("/")[2], found[root]["size"])]
        prefix = root.rstrip("/") + "/"
        return sorted((name.removeprefix(prefix), info["size"]) for name, info in found.items())
    root = local_path(uri)
    if not os.path.isdir(root):
        return [(os.path.basename(root), os.path.getsize(root))]
    files: list[tuple[str, int]] = []
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(os.path.join(root, folder)) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir():
                    pending.append(path)
                else:
                    files.append((path, entry.stat().st_size))
    files.sort()
    return files
