"""Delivering notifications: each target on its own, tried again where that may help."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable

from penstock.notifications.event import RunEvent
from penstock.notifications.target import DeliveryError, Target

_PAUSES = (1.0, 5.0)
"""Seconds before the second and the third try."""


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a notification.

    Args:
        target: The target's name.
        error: Why it was not delivered; "" if it was.
    """

    target: str
    error: str = ""


def deliver(
    event: RunEvent, targets: Iterable[Target], *, sleep: Callable[[float], object] = time.sleep
) -> list[Delivery]:
    """Tell those targets of an event that want to know; one that cannot be reached stops no other.

    Each is tried three times.

    Args:
        event: The event.
        targets: All targets.
        sleep: Waits between two tries.

    Example:
        >>> failed = RunEvent(pipeline="taxi", run_id="r", state="FAILED")
        >>> deliver(failed, read_targets("notifications.toml"))
        [Delivery(target='team', error='')]
    """
    return [_delivery(event, each, sleep) for each in targets if each.wants(event)]


def _delivery(event: RunEvent, target: Target, sleep: Callable[[float], object]) -> Delivery:
    error = ""
    for pause in (0.0, *_PAUSES):
        if pause:
            sleep(pause)
        try:
            target.send(event)
        except DeliveryError as failure:
            error = str(failure)
        else:
            return Delivery(target.name)
    return Delivery(target.name, error)
