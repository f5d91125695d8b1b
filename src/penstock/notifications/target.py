"""Whom a notification goes to, and about what."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence

from penstock.notifications.event import RunEvent
from penstock.notifications.verdict_filter import VerdictFilter

OCCASIONS = ("failure", "verdict", "success")


class DeliveryError(Exception):
    """A notification was not delivered; the message says why, without any secret."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target(ABC):
    """Somebody who is told of runs.

    Args:
        name: Its name, for messages.
        on: When it is told: on a `failure`, a `verdict`, a `success`.
        pipelines: Of which pipelines; all when empty.
        verdicts: Of which verdicts; every one that is bad news when empty.
    """

    name: str
    on: Sequence[str] = ("failure", "verdict")
    pipelines: Sequence[str] = ()
    verdicts: Sequence[VerdictFilter] = ()

    def wants(self, event: RunEvent) -> bool:
        """Return whether it is told of an event."""
        if self.pipelines and event.pipeline not in self.pipelines:
            return False
        if "failure" in self.on and event.failed:
            return True
        if "success" in self.on and event.state == "COMPLETE":
            return True
        return "verdict" in self.on and self._wants_verdict(event)

    def _wants_verdict(self, event: RunEvent) -> bool:
        if self.verdicts:
            return any(each.passes(event) for each in self.verdicts)
        return any(not each.ok for each in event.verdicts.values())

    @abstractmethod
    def send(self, event: RunEvent) -> None:
        """Send a notification.

        Raises:
            DeliveryError: If it was not taken.
        """
