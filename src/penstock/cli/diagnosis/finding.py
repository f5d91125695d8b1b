"""What the doctor says of one thing."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal


@dataclasses.dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of one check.

    Attributes:
        level: good; warning: it works, but; problem: something will fail.
        topic: What was looked at.
        text: What was found.
        advice: What to do about it; empty where nothing is wrong.
    """

    level: Literal["good", "warning", "problem"]
    topic: str
    text: str
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return dataclasses.asdict(self)
