"""What executes attempts for the scheduler."""

from __future__ import annotations

import dataclasses
import time
from typing import Protocol

from penstock.launch.attempt import Attempt, AttemptResult
from penstock.launch.execution import execute


@dataclasses.dataclass(frozen=True, slots=True)
class Finished:
    """An attempt that is over.

    Attributes:
        attempt: What was executed.
        result: How it ended; None if its process died.
        reason: Why there is no result, one line.
    """

    attempt: Attempt
    result: AttemptResult | None
    reason: str = ""


class Executor(Protocol):
    """Executes attempts, one or several at a time."""

    def has_room(self) -> bool:
        """Return whether `submit` may be called now."""

    def submit(self, attempt: Attempt) -> None:
        """Start an attempt."""

    def wait(self, seconds: float | None) -> list[Finished]:
        """Return what is over, waiting for it up to `seconds` (None: until something is)."""

    def kill(self, attempt: Attempt, reason: str) -> None:
        """End an attempt at once; `wait` returns it with that reason."""

    def close(self) -> None:
        """End everything that is left."""


class InProcessExecutor:
    """Executes one attempt at a time in this process, for a debugger."""

    def __init__(self) -> None:
        self._attempt: Attempt | None = None

    def has_room(self) -> bool:
        """Return whether nothing was submitted."""
        return self._attempt is None

    def submit(self, attempt: Attempt) -> None:
        """Keep an attempt for `wait`."""
        self._attempt = attempt

    def wait(self, seconds: float | None) -> list[Finished]:
        """Execute what was submitted."""
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            time.sleep(seconds or 0.0)
            return []
        return [Finished(attempt, execute(attempt))]

    def kill(self, attempt: Attempt, reason: str) -> None:
        """Do nothing: an attempt in this process cannot be ended from outside."""

    def close(self) -> None:
        """Do nothing."""
