"""Watching the memory of a process and of all that it started, and ending it when it takes too much."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Self

import psutil

from penstock.machine import memory

_SECONDS_BETWEEN = 0.05
_SHARE_OF_FREE = 0.8


def free_memory_bound() -> float:
    """Return four fifths of the memory that is free now, in bytes; infinite if that is unknown."""
    found = memory()
    return float("inf") if found is None else _SHARE_OF_FREE * found[1]


class MemoryWatch:
    """Reads a process's memory while a `with` block lasts.

    Args:
        pid: The process.
        most: The bytes that it may use.
        end: Called, in a thread, when it uses more.

    Attributes:
        peak: The most bytes that it was seen to use.
        exceeded: Whether it used more than it may.
    """

    def __init__(self, pid: int, most: float, end: Callable[[], None]) -> None:
        self.peak = 0
        self.exceeded = False
        self.most = most
        self._end = end
        self._stop = threading.Event()
        self._process: psutil.Process | None = None
        with contextlib.suppress(psutil.Error):
            self._process = psutil.Process(pid)
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while self._process is not None:
            with contextlib.suppress(psutil.Error):
                self.peak = max(self.peak, _used(self._process))
            if self.peak > self.most:
                self.exceeded = True
                self._end()
                return
            if self._stop.wait(_SECONDS_BETWEEN):
                return


def _used(process: psutil.Process) -> int:
    total: int = process.memory_info().rss
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            total += child.memory_info().rss
    return total
