"""A session on a SQLite file."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, ClassVar

from typing_extensions import override

from penstock.store.exceptions import StoreError
from penstock.store.session import HeldLease, Row, Session, Statement
from penstock.store.sql import Insert, insert_text
from penstock.store.sqlite import database, file_lease
from penstock.store.sqlite.ddl import STATEMENTS


class SqliteSession(Session):
    """A connection to a SQLite file."""

    # SQLite has waited for `busy_timeout` already.
    repeats_when_busy: ClassVar[bool] = False
    for_update: ClassVar[str] = ""
    clock: ClassVar[str] = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
    path_order: ClassVar[str] = ", ep.rowid"

    @override
    def fetch(self, *statements: Statement) -> list[list[Row]]:
        answers: list[list[Row]] = []
        with self._lock:
            connection = self._open_connection()
            try:
                for what, parameters in statements:
                    if isinstance(what, str):
                        answers.append(connection.execute(what, parameters).fetchall())
                    else:
                        text = insert_text(what, self.insert_syntax)
                        answers.append([(connection.execute(text, parameters).lastrowid,)])
            except self._dbapi_error as error:
                raise self._translate(error) from error
        return answers

    @override
    def execute(self, text: str, parameters: Sequence[Any] = ()) -> None:
        with self._lock:
            try:
                self._open_connection().execute(text, parameters)
            except self._dbapi_error as error:
                raise self._translate(error) from error

    @override
    def execute_each(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        with self._lock:
            try:
                self._open_connection().executemany(text, rows)
            except self._dbapi_error as error:
                raise self._translate(error) from error

    @override
    def insert(self, insert: Insert, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            self.execute_each(insert_text(insert, self.insert_syntax), rows)

    @override
    def table_names(self) -> set[str]:
        rows = self.query("SELECT lower(name) FROM sqlite_master WHERE type = 'table'")
        return {row[0] for row in rows}

    @override
    def schema_lock(self) -> contextlib.AbstractContextManager[None]:
        return self.transaction()

    @override
    def mlmd_statements(self) -> Sequence[str]:
        return STATEMENTS

    @override
    def widen_statements(self) -> Sequence[str]:
        return ()

    @override
    def back_up(self, label: str) -> str | None:
        return database.back_up(self.location, f"{self.location}.{label}.backup")

    @override
    def damage(self) -> str | None:
        answer = [str(row[0]) for row in self.query("PRAGMA quick_check(5)")]
        return None if answer == ["ok"] else answer[0]

    @override
    def take_lease(self, name: str) -> HeldLease:
        return file_lease.FileLease(self.location, name)

    @override
    def is_lease_held(self, name: str) -> bool:
        if file_lease.is_held(self.location, name):
            return True
        # What containers hold together is a row, as on a server.
        rows = self.query(
            f"SELECT 1 FROM penstock_lease WHERE name = ? AND expires > {self.clock}", (name,)
        )
        return bool(rows)

    @override
    def lock_types(self) -> None:
        """BEGIN IMMEDIATE has done so."""

    @override
    def flush_to_disk(self) -> None:
        # Moving the write-ahead log into the file syncs both.
        with self._lock:
            if not self._depth:
                # A reader in the way leaves the log where it is; the next checkpoint takes it.
                with contextlib.suppress(self._dbapi_error):
                    self._open_connection().execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _open_connection(self) -> Any:
        if self._connection is None:
            raise StoreError(f"The store {self.location} is closed.")
        return self._connection

    @override
    def _begin(self) -> None:
        # An interrupt (Ctrl-C) may have struck between a BEGIN and our noting it.
        self._rollback()
        self._connection.execute("BEGIN IMMEDIATE")

    @override
    def _commit(self) -> None:
        self._connection.execute("COMMIT")

    @override
    def _rollback(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    @override
    def _translate(self, error: Exception) -> StoreError:
        return database.translate(error, self.location)
