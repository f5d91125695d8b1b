"""Why and how fast a run should stop: signals, `penstock stop`, a lost lease."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether the run should stop. Set by signals and other threads, read by the scheduler.

    Attributes:
        reason: Why it should stop, or None.
        urgent: Whether what runs is not given time to end.
        lost: Whether the run belongs to another process now, so that nothing may be recorded.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.urgent = False
        self.lost = False
        self._wake: Callable[[], None] = lambda: None

    def request(self, reason: str, *, lost: bool = False) -> None:
        """Ask the run to stop; if it was asked before, to stop at once."""
        self.urgent = self.urgent or lost or self.reason is not None
        self.reason = self.reason or reason
        self.lost = self.lost or lost
        self._wake()

    @contextlib.contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake` at each request while the body runs."""
        self._wake = wake
        try:
            yield
        finally:
            self._wake = lambda: None

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM for requests while the body runs, in the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        for number in _SIGNALS:
            # A shell's background job ignores Ctrl-C, and so do we then.
            if before[number] is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)
        try:
            yield
        finally:
            for number, action in before.items():
                if action is not None:
                    signal.signal(number, action)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.request("interrupted (Ctrl-C)" if number == signal.SIGINT else "terminated (SIGTERM)")
