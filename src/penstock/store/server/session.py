"""Sessions on PostgreSQL and MySQL, whose statements travel together.

Both drivers put the parameters into the text themselves (quoted by the driver), so that several
statements make one text and one round trip; the transaction's BEGIN and COMMIT travel along.
"""

from __future__ import annotations

import abc
import contextlib
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from penstock.store.exceptions import (
    StoreBusy,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreUnavailable,
)
from penstock.store.server.ddl import (
    MYSQL,
    POSTGRESQL,
    TableSyntax,
    create_statements,
    widen_statements,
)
from penstock.store.session import HeldLease, Row, Session, Statement
from penstock.store.sql import Insert, InsertSyntax, insert_text

if TYPE_CHECKING:
    from sqlalchemy import Engine

_IDLE_SECONDS = 60.0
# Rows of one INSERT: far below the 64 MiB and 16 MiB that servers take as one packet.
_ROWS = 1000


@lru_cache(maxsize=512)
def _format_style(text: str) -> str:
    return text.replace("?", "%s")


class ServerSession(Session):
    """What PostgreSQL and MySQL have in common."""

    table_syntax: ClassVar[TableSyntax]

    def __init__(self, engine: Engine, location: str) -> None:
        super().__init__(engine, location)
        self._pending: list[str] = []
        self._begun = False
        self._last_used = time.monotonic()
        # Whether the last exchange did not come to its end: an error, a lost server, a Ctrl-C.
        self._interrupted = False
        with self._translated():
            self._set_up()

    @abc.abstractmethod
    def _set_up(self) -> None:
        """Bring a new connection into autocommit and READ COMMITTED."""

    @abc.abstractmethod
    def _mogrify(self, text: str, parameters: Sequence[Any]) -> str:
        """Return the text with its parameters in it."""

    @abc.abstractmethod
    def _answers(self, texts: Sequence[str], inserts: Sequence[bool]) -> list[list[Row]]:
        """Send the texts as one; return the rows, or for an insert the new id, of each."""

    @override
    def fetch(self, *statements: Statement) -> list[list[Row]]:
        with self._lock:
            texts, inserts = [], []
            for what, parameters in statements:
                inserts.append(not isinstance(what, str))
                if isinstance(what, Insert):
                    what = insert_text(what, self.insert_syntax, 1, True)
                texts.append(self._bind(what, parameters))
            return self._send(texts, inserts)

    @override
    def execute(self, text: str, parameters: Sequence[Any] = ()) -> None:
        with self._lock:
            self._queue(self._bind(text, parameters))

    @override
    def execute_each(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        with self._lock:
            for parameters in rows:
                self._queue(self._bind(text, parameters))

    @override
    def insert(self, insert: Insert, rows: Sequence[Sequence[Any]]) -> None:
        with self._lock:
            for start in range(0, len(rows), _ROWS):
                chunk = rows[start : start + _ROWS]
                text = insert_text(insert, self.insert_syntax, len(chunk))
                self._queue(self._bind(text, [value for row in chunk for value in row]))

    @override
    def flush_to_disk(self) -> None:
        pass

    @override
    def damage(self) -> str | None:
        return None  # a server looks after its own files

    @override
    def take_lease(self, name: str) -> HeldLease:
        from penstock.store.server.row_lease import RowLease

        return RowLease(self, name)

    @override
    def is_lease_held(self, name: str) -> bool:
        rows = self.query(
            f"SELECT 1 FROM penstock_lease WHERE name = ? AND expires > {self.clock}", (name,)
        )
        return bool(rows)

    @override
    def lock_types(self) -> None:
        self.query("SELECT schema_version FROM MLMDEnv FOR UPDATE")

    @override
    def mlmd_statements(self) -> Sequence[str]:
        return create_statements(self.table_syntax)

    @override
    def widen_statements(self) -> Sequence[str]:
        return widen_statements(self.table_syntax)

    @override
    def back_up(self, label: str) -> str | None:
        own = sorted(name for name in self.table_names() if name.startswith("penstock_"))
        own = [name for name in own if not name.startswith("penstock_backup_")]
        if not own:
            return None
        prefix = "penstock_backup_" + label.replace("-", "_").lower()
        for name in own:
            copy = f"{prefix}_{name.removeprefix('penstock_')}"
            self.execute(f"CREATE TABLE {copy} AS SELECT * FROM {name}")
        return f"tables {prefix}_*"

    def _bind(self, text: str, parameters: Sequence[Any]) -> str:
        if self._connection is None:
            raise StoreError(f"The store {self.location} is closed.")
        if not parameters:
            return text
        return self._mogrify(_format_style(text), tuple(parameters))

    def _queue(self, text: str) -> None:
        if self._depth:
            self._pending.append(text)
        else:
            self._send([text], [False])

    def _send(self, texts: Sequence[str], inserts: Sequence[bool]) -> list[list[Row]]:
        before = self._pending
        self._pending = []
        with self._translated():
            if not self._begun and (
                self._interrupted or time.monotonic() - self._last_used > _IDLE_SECONDS
            ):
                self._revive()
            self._begun = self._depth > 0
            self._interrupted = True
            answers = self._answers([*before, *texts], [False] * len(before) + list(inserts))
            self._interrupted = False
        self._last_used = time.monotonic()
        return answers[len(before) :]

    def _revive(self) -> None:
        """Connect anew if the server, or something between, has cut the connection."""
        try:
            self._answers(["ROLLBACK", "SELECT 1"], [False, False])
        except Exception:
            with contextlib.suppress(Exception):
                self._pooled.invalidate()
            self._pooled = self.engine.raw_connection()
            self._connection = self._pooled.driver_connection
            self._set_up()

    @override
    def _begin(self) -> None:
        self._pending = ["BEGIN"]

    @override
    def _commit(self) -> None:
        if self._begun or len(self._pending) > 1:
            self._send(["COMMIT"], [False])
        self._pending = []
        self._begun = False

    @override
    def _rollback(self) -> None:
        self._pending = []
        if self._begun:
            self._begun = False
            self._answers(["ROLLBACK"], [False])
            self._interrupted = False


class PostgresqlSession(ServerSession):
    """A connection to PostgreSQL through psycopg."""

    insert_syntax: ClassVar[InsertSyntax] = InsertSyntax(returning=" RETURNING id")
    table_syntax: ClassVar[TableSyntax] = POSTGRESQL
    clock: ClassVar[str] = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    path_order: ClassVar[str] = ", ep.ctid"

    @override
    def _set_up(self) -> None:
        import psycopg

        self._connection.autocommit = True
        self._cursor = psycopg.ClientCursor(self._connection)

    @override
    def _mogrify(self, text: str, parameters: Sequence[Any]) -> str:
        return str(self._cursor.mogrify(text, parameters))

    @override
    def _answers(self, texts: Sequence[str], inserts: Sequence[bool]) -> list[list[Row]]:
        cursor = self._cursor
        cursor.execute("; ".join(texts).encode())
        answers = []
        for number in range(len(texts)):
            if number:
                cursor.nextset()
            answers.append(cursor.fetchall() if cursor.description else [])
        return answers

    @override
    def table_names(self) -> set[str]:
        rows = self.query("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        return {row[0] for row in rows}

    @override
    @contextlib.contextmanager
    def schema_lock(self) -> Iterator[None]:
        with self.transaction():
            # Any number of our own; it is held until the transaction ends.
            self.query("SELECT pg_advisory_xact_lock(7265367)")
            yield

    @override
    def _translate(self, error: Exception) -> StoreError:
        state = getattr(error, "sqlstate", None) or ""
        text = str(error).strip()
        if state in ("40001", "40P01", "55P03"):
            return StoreBusy(f"The store {self.location} broke a deadlock ({text}).")
        if state in ("53100", "53200"):
            return StoreFull(f"No space left for the store {self.location} ({text}).")
        if state in ("25006", "42501"):
            return StoreReadOnly(f"The store {self.location} may not be written ({text}).")
        if type(error).__name__ in ("OperationalError", "AdminShutdown", "ConnectionTimeout"):
            return StoreUnavailable(f"The store {self.location} cannot be reached ({text}).")
        return StoreError(f"The store {self.location}: {text}.")


class MysqlSession(ServerSession):
    """A connection to MySQL or MariaDB through PyMySQL."""

    insert_syntax: ClassVar[InsertSyntax] = InsertSyntax("INSERT IGNORE", unless_there="")
    table_syntax: ClassVar[TableSyntax] = MYSQL
    creates_index_if_absent: ClassVar[bool] = False
    clock: ClassVar[str] = "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)"
    ddl_is_transactional: ClassVar[bool] = False

    @override
    def _set_up(self) -> None:
        self._connection.autocommit(True)
        self._answers(["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"], [False])

    @override
    def _mogrify(self, text: str, parameters: Sequence[Any]) -> str:
        return str(self._connection.cursor().mogrify(text, parameters))

    @override
    def _answers(self, texts: Sequence[str], inserts: Sequence[bool]) -> list[list[Row]]:
        answers: list[list[Row]] = []
        with self._connection.cursor() as cursor:
            cursor.execute("; ".join(texts))
            for number, is_insert in enumerate(inserts):
                if number:
                    cursor.nextset()
                if is_insert:
                    answers.append([(cursor.lastrowid,)])
                else:
                    answers.append(list(cursor.fetchall()) if cursor.description else [])
        return answers

    @staticmethod
    @override
    def insert_if_absent(target: str, values: str) -> str:
        return f"INSERT IGNORE INTO {target} VALUES {values}"

    @override
    def execute_unless_there(self, text: str) -> None:
        try:
            self.query(text)
        except StoreError as error:
            # 1050: the table exists; 1060: the column; 1061: the index.
            cause = error.__cause__
            if cause is None or not cause.args or cause.args[0] not in (1050, 1060, 1061):
                raise

    @override
    def table_names(self) -> set[str]:
        rows = self.query(
            "SELECT lower(table_name) FROM information_schema.tables "
            "WHERE table_schema = DATABASE()"
        )
        return {row[0] for row in rows}

    @override
    @contextlib.contextmanager
    def schema_lock(self) -> Iterator[None]:
        ((got,),) = self.query("SELECT GET_LOCK(CONCAT('penstock.', DATABASE()), 60)")
        if not got:
            raise StoreBusy(
                f"Another process has been creating the tables of {self.location} for 60 s."
            )
        try:
            yield
        finally:
            self.query("SELECT RELEASE_LOCK(CONCAT('penstock.', DATABASE()))")

    @override
    def _translate(self, error: Exception) -> StoreError:
        code = error.args[0] if error.args else 0
        text = str(error.args[1] if len(error.args) > 1 else error)
        if code in (1205, 1213):
            return StoreBusy(f"The store {self.location} broke a deadlock ({text}).")
        if code in (1021, 1041, 1114):
            return StoreFull(f"No space left for the store {self.location} ({text}).")
        if code in (1142, 1227, 1290, 1792):
            return StoreReadOnly(f"The store {self.location} may not be written ({text}).")
        if code in (0, 1040, 1044, 1045, 1049, 1053, 2002, 2003, 2006, 2013, 2014, 2055):
            return StoreUnavailable(f"The store {self.location} cannot be reached ({text}).")
        return StoreError(f"The store {self.location}: {text}.")
