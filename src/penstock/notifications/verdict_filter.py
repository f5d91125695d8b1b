"""Which verdicts something waits for: a notification, or a pipeline that comes after another."""

from __future__ import annotations

import dataclasses
from typing import Self

from penstock.notifications.event import RunEvent


@dataclasses.dataclass(frozen=True, slots=True)
class VerdictFilter:
    """A verdict of a node.

    Args:
        node: The node.
        verdict: The word that its output `verdict` holds, or the beginning of its sentence; "" for any
            verdict that is bad news.

    Example:
        >>> VerdictFilter.parse("DriftMonitor=drift")
        VerdictFilter(node='DriftMonitor', verdict='drift')
    """

    node: str
    verdict: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `NODE=VERDICT`, or `NODE` for any bad news.

        Raises:
            ValueError: If it names no node or, after a `=`, no verdict.
        """
        node, equals, verdict = (part.strip() for part in text.partition("="))
        if not node or (equals and not verdict):
            raise ValueError(
                "takes NODE=VERDICT, as DriftMonitor=drift, or NODE for any bad news. "
                f"Received: {text!r}"
            )
        return cls(node, verdict)

    def __str__(self) -> str:
        return f"{self.node}={self.verdict}" if self.verdict else self.node

    def passes(self, event: RunEvent) -> bool:
        """Return whether a run came to such a verdict."""
        said = event.verdicts.get(self.node)
        if not self.verdict:
            return said is not None and not said.ok
        if self.node in event.words:
            return event.words[self.node] == self.verdict
        return said is not None and said.text.casefold().startswith(self.verdict.casefold())
