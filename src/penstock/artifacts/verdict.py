"""What an execution says of what it judged: a sentence, and whether it is good news."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

LONGEST = 400
"""Characters of a verdict at most; details belong into an output or the log."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """One line that stands beside a node wherever a run is shown.

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
            raise TypeError(f"A verdict is a sentence, as text. Received: {self.text!r}")
        line = " ".join(self.text.split())
        if len(line) > LONGEST:
            line = f"{line[: LONGEST - 3].rstrip()}..."
        object.__setattr__(self, "text", line)
        object.__setattr__(self, "ok", bool(self.ok))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, from which `from_json` makes an equal verdict."""
        return {"ok": self.ok, "text": self.text}

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self | None:
        """Return the verdict that `to_json` was called on; None for None."""
        return None if value is None else cls(value["text"], bool(value["ok"]))
