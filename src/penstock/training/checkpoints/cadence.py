"""When a checkpoint is due."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

Every: TypeAlias = int | Literal["epoch"] | None

SECONDS_BETWEEN = 30.0
"""Time between two checkpoints within an epoch."""

_LARGEST_SHARE = 0.02
"""Of the time of training, for checkpoints that nobody asked for."""

_STEPS_TO_MEASURE = 20
"""After which the processes of a group know how long a step takes."""


class Cadence:
    """Says when a checkpoint is due.

    All processes of a group must come to the same answer, for reading the metrics within an epoch takes
    all of them. So there the answer follows from the number of the step, and the time that a step takes
    is the mean over the processes.

    Args:
        every: A number of steps, or "epoch". None is every epoch and every 30 seconds in it, as long as
            it takes less than 2 % of the time.
        mean: Returns the mean of a number over the processes; None for a process that trains alone.

    Raises:
        ValueError: If `every` is neither.
    """

    def __init__(self, every: Any = None, mean: Callable[[float], float] | None = None) -> None:
        if not (every is None or every == "epoch" or (type(every) is int and every > 0)):
            raise ValueError(
                'checkpoint_every is a number of steps, or "epoch"; None is every epoch and every '
                f"{SECONDS_BETWEEN:.0f} s. Received: {every!r}"
            )
        self._every: Every = every
        self._mean = mean
        self._last = self._measured = time.monotonic()
        self._last_step: int | None = None
        self._steps = 0
        self._due = False
        self.cost = 0.0
        """Seconds that the last checkpoint took."""

    def saved(self) -> None:
        """Note that a checkpoint was written."""
        self._last = time.monotonic()

    def after_step(self, step: int) -> bool:
        """Return whether a checkpoint is due after a step within an epoch."""
        if self._every is not None:
            self._due = self._every != "epoch" and step % self._every == 0
            return self._due
        if self._mean is None:
            return time.monotonic() - self._last > self._wait()
        if self._last_step is None:
            # The first step compiles, and says nothing about the others.
            self._last_step, self._measured = step, time.monotonic()
        passed = step - self._last_step
        if passed < (self._steps or _STEPS_TO_MEASURE):
            return False
        due = self._steps > 0
        now = time.monotonic()
        pace = self._mean((now - self._measured) / passed)
        self._steps = max(1, int(self._mean(self._wait()) / max(pace, 1e-6)))
        self._last_step, self._measured = step, now
        return due

    def after_epoch(self) -> bool:
        """Return whether a checkpoint is due at the end of an epoch."""
        if self._every is not None:
            # What is due after the last step of an epoch is written with the epoch's end.
            return self._every == "epoch" or self._due
        return (time.monotonic() - self._last) * _LARGEST_SHARE >= self.cost

    def _wait(self) -> float:
        return max(SECONDS_BETWEEN, self.cost / _LARGEST_SHARE)
