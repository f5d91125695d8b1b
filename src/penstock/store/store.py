"""The metadata store: ML Metadata's tables and Penstock's, in one database."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from penstock.store.publishing.epochs import Epochs
from penstock.store.publishing.runs import Runs
from penstock.store.queries.cache import Cache
from penstock.store.queries.lineage import LineageQueries
from penstock.store.queries.upkeep import UpkeepQueries
from penstock.store.session import Session

T = TypeVar("T")


class MetadataStore(Runs, Epochs, UpkeepQueries, Cache, LineageQueries):
    """Runs, executions, artifacts and their lineage.

    Made by `MetadataStore.open`. Its methods may be called from several threads; one transaction is
    at work at a time. Each writing method is one transaction, so that a process killed at any
    moment leaves what the last one left.

    Example:
        >>> import tempfile
        >>> with MetadataStore.open(tempfile.mkdtemp() + "/metadata.db") as store:
        ...     store.list_runs()
        []
    """

    backup: str | None = None
    """Where the copy lies that was made because opening upgraded the store; else None."""

    @classmethod
    def open(
        cls,
        url: str | os.PathLike[str],
        *,
        create: bool = True,
        read_only: bool = False,
        durability: str = "normal",
    ) -> Self:
        """Open a store; create or upgrade its tables if need be.

        Args:
            url: A path or `sqlite:///path`; `postgresql://user@host/database`;
                `mysql://user@host/database`.
            create: Whether a file or tables that are missing may be created.
            read_only: Change nothing: for stores that one may only read. SQLite only.
            durability: "normal": what was committed survives the death of the process at once, and
                a power failure once the run has ended (SQLite's log is synced at checkpoints);
                "full": a power failure at once, for one `fsync` a transaction. SQLite only: servers
                have their own setting.

        Raises:
            MissingDriver: If the database's driver is not installed.
            StoreUnavailable: If there is none, or it cannot be reached.
            StoreCorrupt: If the file is no database.
            StoreReadOnly: If it may not be written.
            SchemaMismatch: If another version wrote it.
        """
        from penstock.store.engine import open_session
        from penstock.store.schema import migration

        if durability not in ("normal", "full"):
            raise ValueError(f"durability must be 'normal' or 'full'. Received: {durability!r}")
        session, reserve = open_session(
            os.fspath(url), create=create, read_only=read_only, durability=durability
        )
        try:
            if read_only:
                migration.check(session)
                backup = None
            else:
                backup = migration.prepare(session, create=create)
            store = cls(session, None if read_only else reserve)
            store.backup = backup
            store._types.load()
            if store._reserve is not None:
                store._reserve.restore()
        except BaseException:
            session.close()
            raise
        return store

    def close(self) -> None:
        """Close the connection; idempotent."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """Group what the body does into one transaction: all of it is written, or nothing.

        On a server a deadlock raises `StoreBusy`; `atomically` tries again instead.

        Example:
            with store.transaction():
                store.publish(finished, outputs)
                started = store.register_execution(run_id=..., node_id=..., type_name=...)
        """
        return self._session.transaction()

    def atomically(self, work: Callable[[], T]) -> T:
        """Return `work()`, run as one transaction, again if a deadlock on a server undid it."""
        return self._session.atomically(work)

    @property
    def session(self) -> Session:
        """The connection, for statements of your own."""
        return self._session
