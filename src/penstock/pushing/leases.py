"""Leases: a server says which versions it uses, so that retention leaves them alone.

On a local file system a lease is a shared lock (`flock`) on the version's folder, which the operating
system drops when the process ends, however it ends. It needs no right to write. On an object store it is
the file `penstock_leases/<version>-<id>.json` beside the versions, which is renewed each minute and void
after five:

    {"format": 1, "version": 7, "holder": "host:4711", "until": 1795224504.5}
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from types import TracebackType

from penstock.artifacts.location import is_local, local_path, read_bytes, remove, write_bytes
from penstock.io.files.filesystem import join, list_directory
from penstock.serving.versions import version_folders

LEASES = "penstock_leases"
_RENEWED_SECONDS = 60.0
_VALID_SECONDS = 300.0

_log = logging.getLogger(__name__)


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
    return _LeaseFile(destination, version)


def is_held(destination: str, version: int) -> bool:
    """Return whether some process holds a lease on a version.

    Args:
        destination: The folder of versions; a path or an fsspec URL.
        version: The version; one that is not there is not held.
    """
    if not is_local(destination):
        return bool(_holders(destination, version))
    folder = version_folders(destination).get(version)
    if folder is None:
        return False
    try:
        os.close(_locked(local_path(folder), fcntl.LOCK_EX | fcntl.LOCK_NB))
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


@contextlib.contextmanager
def unused(destination: str, version: int) -> Iterator[bool]:
    """Keep a version from being taken into use while it is removed; yields False if it is in use.

    On an object store a server may take it in the meantime; it then fails to load that version.
    """
    if not is_local(destination):
        yield not _holders(destination, version)
        return
    try:
        descriptor = _locked(
            local_path(version_folders(destination)[version]), fcntl.LOCK_EX | fcntl.LOCK_NB
        )
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


class _LeaseFile(Lease):
    def __init__(self, destination: str, version: int) -> None:
        self._path = join(destination, LEASES, f"{version}-{uuid.uuid4().hex}.json")
        self._version = version
        self._released = threading.Event()
        if self._renew():
            threading.Thread(target=self._keep, name="penstock-lease", daemon=True).start()

    def release(self) -> None:
        if not self._released.is_set():
            self._released.set()
            with contextlib.suppress(OSError):
                remove(self._path)

    def _keep(self) -> None:
        while not self._released.wait(_RENEWED_SECONDS):
            self._renew()

    def _renew(self) -> bool:
        content = {
            "format": 1,
            "version": self._version,
            "holder": f"{socket.gethostname()}:{os.getpid()}",
            "until": time.time() + _VALID_SECONDS,
        }
        try:
            write_bytes(self._path, json.dumps(content).encode())
        except Exception as error:
            # Each store has errors of its own. Who may only read can serve, but is not seen.
            _log.warning(
                "No lease on a version in use: %s cannot be written: %s", self._path, error
            )
            return False
        return True


def _holders(destination: str, version: int) -> list[str]:
    """Return who holds a version on an object store; what is void is removed."""
    folder = join(destination, LEASES)
    found = []
    for name in list_directory(folder):
        if not name.startswith(f"{version}-"):
            continue
        path = join(folder, name)
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            lease = json.loads(read_bytes(path))
            if float(lease["until"]) > time.time():
                found.append(str(lease["holder"]))
                continue
        with contextlib.suppress(OSError):
            remove(path)
    return found
