"""Creating the tables and bringing them to this version, one process at a time."""

from __future__ import annotations

import datetime
from collections.abc import Callable

from sqlalchemy.schema import CreateIndex, CreateTable

from penstock.store import sql
from penstock.store.exceptions import SchemaMismatch, StoreCorrupt, StoreUnavailable
from penstock.store.schema import penstock_tables as tables
from penstock.store.schema.type_registry import BASE_TYPES, CONTEXT_TYPES, TypeKind, TypeRegistry
from penstock.store.session import Session

MLMD_VERSION = 10
MLMD_TABLES = frozenset(
    {
        "type",
        "typeproperty",
        "parenttype",
        "artifact",
        "artifactproperty",
        "execution",
        "executionproperty",
        "event",
        "eventpath",
        "mlmdenv",
        "context",
        "contextproperty",
        "parentcontext",
        "association",
        "attribution",
    }
)
"""ML Metadata's tables, in lower case."""


def _create_tables(session: Session) -> None:
    dialect = session.engine.dialect
    for table in tables.metadata.sorted_tables:
        session.execute(str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            create = CreateIndex(index, if_not_exists=session.creates_index_if_absent)
            session.execute_unless_there(str(create.compile(dialect=dialect)))


def _add_verdicts(session: Session) -> None:
    dialect = session.engine.dialect
    added = (
        (tables.run, ("paused_seconds",)),
        (tables.execution, ("verdict", "start_seconds")),
    )
    for table, names in added:
        for name in names:
            kind = table.c[name].type.compile(dialect)
            session.execute_unless_there(f"ALTER TABLE {table.name} ADD COLUMN {name} {kind}")
    _create_tables(session)


UPGRADES: dict[int, Callable[[Session], None]] = {1: _add_verdicts, 2: _create_tables}
"""What brings the `penstock_*` tables from a version to the next one."""


def prepare(session: Session, *, create: bool) -> str | None:
    """Create what is missing and upgrade what is old; return where a backup lies, if one was made.

    Any number of processes may do so at once; one of them works, the others wait.

    Args:
        session: An open session.
        create: Whether an empty database may be filled.

    Raises:
        SchemaMismatch: If ML Metadata's version is not 10, or ours is newer than this code.
        StoreCorrupt: If some of ML Metadata's tables are there and others are not.
        StoreUnavailable: If there are no tables and `create` is false.
    """
    if _is_current(session):
        return None
    with session.schema_lock():
        if _is_current(session):
            return None
        return _bring_up_to_date(session, create=create)


def check(session: Session) -> None:
    """Raise unless the store can be read as it is: for stores opened read-only."""
    if not _is_current(session):
        raise SchemaMismatch(
            f"The store {session.location} lacks Penstock's tables of version {tables.VERSION}. "
            "Open it for writing once to add them."
        )


def _is_current(session: Session) -> bool:
    there = session.table_names()
    if "penstock_version" not in there or not there >= MLMD_TABLES:
        return False
    return _mlmd_version(session) == MLMD_VERSION and _version(session, there) == tables.VERSION


def _mlmd_version(session: Session) -> int | None:
    rows = session.query("SELECT schema_version FROM MLMDEnv")
    if len(rows) > 1:
        raise StoreCorrupt(f"MLMDEnv of the store {session.location} has {len(rows)} rows, not 1.")
    version = int(rows[0][0]) if rows else None
    if version is not None and version != MLMD_VERSION:
        advice = (
            "Upgrade it with ml_metadata 1.17.1 (enable_upgrade_migration=True) first."
            if version < MLMD_VERSION
            else "Use a newer Penstock."
        )
        raise SchemaMismatch(
            f"The store {session.location} has ML Metadata's schema version {version}; expected "
            f"{MLMD_VERSION}. {advice}"
        )
    return version


def _version(session: Session, there: set[str]) -> int:
    if "penstock_version" not in there:
        return 0
    rows = session.query("SELECT max(version) FROM penstock_version")
    version = int(rows[0][0] or 0)
    if version > tables.VERSION:
        raise SchemaMismatch(
            f"The store {session.location} was written by a newer Penstock (its tables have version "
            f"{version}, this code knows {tables.VERSION}). Upgrade Penstock."
        )
    return version


def _bring_up_to_date(session: Session, *, create: bool) -> str | None:
    there = session.table_names()
    mlmd = there & MLMD_TABLES
    if not mlmd and not create:
        raise StoreUnavailable(f"The store {session.location} is empty: it has no tables.")
    if mlmd and mlmd != MLMD_TABLES and session.ddl_is_transactional:
        raise StoreCorrupt(
            f"The store {session.location} has only {len(mlmd)} of ML Metadata's "
            f"{len(MLMD_TABLES)} tables; {sorted(MLMD_TABLES - mlmd)[0]} is missing, for one. "
            "Restore a backup."
        )
    backup = None
    if mlmd == MLMD_TABLES and _mlmd_version(session) is not None:
        stamp = datetime.datetime.now().strftime("%Y%m%dT%H%M%S")
        backup = session.back_up(f"v{_version(session, there)}-{stamp}")
    if mlmd != MLMD_TABLES:
        for text in session.mlmd_statements():
            session.execute_unless_there(text)
    elif not _version(session, there):
        for text in session.widen_statements():
            session.execute(text)
    if _mlmd_version(session) is None:
        session.execute("INSERT INTO MLMDEnv(schema_version) VALUES (?)", (MLMD_VERSION,))
    version = _version(session, there)
    if version == 0:
        _create_tables(session)
    else:
        for old in range(version, tables.VERSION):
            UPGRADES[old](session)
    _add_types(session)
    session.execute("DELETE FROM penstock_version")
    session.execute("INSERT INTO penstock_version(version) VALUES (?)", (tables.VERSION,))
    return backup


def _add_types(session: Session) -> None:
    registry = TypeRegistry(session)
    registry.load()
    for name, kind in BASE_TYPES:
        if registry.find(kind, name) is None:
            session.insert(sql.TYPE, [(name, int(kind))])
    for name in CONTEXT_TYPES:
        if registry.find(TypeKind.CONTEXT, name) is None:
            session.insert(sql.TYPE, [(name, int(TypeKind.CONTEXT))])
