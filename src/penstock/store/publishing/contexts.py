"""Contexts: pipeline, pipeline_run, node and execution_cache."""

from __future__ import annotations

import time
from collections.abc import Sequence

from penstock.store import sql
from penstock.store.schema.type_registry import TypeRegistry
from penstock.store.session import Row, Session, Statement

ContextName = tuple[str, str]
"""Type and name of a context."""


class Contexts:
    """Ids of the contexts, written when first needed and kept.

    Args:
        session: Where to read and write.
        types: The registry of types.
    """

    def __init__(self, session: Session, types: TypeRegistry) -> None:
        self._session = session
        self._types = types
        self._ids: dict[ContextName, int] = {}

    def known(self, names: Sequence[ContextName]) -> list[int] | None:
        """Return the ids if all of them are known in memory."""
        ids = [self._ids.get(name) for name in names]
        return None if None in ids else [number for number in ids if number is not None]

    def find(self, names: Sequence[ContextName]) -> list[int] | None:
        """Return the ids of contexts, or None if one of them is not in the store."""
        ids = []
        for kind, name in names:
            number = self._ids.get((kind, name))
            if number is None:
                rows = self._session.query(
                    "SELECT id FROM Context WHERE type_id = ? AND name = ?",
                    (self._types.context(kind), name),
                )
                if not rows:
                    return None
                number = self._ids[kind, name] = int(rows[0][0])
            ids.append(number)
        return ids

    def upsert(self, names: Sequence[ContextName]) -> Statement:
        """Write those contexts that are missing, and return the statement that reads their ids.

        Its answer goes to `remember`. The statement is left to the caller, who can send it together
        with others.
        """
        missing = [name for name in names if name not in self._ids]
        now = time.time_ns() // 1_000_000
        typed = [(self._types.context(kind), name) for kind, name in missing]
        self._session.insert(sql.CONTEXT, [(kind, name, now, now) for kind, name in typed])
        where = " OR ".join(["(c.type_id = ? AND c.name = ?)"] * len(typed))
        text = (
            "SELECT t.name, c.name, c.id FROM Context c JOIN Type t ON t.id = c.type_id "
            f"WHERE {where}"
        )
        return text, [value for pair in typed for value in pair]

    def remember(self, rows: Sequence[Row]) -> None:
        """Keep the ids that the statement of `upsert` answered with."""
        for kind, name, number in rows:
            self._ids[kind, name] = number
        self._session.on_rollback(self._ids.clear)

    def ids(self, *names: ContextName) -> list[int]:
        """Return the ids of the contexts, written if need be."""
        known = self.known(names)
        if known is None:
            self.remember(self._session.fetch(self.upsert(names))[0])
            known = [self._ids[name] for name in names]
        return known

    def run(self, pipeline: str, run_id: str) -> None:
        """Write the contexts of a pipeline and its run, the run a child of the pipeline."""
        parent, child = self.ids(("pipeline", pipeline), ("pipeline_run", run_id))
        self._session.insert(sql.PARENT_CONTEXT, [(child, parent)])
