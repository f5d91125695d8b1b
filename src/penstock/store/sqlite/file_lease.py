"""Leases of a SQLite store: files beside it, locked while their owner lives."""

from __future__ import annotations

import contextlib
import errno
import os
import time
import urllib.parse

from penstock.store.exceptions import LeaseHeld, StoreError

# Another process that merely asks whether the lease is held has it locked for microseconds.
_ATTEMPTS = 20
_PAUSE_SECONDS = 0.01


class FileLease:
    """A locked file. The kernel unlocks it when the process dies, however it dies.

    Attributes:
        descriptor: Of the locked file; None once it is released.

    Args:
        store_path: The store's file; the lease lies in `<store_path>.leases/`.
        name: Name of the lease, usually a run's id.

    Raises:
        LeaseHeld: If a live process holds it.
    """

    def __init__(self, store_path: str, name: str) -> None:
        self.name = name
        self._path = _path(store_path, name)
        self.descriptor: int | None = None
        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            self._acquire()
        except OSError as error:
            raise StoreError(
                f"The lease {self._path} cannot be written: {os.strerror(error.errno or 0)}."
            ) from error

    def _acquire(self) -> None:
        import fcntl

        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE_SECONDS)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The owner before may have removed the file between our open and our lock.
                if _is_same(descriptor, self._path):
                    self.descriptor = descriptor
                    with contextlib.suppress(OSError):
                        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
                    return
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    os.close(descriptor)
                    raise
            os.close(descriptor)
        raise LeaseHeld(
            f"Run {self.name} belongs to another live process (lock {self._path}). Wait for it, or "
            "stop it with `penstock stop`."
        )

    def renew(self) -> None:
        """Do nothing: the lock lasts as long as the process."""

    def release(self) -> None:
        """Give the lease up; idempotent."""
        if self.descriptor is not None:
            with contextlib.suppress(OSError):
                os.remove(self._path)
            os.close(self.descriptor)
            self.descriptor = None


def is_held(store_path: str, name: str) -> bool:
    """Return whether a live process holds the lease `name` of the store."""
    import fcntl

    path = _path(store_path, name)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _path(store_path: str, name: str) -> str:
    return os.path.join(f"{store_path}.leases", urllib.parse.quote(name, safe=" :"))


def _is_same(descriptor: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
