"""Artifacts read back: rows of `Artifact` and `ArtifactProperty` made into objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.artifacts import Artifact, ArtifactState, type_for_name
from penstock.store.schema.properties import decode_columns
from penstock.store.session import Row, Session

# A server's limit on parameters is 65,535, SQLite's 32,766.
_CHUNK = 5000


def build_artifact(
    number: int,
    type_name: str,
    uri: str | None,
    state: int | None,
    name: str | None,
    fingerprint: str | None,
) -> Artifact:
    """Return an artifact of the class registered for `type_name`, without properties.

    Of a type that has no class here (TFX or another project wrote it) it is a plain `Artifact` that
    bears the type's name.
    """
    artifact_class = type_for_name(type_name)
    artifact = (artifact_class or Artifact)(
        uri or "",
        id=number,
        name=name,
        state=ArtifactState(state or 0),
        fingerprint=fingerprint,
    )
    if artifact_class is None:
        artifact.__dict__["TYPE_NAME"] = type_name
    return artifact


def set_property(artifact: Artifact, name: str, is_custom: int, columns: Sequence[Any]) -> None:
    """Set one property from its columns int, double, string, bool."""
    target = artifact.custom_properties if is_custom else artifact.properties
    target[name] = decode_columns(columns[0], columns[1], columns[2], columns[3])


def read_properties(session: Session, artifacts: Sequence[Artifact]) -> None:
    """Read the properties of artifacts that have ids, in one query for five thousand of them."""
    for start in range(0, len(artifacts), _CHUNK):
        by_id: dict[int, list[Artifact]] = {}
        for artifact in artifacts[start : start + _CHUNK]:
            if artifact.id is not None:
                by_id.setdefault(artifact.id, []).append(artifact)
        if not by_id:
            continue
        marks = ",".join("?" * len(by_id))
        rows: list[Row] = session.query(
            "SELECT artifact_id, name, is_custom_property, int_value, double_value, string_value, "
            f"bool_value FROM ArtifactProperty WHERE artifact_id IN ({marks})",
            list(by_id),
        )
        for number, name, is_custom, *columns in rows:
            for artifact in by_id[number]:
                set_property(artifact, name, is_custom, columns)
