"""The destination of a Pusher: TFX's message as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.spelling import names_its_arguments

VERSIONINGS = ("auto", "unix_timestamp", "next")


@names_its_arguments
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
        if self.base_directory == "":
            raise ValueError("Filesystem needs a base_directory. Received: ''")
        if isinstance(self.versioning, str) and self.versioning not in VERSIONINGS:
            raise ValueError(
                f"versioning must be one of {list(VERSIONINGS)}. "
                f"Received: versioning={self.versioning!r}"
            )


@names_its_arguments
@dataclass(frozen=True)
class PushDestination:
    """The destination of a Pusher.

    Args:
        filesystem: A folder.

    Example:
        >>> PushDestination(filesystem=Filesystem(base_directory="serving/penguin"))
    """

    filesystem: Filesystem


# TFX nests the message.
PushDestination.Filesystem = Filesystem  # type: ignore[attr-defined]
