"""ML Metadata's schema version 10 on PostgreSQL and MySQL, as statements.

As the client `ml_metadata` 1.17.1 creates it there, but for two things that it does not look at:
`int_value` has 64 bits (there 32: a seed or a size in bytes would not fit), and PostgreSQL's
indexes over long texts hold their first 255 characters (there all, and a text of more than 2.7 kB
cannot be stored). On SQLite the tables are `ddl_sqlite`'s, to the letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

_ID = "id {serial} PRIMARY KEY"
_EXTERNAL = "external_id VARCHAR(255) UNIQUE"
_TIMES = (
    "create_time_since_epoch BIGINT NOT NULL DEFAULT 0, "
    "last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0"
)
_VALUES = (
    "name VARCHAR(255) NOT NULL, is_custom_property BOOLEAN NOT NULL, int_value BIGINT, "
    "double_value DOUBLE PRECISION, string_value {text}, byte_value {bytes}, "
    "proto_value {bytes}, bool_value BOOLEAN"
)

_TABLES = {
    "Type": f"{_ID}, name VARCHAR(255) NOT NULL, version VARCHAR(255), type_kind SMALLINT NOT NULL, "
    f"description TEXT, input_type TEXT, output_type TEXT, {_EXTERNAL}",
    "TypeProperty": "type_id INT NOT NULL, name VARCHAR(255) NOT NULL, data_type INT, "
    "PRIMARY KEY (type_id, name)",
    "ParentType": "type_id INT NOT NULL, parent_type_id INT NOT NULL, "
    "PRIMARY KEY (type_id, parent_type_id)",
    "Artifact": f"{_ID}, type_id INT NOT NULL, uri TEXT, state INT, name VARCHAR(255), {_EXTERNAL}, "
    f"{_TIMES}, CONSTRAINT UniqueArtifactTypeName UNIQUE (type_id, name)",
    "ArtifactProperty": f"artifact_id INT NOT NULL, {_VALUES}, "
    "PRIMARY KEY (artifact_id, name, is_custom_property)",
    "Execution": f"{_ID}, type_id INT NOT NULL, last_known_state INT, name VARCHAR(255), "
    f"{_EXTERNAL}, {_TIMES}, CONSTRAINT UniqueExecutionTypeName UNIQUE (type_id, name)",
    "ExecutionProperty": f"execution_id INT NOT NULL, {_VALUES}, "
    "PRIMARY KEY (execution_id, name, is_custom_property)",
    "Event": f"{_ID}, artifact_id INT NOT NULL, execution_id INT NOT NULL, type INT NOT NULL, "
    "milliseconds_since_epoch BIGINT, "
    "CONSTRAINT UniqueEvent UNIQUE (artifact_id, execution_id, type)",
    "EventPath": "event_id INT NOT NULL, is_index_step BOOLEAN NOT NULL, step_index INT, "
    "step_key TEXT",
    "MLMDEnv": "schema_version INTEGER PRIMARY KEY",
    "Context": f"{_ID}, type_id INT NOT NULL, name VARCHAR(255) NOT NULL, {_EXTERNAL}, {_TIMES}, "
    "UNIQUE (type_id, name)",
    "ContextProperty": f"context_id INT NOT NULL, {_VALUES}, "
    "PRIMARY KEY (context_id, name, is_custom_property)",
    "ParentContext": "context_id INT NOT NULL, parent_context_id INT NOT NULL, "
    "PRIMARY KEY (context_id, parent_context_id)",
    "Association": f"{_ID}, context_id INT NOT NULL, execution_id INT NOT NULL, "
    "UNIQUE (context_id, execution_id)",
    "Attribution": f"{_ID}, context_id INT NOT NULL, artifact_id INT NOT NULL, "
    "UNIQUE (context_id, artifact_id)",
}

_INDEXES = {
    "idx_artifact_uri": "Artifact({uri})",
    "idx_event_execution_id": "Event(execution_id)",
    "idx_parentcontext_parent_context_id": "ParentContext(parent_context_id)",
    "idx_type_name": "Type(name)",
    "idx_eventpath_event_id": "EventPath(event_id)",
    **{
        f"idx_{table.lower()}_{column}": f"{table}({column})"
        for table in ("Artifact", "Execution", "Context")
        for column in ("create_time_since_epoch", "last_update_time_since_epoch", "external_id")
    },
    "idx_type_external_id": "Type(external_id)",
    **{
        f"idx_{table.lower()}_property_{kind}": f"{table}Property(name, is_custom_property, {column})"
        for table in ("Artifact", "Execution", "Context")
        for kind, column in (
            ("int", "int_value"),
            ("double", "double_value"),
            ("string", "{string_value}"),
        )
    },
}

_LONG = ("idx_artifact_uri", *(f"idx_{t}_property_string" for t in ("artifact", "execution")))


class TableSyntax(NamedTuple):
    """How a database spells tables and indexes.

    Args:
        words: What it calls types, and long columns in indexes.
        options: What ends a CREATE TABLE.
        unless_there: What keeps CREATE INDEX from failing where it is there; MySQL has no such words.
        widen: What makes a column wider in an ALTER TABLE.
        indexes_whole_columns: Whether the client's indexes over long texts may stay as they are.
    """

    words: Mapping[str, str]
    options: str
    unless_there: str
    widen: str
    indexes_whole_columns: bool


POSTGRESQL = TableSyntax(
    {
        "serial": "SERIAL",
        "text": "TEXT",
        "bytes": "BYTEA",
        "uri": '"left"(uri, 255)',
        "string_value": '"left"(string_value, 255)',
    },
    options="",
    unless_there="IF NOT EXISTS ",
    widen="ALTER COLUMN int_value TYPE",
    indexes_whole_columns=False,
)
MYSQL = TableSyntax(
    {
        "serial": "INT AUTO_INCREMENT",
        "text": "MEDIUMTEXT",
        "bytes": "MEDIUMBLOB",
        "uri": "uri(255)",
        "string_value": "string_value(255)",
    },
    options=" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
    unless_there="",
    widen="MODIFY int_value",
    indexes_whole_columns=True,
)


def create_statements(syntax: TableSyntax) -> list[str]:
    """Return what creates the tables and indexes that are missing."""
    return [
        f"CREATE TABLE IF NOT EXISTS {name} ({columns.format(**syntax.words)}){syntax.options}"
        for name, columns in _TABLES.items()
    ] + [
        f"CREATE INDEX {syntax.unless_there}{name} ON {where.format(**syntax.words)}"
        for name, where in _INDEXES.items()
    ]


def widen_statements(syntax: TableSyntax) -> list[str]:
    """Return what gives tables that ML Metadata's client created our two differences."""
    owners = ("ArtifactProperty", "ExecutionProperty")
    widths = [f"ALTER TABLE {table} {syntax.widen} BIGINT" for table in owners]
    if syntax.indexes_whole_columns:
        return widths
    return widths + [
        text
        for name in _LONG
        for text in (
            f"DROP INDEX IF EXISTS {name}",
            f"CREATE INDEX {name} ON {_INDEXES[name].format(**syntax.words)}",
        )
    ]
