"""Opening a SQLite file: where it may lie, how it is set up, what its errors mean."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from penstock.store.exceptions import (
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreUnavailable,
)

BUSY_SECONDS = 60.0
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "afs")


def network_file_system(path: str, mounts: str = "/proc/self/mounts") -> str | None:
    """Return the type of the network file system that `path` lies on, or None if it is local.

    Args:
        path: A file or folder, which need not exist.
        mounts: The kernel's table of mounts; where it is missing the answer is None.
    """
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as table:
            lines = [line.split() for line in table]
    except OSError:
        return None
    real = os.path.realpath(path)
    best, kind = "", ""
    for line in lines:
        if len(line) < 3:
            continue
        point = line[1].encode().decode("unicode_escape").rstrip("/") or "/"
        inside = point == "/" or real == point or real.startswith(point + "/")
        # Of two mounts on one point the later one is seen.
        if inside and len(point) >= len(best):
            best, kind = point, line[2]
    return kind if kind in _NETWORK or kind.startswith("fuse.") else None


def create_engine(path: str, *, create: bool, read_only: bool, synchronous: str) -> sa.Engine:
    """Return an engine for the SQLite file at `path`, checked and ready.

    Raises:
        StoreUnavailable: If it is on a network mount, missing (`create=False`) or unreadable.
        StoreReadOnly: If it may not be written and `read_only` is false.
        StoreCorrupt: If it is not a SQLite database.
    """
    kind = network_file_system(path)
    if kind is not None:
        raise StoreUnavailable(
            f"The store {path} lies on a network file system ({kind}), where SQLite's locks do not "
            "hold. Put it on a local disk, or use a PostgreSQL or MySQL URL."
        )
    file = Path(path)
    if file.is_dir():
        raise StoreUnavailable(f"The store {path} is a folder. Expected a file.")
    if not file.exists():
        if not create or read_only:
            raise StoreUnavailable(f"There is no store at {path}.")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(
                f"The folder of the store {path} cannot be created: {error.strerror}."
            ) from error
        if not os.access(file.parent, os.W_OK):
            raise StoreReadOnly(f"The folder of the store {path} may not be written.")
    elif not os.access(file, os.R_OK):
        raise StoreUnavailable(f"The store {path} may not be read. Check its permissions.")
    elif not read_only and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)):
        raise StoreReadOnly(
            f"The store {path} (or its folder) may not be written. Check the permissions, or open "
            "it with read_only=True."
        )

    def connect() -> sqlite3.Connection:
        mode = "ro" if read_only else "rwc" if create else "rw"
        connection = sqlite3.connect(
            f"{file.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        try:
            if not read_only:
                _use_wal(connection)
            connection.execute(f"PRAGMA synchronous={synchronous}")
            connection.execute("PRAGMA temp_store=MEMORY")
            # A checkpoint syncs twice; every 16 MiB of log instead of every 4 saves a twentieth.
            connection.execute("PRAGMA wal_autocheckpoint=4000")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            connection.close()
            raise translate(error, path) from error
        return connection

    return sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool)


def _use_wal(connection: sqlite3.Connection) -> None:
    # SQLite does not wait for its busy timeout here: two processes that switch at once collide.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if _code(error) not in ("SQLITE_BUSY", "SQLITE_LOCKED"):
                raise
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def back_up(path: str, target: str) -> str:
    """Copy the store at `path`, as last committed, to the file `target`; return `target`."""
    try:
        with (
            contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as source,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
    except sqlite3.Error as error:
        raise translate(error, target) from error
    return target


def _code(error: Exception) -> str:
    """Return SQLite's name of the error, without its extension (SQLITE_IOERR_WRITE)."""
    name: Any = getattr(error, "sqlite_errorname", "")
    return "_".join(name.split("_")[:2])


def translate(error: Exception, location: str) -> StoreError:
    """Return the store's exception for one of `sqlite3`'s."""
    code = _code(error)
    if code in ("SQLITE_BUSY", "SQLITE_LOCKED"):
        return StoreBusy(
            f"The store {location} stayed locked by another process for {BUSY_SECONDS:.0f} s."
        )
    if code == "SQLITE_FULL" or "disk is full" in str(error):
        return StoreFull(f"No space left for the store {location}. Free some, then resume.")
    if code == "SQLITE_IOERR" and _is_full(location):
        return StoreFull(f"No space left for the store {location}. Free some, then resume.")
    if code == "SQLITE_READONLY":
        return StoreReadOnly(f"The store {location} may not be written ({error}).")
    if code in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
        return StoreCorrupt(
            f"The store {location} is not a SQLite database, or is damaged ({error}). Restore a "
            "backup, or move the file away to start with an empty store."
        )
    if code in ("SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH"):
        return StoreUnavailable(f"The store {location} cannot be opened ({error}).")
    return StoreError(f"The store {location}: {error}.")


def _is_full(location: str) -> bool:
    try:
        space = os.statvfs(os.path.dirname(os.path.abspath(location)))
    except OSError:
        return False
    return space.f_bavail * space.f_frsize < 1 << 16
