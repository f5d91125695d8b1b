"""One connection to the store: transactions, and statements that travel together."""

from __future__ import annotations

import abc
import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from penstock.store.exceptions import StoreBusy, StoreError
from penstock.store.sql import Insert, InsertSyntax

if TYPE_CHECKING:
    from sqlalchemy import Engine

Row = tuple[Any, ...]
Statement = tuple[str | Insert, Sequence[Any]]
T = TypeVar("T")


LEASE_SECONDS = 60.0
"""How long a lease on a server lasts unless it is renewed."""


class HeldLease(Protocol):
    """A lease that this process holds.

    Attributes:
        name: Name of the lease, usually a run's id.
        descriptor: Of the locked file that holds it, if one does.
    """

    name: str

    @property
    def descriptor(self) -> int | None:
        """Descriptor of the locked file, or None."""

    def renew(self) -> bool | None:
        """Keep it; return whether its run was asked to stop, None if that was not looked up.

        Raises:
            LeaseHeld: If it expired and another took it.
        """

    def release(self) -> None:
        """Give it up; idempotent."""


class Session(abc.ABC):
    """A connection, shared by the threads of a process, one transaction at a time.

    A thread inside a transaction holds the session; the others wait. Statements are texts with `?`
    for a parameter. Those whose answer nobody awaits (`execute`, `insert`) may be held back and
    sent along with the next one that is awaited, so a server sees few round trips.

    Args:
        engine: The SQLAlchemy engine; one of its connections is kept.
        location: How messages name the store.
    """

    insert_syntax: ClassVar[InsertSyntax] = InsertSyntax()
    creates_index_if_absent: ClassVar[bool] = True

    def __init__(self, engine: Engine, location: str) -> None:
        self.engine = engine
        self.location = location
        self._lock = threading.RLock()
        self._depth = 0
        self._undo: list[Callable[[], object]] = []
        self._dbapi_error: type[Exception] = engine.dialect.loaded_dbapi.Error
        with self._translated():
            self._pooled = engine.raw_connection()
            self._connection: Any = self._pooled.driver_connection

    def close(self) -> None:
        """Return the connection; idempotent."""
        with self._lock:
            if self._connection is not None:
                self._connection = None
                self._pooled.close()
                self.engine.dispose()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the body as one transaction; inside another one, as a part of that.

        Raises:
            StoreError: If it could not be committed; then nothing of it was written.
        """
        with self._lock:
            if self._connection is None:
                raise StoreError(f"The store {self.location} is closed.")
            outermost = self._depth == 0
            if outermost:
                with self._translated():
                    self._begin()
            self._depth += 1
            try:
                yield
                if outermost:
                    with self._translated():
                        self._commit()
            except BaseException:
                if outermost:
                    self._abandon()
                raise
            finally:
                self._depth -= 1
                if outermost:
                    self._undo.clear()

    def _abandon(self) -> None:
        with contextlib.suppress(self._dbapi_error):
            self._rollback()
        for undo in reversed(self._undo):
            undo()

    def atomically(self, work: Callable[[], T], *, attempts: int = 5) -> T:
        """Return `work()`, run as one transaction and repeated when a deadlock undid it.

        Args:
            work: Reads and writes through this session, and nothing else that lasts.
            attempts: How often it is tried; once only inside another transaction.

        Raises:
            StoreBusy: If every attempt met a deadlock or a lock held too long.
        """
        with self._lock:
            if self._depth:
                return work()
            for attempt in range(1, attempts + 1):
                try:
                    with self.transaction():
                        return work()
                except StoreBusy:
                    if attempt == attempts or not self.repeats_when_busy:
                        raise
                    time.sleep(random.uniform(0.01, 0.05) * 2**attempt)
        raise AssertionError("unreachable")

    repeats_when_busy: ClassVar[bool] = True
    # The server's time in milliseconds since the epoch.
    clock: ClassVar[str] = ""
    # Ends an ORDER BY: rows of EventPath (as `ep`) in the order in which they were written.
    path_order: ClassVar[str] = ""
    # Ends a SELECT that must keep its row from changing until the commit.
    for_update: ClassVar[str] = " FOR UPDATE"

    def on_rollback(self, undo: Callable[[], object]) -> None:
        """Call `undo` should the transaction at hand not be committed."""
        if self._depth:
            self._undo.append(undo)

    def query(self, text: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return the rows that the statement `text` answers with."""
        return self.fetch((text, parameters))[0]

    @abc.abstractmethod
    def fetch(self, *statements: Statement) -> list[list[Row]]:
        """Run the statements, together if possible; return the rows of each.

        An `Insert` (of one row) answers with the row's new id.
        """

    @abc.abstractmethod
    def execute(self, text: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement whose answer is not needed, at the latest with the commit."""

    @abc.abstractmethod
    def insert(self, insert: Insert, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, at the latest with the commit."""

    @abc.abstractmethod
    def execute_each(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run the statement once for each row of parameters, at the latest with the commit."""

    @abc.abstractmethod
    def table_names(self) -> set[str]:
        """Return the names of the tables that there are, in lower case."""

    @abc.abstractmethod
    def schema_lock(self) -> contextlib.AbstractContextManager[None]:
        """Keep other processes from creating or upgrading tables; a transaction if it can be."""

    @abc.abstractmethod
    def mlmd_statements(self) -> Sequence[str]:
        """Return the statements that create ML Metadata's tables, those missing."""

    @abc.abstractmethod
    def widen_statements(self) -> Sequence[str]:
        """Return what tables that ML Metadata's client created need to hold what we write."""

    @abc.abstractmethod
    def back_up(self, label: str) -> str | None:
        """Copy what an upgrade may change; return where to."""

    @staticmethod
    def insert_if_absent(target: str, values: str) -> str:
        """Return an INSERT of `values` that leaves a row alone whose key is there."""
        return f"INSERT INTO {target} VALUES {values} ON CONFLICT DO NOTHING"

    def execute_unless_there(self, text: str) -> None:
        """Create a table, a column or an index; where DDL is no transaction, one that is there is left."""
        self.execute(text)

    ddl_is_transactional: ClassVar[bool] = True

    @abc.abstractmethod
    def lock_types(self) -> None:
        """Keep other processes from registering types until the transaction ends."""

    @abc.abstractmethod
    def damage(self) -> str | None:
        """Return the first fault in the database's own file; None if none is found."""

    @abc.abstractmethod
    def take_lease(self, name: str) -> HeldLease:
        """Take a lease.

        Raises:
            LeaseHeld: If a live process holds it.
        """

    @abc.abstractmethod
    def is_lease_held(self, name: str) -> bool:
        """Return whether a live process holds a lease."""

    @abc.abstractmethod
    def flush_to_disk(self) -> None:
        """Make what was committed survive a power failure, if commits do not."""

    @abc.abstractmethod
    def _begin(self) -> None: ...

    @abc.abstractmethod
    def _commit(self) -> None: ...

    @abc.abstractmethod
    def _rollback(self) -> None: ...

    @abc.abstractmethod
    def _translate(self, error: Exception) -> StoreError: ...

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._dbapi_error as error:
            raise self._translate(error) from error
