"""Texts of the statements that every node needs, and how each engine spells an insert.

Names are left unquoted: SQLite ignores their case, MySQL keeps it, and PostgreSQL folds it to
lower case, as ML Metadata's own tables on these engines do. A parameter is `?`, which the session
translates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Insert:
    """An insert into `table`.

    Args:
        table: Name of the table.
        columns: Names of the columns, in the order of a row's values.
        ignore: Leave a row alone whose unique key is there already.
    """

    table: str
    columns: tuple[str, ...]
    ignore: bool = False


class InsertSyntax(NamedTuple):
    """How a database spells an insert.

    Args:
        ignoring: The verb that leaves a row alone whose unique key is there.
        unless_there: What ends such a statement.
        returning: What ends a statement whose new id is wanted.
    """

    ignoring: str = "INSERT"
    unless_there: str = " ON CONFLICT DO NOTHING"
    returning: str = ""


@lru_cache(maxsize=512)
def insert_text(
    insert: Insert, syntax: InsertSyntax, rows: int = 1, returning: bool = False
) -> str:
    """Return the insert's text for so many rows."""
    verb = syntax.ignoring if insert.ignore else "INSERT"
    one = "(" + ",".join("?" * len(insert.columns)) + ")"
    text = f"{verb} INTO {insert.table}({','.join(insert.columns)}) VALUES {','.join([one] * rows)}"
    if insert.ignore:
        text += syntax.unless_there
    return text + syntax.returning if returning else text


_PROPERTY = ("name", "is_custom_property", "int_value", "double_value", "string_value")

TYPE = Insert("Type", ("name", "type_kind"))
TYPE_PROPERTY = Insert("TypeProperty", ("type_id", "name", "data_type"))
PARENT_TYPE = Insert("ParentType", ("type_id", "parent_type_id"), ignore=True)
CONTEXT = Insert(
    "Context",
    ("type_id", "name", "create_time_since_epoch", "last_update_time_since_epoch"),
    ignore=True,
)
PARENT_CONTEXT = Insert("ParentContext", ("context_id", "parent_context_id"), ignore=True)
ARTIFACT = Insert(
    "Artifact",
    (
        "type_id",
        "uri",
        "state",
        "name",
        "create_time_since_epoch",
        "last_update_time_since_epoch",
    ),
)
ARTIFACT_PROPERTY = Insert("ArtifactProperty", ("artifact_id", *_PROPERTY, "bool_value"))
EXECUTION = Insert(
    "Execution",
    (
        "type_id",
        "last_known_state",
        "name",
        "create_time_since_epoch",
        "last_update_time_since_epoch",
    ),
)
EXECUTION_PROPERTY = Insert("ExecutionProperty", ("execution_id", *_PROPERTY))
EVENT = Insert("Event", ("artifact_id", "execution_id", "type", "milliseconds_since_epoch"))
ASSOCIATION = Insert("Association", ("context_id", "execution_id"), ignore=True)
ATTRIBUTION = Insert("Attribution", ("context_id", "artifact_id"), ignore=True)

PENSTOCK_RUN = Insert(
    "penstock_run",
    (
        "run_id",
        "pipeline",
        "state",
        "started",
        "graph_digest",
        "parameters",
        "command",
        "git_commit",
        "dirty",
        "environment_fingerprint",
        "seed",
        "is_deterministic",
        "root",
        "project",
        "labels",
        "stop_requested",
    ),
)
PENSTOCK_GRAPH = Insert("penstock_graph", ("digest", "graph"), ignore=True)
PENSTOCK_ENVIRONMENT = Insert("penstock_environment", ("fingerprint", "environment"), ignore=True)
PENSTOCK_EXECUTION = Insert(
    "penstock_execution",
    (
        "execution_id",
        "run_id",
        "pipeline",
        "node_id",
        "attempt",
        "cache_key",
        "key_parts",
        "lease",
        "log_path",
        "started",
        "finished",
        "cached_from",
    ),
)
PENSTOCK_REJECTION = Insert(
    "penstock_rejection", ("artifact_id", "pipeline", "node_id", "execution_id")
)
PENSTOCK_EPOCH = Insert("penstock_epoch", ("execution_id", "epoch", "reported", "metrics"))
PENSTOCK_ARTIFACT = Insert(
    "penstock_artifact",
    ("artifact_id", "fingerprint", "execution_id", "output_key", "output_index"),
)

# The id of an event is not known before it is written, and a round trip is dear.
EVENT_PATH = (
    "INSERT INTO EventPath(event_id, is_index_step, step_index, step_key) "
    "SELECT id, ?, ?, ? FROM Event WHERE artifact_id = ? AND execution_id = ? AND type = ?"
)
