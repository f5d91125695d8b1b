"""What a check found."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or may be.

    Attributes:
        level: An error would fail the run; a warning may not.
        place: File, or file and line.
        message: What was given, what was expected and what to do.
        node: The node that it concerns, or None.
    """

    level: Literal["error", "warning"]
    place: str
    message: str
    node: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return dataclasses.asdict(self)
