"""An execution's verdict: a sentence, and whether it is good news."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

LONGEST = 400
"""The most characters that a verdict has; details belong in an output or the log."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """One line that is shown beside a node wherever a run is displayed.

    Args:
        text: The sentence, without a full stop; line breaks become spaces, and it is cut at 400
            characters.
        ok: Whether it is good news.

    Raises:
        TypeError: If `text` is not a string.

    Example:
        >>> Verdict("not blessed: auc 0.61 below 0.7", ok=False)
        Verdict(text='not blessed: auc 0.61 below 0.7', ok=False)
    """

    text: str
    ok: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise TypeError(f"A verdict is a sentence (str). Received: {self.text!r}")
        line = " ".join(self.text.split())
        if len(line) > LONGEST:
            line = f"{line[: LONGEST - 3].rstrip()}..."
        object.__setattr__(self, "text", line)
        object.__setattr__(self, "ok", bool(self.ok))

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as a JSON value for `from_json`."""
        return {"ok": self.ok, "text": self.text}

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self | None:
        """Return the verdict that `to_json` was called on; None for None."""
        return None if value is None else cls(value["text"], bool(value["ok"]))
