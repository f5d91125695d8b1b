"""Where a Pusher pushes to: TFX's message as dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

VERSIONINGS = ("auto", "unix_timestamp", "next")


@dataclass(frozen=True)
class Filesystem:
    """A folder that a server watches.

    Args:
        base_directory: The folder of all versions.
        versioning: "auto" and "unix_timestamp" name versions by the time in seconds, "next" counts.
    """

    base_directory: str
    versioning: str = "auto"

    def __post_init__(self) -> None:
        if not self.base_directory:
            raise ValueError("Filesystem needs a base_directory. Received: ''")
        if self.versioning not in VERSIONINGS:
            raise ValueError(
                f"versioning must be one of {list(VERSIONINGS)}. "
                f"Received: versioning={self.versioning!r}"
            )


@dataclass(frozen=True)
class PushDestination:
    """Where to push to.

    Args:
        filesystem: A folder.

    Example:
        >>> PushDestination(filesystem=Filesystem(base_directory="serving/penguin"))
    """

    filesystem: Filesystem

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as JSON values."""
        return {"filesystem": asdict(self.filesystem)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Builds it from what `to_json` returned."""
        return cls(filesystem=Filesystem(**value["filesystem"]))


# TFX nests the message.
PushDestination.Filesystem = Filesystem  # type: ignore[attr-defined]
