"""What executes attempts for the scheduler."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from penstock.graph import GraphNode
from penstock.launch.attempt import Attempt, AttemptResult
from penstock.launch.execution import execute


@dataclasses.dataclass(frozen=True, slots=True)
class Finished:
    """An attempt that is over.

    Attributes:
        attempt: What was executed.
        result: How it ended; None if its process died or was ended.
        reason: Why there is no result, one line.
    """

    attempt: Attempt
    result: AttemptResult | None
    reason: str = ""


ProgressListener = Callable[[Attempt, str], None]
"""Called with the progress of an attempt."""


EpochListener = Callable[[Attempt, int, Mapping[str, float]], None]
"""Called with an epoch of training that an attempt reported: its number, from 1, and its metrics."""


class Executor(Protocol):
    """Executes attempts, one or several at a time, and enforces their timeouts.

    Attributes:
        on_progress: Is told how far an attempt is, within `wait`; None where nobody follows.
        on_epoch: Is told of epochs of training; None where nobody keeps them.
    """

    on_progress: ProgressListener | None
    on_epoch: EpochListener | None

    def has_room(self) -> bool:
        """Return whether `submit` may be called now."""

    def submit(self, attempt: Attempt) -> None:
        """Start an attempt."""

    def anticipate(self, nodes: Sequence[GraphNode]) -> None:
        """Prepare for nodes that are likely to be submitted."""

    def wait(self, seconds: float | None) -> list[Finished]:
        """Return what is over, waiting for it up to `seconds` (None: until something is)."""

    def wake(self) -> None:
        """Make `wait` return early; may be called by a signal's function or another thread."""

    def kill(self, attempt: Attempt, reason: str) -> None:
        """End an attempt; `wait` returns it with that reason."""

    def close(self) -> None:
        """End everything that is left, at once."""


class InProcessExecutor:
    """Executes one attempt at a time in this process, for a debugger. Timeouts are not enforced."""

    def __init__(self) -> None:
        self.on_progress: ProgressListener | None = None
        self.on_epoch: EpochListener | None = None
        self._attempt: Attempt | None = None
        self._executing = False

    def has_room(self) -> bool:
        """Return whether nothing was submitted."""
        return self._attempt is None

    def submit(self, attempt: Attempt) -> None:
        """Keep an attempt for `wait`."""
        self._attempt = attempt

    def anticipate(self, nodes: Sequence[GraphNode]) -> None:
        """Do nothing."""

    def wait(self, seconds: float | None) -> list[Finished]:
        """Execute what was submitted."""
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            time.sleep(seconds or 0.0)
            return []
        self._executing = True
        try:
            listener = None if self.on_progress is None else partial(self.on_progress, attempt)
            on_epoch = None if self.on_epoch is None else partial(self.on_epoch, attempt)
            return [Finished(attempt, execute(attempt, listener, on_epoch))]
        except KeyboardInterrupt:
            return [Finished(attempt, None, "interrupted")]
        finally:
            self._executing = False

    def wake(self) -> None:
        """Interrupt the component; does nothing in another thread than the one that executes it."""
        import threading

        if self._executing and threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt

    def kill(self, attempt: Attempt, reason: str) -> None:
        """Do nothing: an attempt in this process cannot be ended from outside."""

    def close(self) -> None:
        """Do nothing."""
