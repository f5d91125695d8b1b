"""The metadata store: ML Metadata's schema version 10 on SQLite, PostgreSQL and MySQL.

Nothing is imported until it is asked for, so that `import penstock.store` costs no SQLAlchemy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.store.exceptions import (
        LeaseHeld,
        MissingDriver,
        PropertyConflict,
        RecordNotFound,
        SchemaMismatch,
        StoreBusy,
        StoreCorrupt,
        StoreError,
        StoreFull,
        StoreReadOnly,
        StoreUnavailable,
    )
    from penstock.store.leases import Lease
    from penstock.store.queries.upkeep import StoreHealth
    from penstock.store.records import (
        ArtifactRecord,
        CachedExecution,
        EpochRecord,
        EventType,
        ExecutionRecord,
        ExecutionState,
        Lineage,
        LineageEdge,
        Rejection,
        RunRecord,
        RunState,
        Usage,
    )
    from penstock.store.store import MetadataStore

_MODULES = {
    "exceptions": (
        "LeaseHeld",
        "MissingDriver",
        "PropertyConflict",
        "RecordNotFound",
        "SchemaMismatch",
        "StoreBusy",
        "StoreCorrupt",
        "StoreError",
        "StoreFull",
        "StoreReadOnly",
        "StoreUnavailable",
    ),
    "records": (
        "ArtifactRecord",
        "CachedExecution",
        "EpochRecord",
        "EventType",
        "ExecutionRecord",
        "ExecutionState",
        "Lineage",
        "LineageEdge",
        "Rejection",
        "Usage",
        "RunRecord",
        "RunState",
    ),
    "leases": ("Lease",),
    "queries.upkeep": ("StoreHealth",),
    "store": ("MetadataStore",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [  # noqa: RUF022 - by module
    "MetadataStore",
    "ArtifactRecord",
    "CachedExecution",
    "EpochRecord",
    "EventType",
    "ExecutionRecord",
    "ExecutionState",
    "Lease",
    "LeaseHeld",
    "Lineage",
    "LineageEdge",
    "MissingDriver",
    "PropertyConflict",
    "RecordNotFound",
    "Rejection",
    "Usage",
    "RunRecord",
    "RunState",
    "SchemaMismatch",
    "StoreBusy",
    "StoreCorrupt",
    "StoreError",
    "StoreFull",
    "StoreHealth",
    "StoreReadOnly",
    "StoreUnavailable",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOME)
