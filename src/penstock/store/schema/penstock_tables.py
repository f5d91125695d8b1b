"""Penstock's own tables, beside ML Metadata's in the same database."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

VERSION = 3
"""Version of the `penstock_*` tables."""

metadata = sa.MetaData()

_OPTIONS: dict[str, Any] = {
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mysql_engine": "InnoDB",
}
_LONG = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
# Ordered by code point, so that the beginning of a run's id is a range of the index.
_NAME = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")
# On SQLite only INTEGER PRIMARY KEY is the table's own key; any other costs an index.
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _table(name: str, *items: sa.Column[Any] | sa.Index) -> sa.Table:
    return sa.Table(name, metadata, *items, **_OPTIONS)


version = _table("penstock_version", sa.Column("version", sa.Integer, primary_key=True))

run = _table(
    "penstock_run",
    sa.Column("run_id", _NAME, primary_key=True),
    sa.Column("pipeline", _NAME, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("started", sa.BigInteger, nullable=False),
    sa.Column("finished", sa.BigInteger),
    sa.Column("error", _LONG),
    sa.Column("graph_digest", _NAME, nullable=False),
    sa.Column("parameters", _LONG, nullable=False),
    sa.Column("command", _LONG, nullable=False),
    sa.Column("git_commit", sa.String(64)),
    sa.Column("dirty", sa.SmallInteger),
    sa.Column("environment_fingerprint", _NAME, nullable=False),
    sa.Column("seed", sa.BigInteger),
    sa.Column("is_deterministic", sa.SmallInteger, nullable=False),
    sa.Column("root", _LONG, nullable=False),
    sa.Column("project", _LONG, nullable=False),
    sa.Column("labels", _LONG, nullable=False),
    sa.Column("stop_requested", sa.SmallInteger, nullable=False),
    sa.Column("paused_seconds", sa.Double),
    sa.Index("penstock_run_started", "started"),
    sa.Index("penstock_run_pipeline", "pipeline", "started"),
    sa.Index("penstock_run_state", "state"),
)

graph = _table(
    "penstock_graph",
    sa.Column("digest", _NAME, primary_key=True),
    sa.Column("graph", _LONG, nullable=False),
)

environment = _table(
    "penstock_environment",
    sa.Column("fingerprint", _NAME, primary_key=True),
    sa.Column("environment", _LONG, nullable=False),
)

execution = _table(
    "penstock_execution",
    sa.Column("execution_id", _ID, primary_key=True, autoincrement=False),
    sa.Column("run_id", _NAME, nullable=False),
    sa.Column("pipeline", _NAME, nullable=False),
    sa.Column("node_id", _NAME, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("cache_key", _NAME),
    sa.Column("key_parts", _LONG),
    sa.Column("lease", _NAME, nullable=False),
    sa.Column("log_path", _LONG),
    sa.Column("started", sa.BigInteger, nullable=False),
    sa.Column("finished", sa.BigInteger),
    sa.Column("error", _LONG),
    sa.Column("wall_seconds", sa.Double),
    sa.Column("cpu_seconds", sa.Double),
    sa.Column("peak_rss_bytes", sa.BigInteger),
    sa.Column("bytes_written", sa.BigInteger),
    sa.Column("metrics", _LONG),
    sa.Column("cached_from", sa.BigInteger),
    sa.Column("verdict", _LONG),
    sa.Column("start_seconds", sa.Double),
    sa.Index("penstock_execution_cache", "cache_key", "execution_id"),
    sa.Index("penstock_execution_run", "run_id", "node_id", "execution_id"),
    sa.Index("penstock_execution_node", "pipeline", "node_id", "execution_id"),
    sa.Index("penstock_execution_unfinished", "finished", "lease"),
)

artifact = _table(
    "penstock_artifact",
    sa.Column("artifact_id", _ID, primary_key=True, autoincrement=False),
    sa.Column("fingerprint", _NAME),
    sa.Column("execution_id", sa.BigInteger, nullable=False),
    sa.Column("output_key", _NAME, nullable=False),
    sa.Column("output_index", sa.Integer, nullable=False),
    sa.Index("penstock_artifact_execution", "execution_id"),
)

epoch = _table(
    "penstock_epoch",
    sa.Column("execution_id", _ID, primary_key=True, autoincrement=False),
    sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("reported", sa.BigInteger, nullable=False),
    sa.Column("metrics", _LONG, nullable=False),
)

rejection = _table(
    "penstock_rejection",
    sa.Column("artifact_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("pipeline", _NAME, primary_key=True),
    sa.Column("node_id", _NAME, primary_key=True),
    sa.Column("execution_id", sa.BigInteger, nullable=False),
)

alias = _table(
    "penstock_alias",
    sa.Column("alias", _NAME, primary_key=True),
    sa.Column("artifact_id", sa.BigInteger, nullable=False),
    sa.Column("set_at", sa.BigInteger, nullable=False),
    sa.Index("penstock_alias_artifact", "artifact_id"),
)

lease = _table(
    "penstock_lease",
    sa.Column("name", _NAME, primary_key=True),
    sa.Column("owner", _NAME, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
)
