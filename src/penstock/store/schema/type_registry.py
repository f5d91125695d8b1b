"""Types of artifacts, executions and contexts: one row each, registered when first needed."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from penstock.artifacts import Artifact, PropertyType
from penstock.store import sql
from penstock.store.exceptions import PropertyConflict
from penstock.store.schema.properties import PROPERTY_NUMBERS
from penstock.store.session import Session


class TypeKind(enum.IntEnum):
    """Kind of a type, with ML Metadata's numbers."""

    EXECUTION = 0
    ARTIFACT = 1
    CONTEXT = 2


BASE_TYPES: tuple[tuple[str, TypeKind], ...] = (
    ("mlmd.Dataset", TypeKind.ARTIFACT),
    ("mlmd.Model", TypeKind.ARTIFACT),
    ("mlmd.Metrics", TypeKind.ARTIFACT),
    ("mlmd.Statistics", TypeKind.ARTIFACT),
    ("mlmd.Train", TypeKind.EXECUTION),
    ("mlmd.Transform", TypeKind.EXECUTION),
    ("mlmd.Process", TypeKind.EXECUTION),
    ("mlmd.Evaluate", TypeKind.EXECUTION),
    ("mlmd.Deploy", TypeKind.EXECUTION),
)
"""The simple types that ML Metadata's client adds to every store, in its order."""

CONTEXT_TYPES = ("pipeline", "pipeline_run", "node", "execution_cache")


class TypeRegistry:
    """Ids of the types, read once and kept.

    Args:
        session: Where to read and register.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ids: dict[tuple[TypeKind, str], int] = {}
        self._classes: dict[type[Artifact], tuple[int, Mapping[str, PropertyType]]] = {}

    def load(self) -> None:
        """Read all types of the store."""
        rows = self._session.query("SELECT type_kind, name, id FROM Type ORDER BY id DESC")
        for kind, name, number in rows:
            self._ids[TypeKind(kind), name] = number

    def find(self, kind: TypeKind, name: str) -> int | None:
        """Return the id of a type, or None if the store has none of that name."""
        number = self._ids.get((kind, name))
        if number is None:
            rows = self._session.query(
                "SELECT min(id) FROM Type WHERE name = ? AND type_kind = ?", (name, int(kind))
            )
            number = rows[0][0]
            if number is not None:
                self._remember(kind, name, number)
        return number

    def context(self, name: str) -> int:
        """Return the id of a context type, registering it if need be."""
        known = self._ids.get((TypeKind.CONTEXT, name))
        return self._ensure(TypeKind.CONTEXT, name, None) if known is None else known

    def execution(self, name: str, base_type: str | None) -> int:
        """Return the id of an execution type, registering it if need be."""
        known = self._ids.get((TypeKind.EXECUTION, name))
        return self._ensure(TypeKind.EXECUTION, name, base_type) if known is None else known

    def artifact(self, artifact_class: type[Artifact]) -> int:
        """Return the id of an artifact type; register it or its new properties if need be.

        Raises:
            PropertyConflict: If the store holds a property under another type.
        """
        declared = artifact_class.PROPERTIES
        known = self._classes.get(artifact_class)
        if known is not None and known[1] == declared:
            return known[0]
        name = artifact_class.TYPE_NAME

        def register() -> int:
            number = self._ensure(TypeKind.ARTIFACT, name, artifact_class.TYPE_ANNOTATION)
            self._add_properties(name, number, declared)
            return number

        number = self._session.atomically(register)
        self._classes[artifact_class] = number, dict(declared)
        self._session.on_rollback(lambda: self._classes.pop(artifact_class, None))
        return number

    def _remember(self, kind: TypeKind, name: str, number: int) -> None:
        self._ids[kind, name] = number
        self._session.on_rollback(lambda: self._ids.pop((kind, name), None))

    def _ensure(self, kind: TypeKind, name: str, base_type: str | None) -> int:
        number = self.find(kind, name)
        if number is not None:
            return number

        def register() -> int:
            self._session.lock_types()
            found = self.find(kind, name)
            if found is not None:
                return found
            ((new,),) = self._session.fetch((sql.TYPE, (name, int(kind))))[0]
            if base_type is not None:
                parent = self._ensure(kind, base_type, None)
                self._session.insert(sql.PARENT_TYPE, [(new, parent)])
            self._remember(kind, name, new)
            return int(new)

        return self._session.atomically(register)

    def _add_properties(self, name: str, number: int, declared: Mapping[str, PropertyType]) -> None:
        if not declared:
            return
        text = "SELECT name, data_type FROM TypeProperty WHERE type_id = ?"
        stored: dict[str, int] = dict(self._session.query(text, (number,)))
        if any(key not in stored for key in declared):
            self._session.lock_types()
            stored = dict(self._session.query(text, (number,)))
        rows = []
        for key, kind in declared.items():
            have = stored.get(key)
            if have is None:
                rows.append((number, key, PROPERTY_NUMBERS[kind]))
            elif have != PROPERTY_NUMBERS[kind]:
                held = next(k.value for k, n in PROPERTY_NUMBERS.items() if n == have)
                raise PropertyConflict(
                    f"The artifact type {name} declares the property {key!r} as {kind.value}; the "
                    f"store {self._session.location} holds it as {held}. Give the property another "
                    "name, or the artifact another TYPE_NAME."
                )
        self._session.insert(sql.TYPE_PROPERTY, rows)
