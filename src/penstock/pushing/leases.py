"""Leases: a server says which versions it uses, so that retention leaves them alone.

On a local file system a lease is a shared lock (`flock`) on the version's folder, which the operating
system drops when the process ends, however it ends. It needs no right to write. On an object store it is
the file `penstock_leases/<version>-<id>.json` beside the versions (`lease_file`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from collections.abc import Iterator
from types import TracebackType

from penstock.artifacts.location import is_local, local_path, remove
from penstock.io.files.filesystem import join, list_directory
from penstock.pushing.lease_file import LeaseFile, is_valid
from penstock.serving.versions import version_folders

LEASES = "penstock_leases"


class Lease:
    """What keeps a version from being removed while it is in use; a context manager."""

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the lease back; a second call does nothing."""


def hold_version(destination: str, version: int) -> Lease:
    """Take a lease on a version until it is released or the process ends.

    Args:
        destination: The folder of versions; a path or an fsspec URL.
        version: The version. Any number of processes may hold it.

    Raises:
        FileNotFoundError: If there is no such version (any more).

    Example:
        >>> with hold_version("serving/taxi", 7):
        ...     model = load_model("serving/taxi", version=7)
    """
    folder = version_folders(destination).get(version)
    if folder is None:
        raise FileNotFoundError(f"{destination} has no version {version}")
    if is_local(folder):
        return _Lock(_locked(local_path(folder), fcntl.LOCK_SH))
    return _Held(LeaseFile(join(destination, LEASES, f"{version}-{uuid.uuid4().hex}.json")))


def is_held(destination: str, version: int) -> bool:
    """Return whether some process holds a lease on a version.

    Args:
        destination: The folder of versions; a path or an fsspec URL.
        version: The version; one that is not there is not held.
    """
    with contextlib.suppress(FileNotFoundError), unused(destination, version) as free:
        return not free
    return False


@contextlib.contextmanager
def unused(destination: str, version: int) -> Iterator[bool]:
    """Keep a version from being taken into use while it is removed; yields False if it is in use.

    On an object store a server may take it in the meantime; it then fails to load that version.

    Raises:
        FileNotFoundError: If there is no such version.
    """
    if not is_local(destination):
        yield not _is_leased(destination, version)
        return
    folder = version_folders(destination).get(version)
    if folder is None:
        raise FileNotFoundError(f"{destination} has no version {version}")
    try:
        descriptor = _locked(local_path(folder), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)


def _locked(folder: str, operation: int) -> int:
    """Return a descriptor of a folder with a lock on it.

    Raises:
        BlockingIOError: If another process has a lock in the way.
        FileNotFoundError: If the folder is gone, or goes before the lock is there.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, operation)
        if os.fstat(descriptor).st_ino != os.stat(folder).st_ino:
            raise FileNotFoundError(f"{folder} was replaced")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class _Lock(Lease):
    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class _Held(Lease):
    def __init__(self, file: LeaseFile) -> None:
        self._file = file

    def release(self) -> None:
        self._file.remove()


def _is_leased(destination: str, version: int) -> bool:
    """Return whether a version on an object store is held; leases that are void are removed if we may."""
    folder = join(destination, LEASES)
    found = False
    for name in list_directory(folder):
        if name.startswith(f"{version}-"):
            if is_valid(join(folder, name)):
                found = True
            else:
                with contextlib.suppress(Exception):  # each store has errors of its own
                    remove(join(folder, name))
    return found
