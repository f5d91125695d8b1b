"""How long a training will still take."""

from __future__ import annotations

from collections.abc import Callable


class TimeLeft:
    """Estimates the seconds that are left from the pace of the steps and of what comes after them.

    The first step is not counted: it compiles. What comes between the last step of an epoch and the
    next epoch (validation, checkpoints, callbacks) is expected to last as it did in the last epoch.

    Args:
        now: A clock in seconds.

    Attributes:
        last_step: How many steps of the epoch are done.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._first: float | None = None
        self._counted = 0
        self._stepping = 0.0
        self._between = 0.0
        self.last_step = 0
        self._last_time: float | None = None
        self._epochs_seen = 0

    def begin_epoch(self) -> None:
        """Note that an epoch begins."""
        if self._last_time is not None and self._epochs_seen:
            self._between = max(0.0, self._now() - self._last_time)
        self._last_time, self.last_step = None, 0

    def step(self, step: int) -> None:
        """Note that so many steps of the epoch are done."""
        now = self._now()
        if self._last_time is not None and step > self.last_step:
            self._stepping += now - self._last_time
            self._counted += step - self.last_step
        if self._last_time is None or step > self.last_step:
            self._last_time, self.last_step = now, step

    def end_epoch(self) -> int:
        """Note that an epoch is over, and return its last step."""
        self._epochs_seen += 1
        return self.last_step

    def left(self, epoch: int, epochs: int | None, step: int, steps: int | None) -> float | None:
        """Return the seconds that are left, or None as long as nobody can know.

        Args:
            epoch: The epoch that is under way, from 0.
            epochs: How many there will be; None if that is not known.
            step: How many of its steps are done.
            steps: Steps of an epoch; None if that is not known.
        """
        if not epochs or not steps or not self._counted:
            return None
        remaining = max(0, (epochs - epoch) * steps - step)
        pace = self._stepping / self._counted
        return remaining * pace + max(0, epochs - epoch) * self._between


def clock(seconds: float) -> str:
    """Return a time span as a clock shows it.

    Example:
        >>> clock(42), clock(3725)
        ('0:42', '1:02:05')
    """
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    tail = f"{whole % 60:02}"
    return f"{hours}:{minutes:02}:{tail}" if hours else f"{minutes}:{tail}"
