"""The artifact: a typed, fingerprinted thing that an execution wrote."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, ClassVar, Self


class PropertyType(enum.Enum):
    """Declared type of an artifact property, as ML Metadata names it (`metadata_store.proto`)."""

    INT = "INT"
    FLOAT = "DOUBLE"
    STRING = "STRING"
    JSON_VALUE = "STRUCT"
    PROTO = "PROTO"
    BOOLEAN = "BOOLEAN"


class ArtifactState(enum.IntEnum):
    """State of an artifact, with ML Metadata's numbers."""

    UNKNOWN = 0
    PENDING = 1
    LIVE = 2
    MARKED_FOR_DELETION = 3
    DELETED = 4
    ABANDONED = 5
    REFERENCE = 6


_TYPES: dict[str, type[Artifact]] = {}


class Artifact:
    """Something that a component reads or writes: a folder (or file) with a type and properties.

    Subclasses set `TYPE_NAME` (how the metadata store names the type), `PROPERTIES` (the declared
    properties and their types) and `TYPE_ANNOTATION` (ML Metadata's base type, such as
    `mlmd.Dataset`). A subclass without a `TYPE_NAME` is named after the class.

    Args:
        uri: Folder or file, a local path or an fsspec URL.
        id: Row in the metadata store; None until published.
        name: Unique name within the type, or None.
        state: Its life cycle.
        properties: Values of declared properties; an undeclared name raises `KeyError`.
        custom_properties: Any further values (int, float, str, bool, or JSON lists and dicts).
        fingerprint: Digest of the content (see `fingerprint`); None if it was not computed.

    Example:
        >>> class Vocabulary(Artifact):
        ...     TYPE_NAME = "Vocabulary"
        ...     PROPERTIES = {"size": PropertyType.INT}
        >>> Vocabulary(uri="/tmp/v", properties={"size": 3}).properties["size"]
        3
    """

    TYPE_NAME: ClassVar[str] = "Artifact"
    PROPERTIES: ClassVar[Mapping[str, PropertyType]] = {}
    TYPE_ANNOTATION: ClassVar[str | None] = None

    def __init__(
        self,
        uri: str = "",
        *,
        id: int | None = None,
        name: str | None = None,
        state: ArtifactState = ArtifactState.UNKNOWN,
        properties: Mapping[str, Any] | None = None,
        custom_properties: Mapping[str, Any] | None = None,
        fingerprint: str | None = None,
    ) -> None:
        self.uri = str(uri)
        self.id = id
        self.name = name
        self.state = ArtifactState(state)
        unknown = sorted(set(properties or ()) - set(self.PROPERTIES))
        if unknown:
            raise KeyError(
                f"{self.TYPE_NAME} declares no property {unknown[0]!r}; it has "
                f"{sorted(self.PROPERTIES) or 'none'}. Put further values into custom_properties."
            )
        self.properties: dict[str, Any] = dict(properties or {})
        self.custom_properties: dict[str, Any] = dict(custom_properties or {})
        self.fingerprint = fingerprint

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "TYPE_NAME" not in cls.__dict__:
            cls.TYPE_NAME = cls.__name__
        _TYPES.setdefault(cls.TYPE_NAME, cls)

    def __repr__(self) -> str:
        where = f", id={self.id}" if self.id is not None else ""
        return f"{type(self).__name__}(uri={self.uri!r}{where})"

    def page_sections(self) -> Mapping[str, Any] | None:
        """Return what `penstock open` shows of the artifact, by heading; None for what its type has.

        A subclass of your own overrides it. A section is text (shown as it is, as a program prints it),
        a list of dicts (a table with a row for each), a dict (names and values), or markup that
        `penstock.cards.tag` made. What heads the page, where the artifact comes from, and its files
        are added.

        Example:
            >>> class Vocabulary(Artifact):
            ...     def page_sections(self):
            ...         terms = location.read_bytes(f"{self.uri}/terms.txt").decode().splitlines()
            ...         return {"Terms": [{"term": each, "length": len(each)} for each in terms]}
        """
        return None

    def to_json(self) -> dict[str, Any]:
        """Return the artifact as a JSON value for `from_json`."""
        return {
            "type": self.TYPE_NAME,
            "class": f"{type(self).__module__}:{type(self).__qualname__}",
            "uri": self.uri,
            "id": self.id,
            "name": self.name,
            "state": int(self.state),
            "properties": self.properties,
            "custom_properties": self.custom_properties,
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return an artifact of this class, equal to the one that `to_json` was called on."""
        return cls(
            value["uri"],
            id=value.get("id"),
            name=value.get("name"),
            state=ArtifactState(value.get("state", 0)),
            properties=value.get("properties"),
            custom_properties=value.get("custom_properties"),
            fingerprint=value.get("fingerprint"),
        )


def type_for_name(type_name: str) -> type[Artifact] | None:
    """Return the artifact class registered under `type_name`, or None.

    Example:
        >>> type_for_name("Artifact") is None
        True
    """
    return _TYPES.get(type_name)
