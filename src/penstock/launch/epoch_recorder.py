"""Writing epochs of training into the store while they come, but not one by one."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping

from penstock.store import MetadataStore, StoreError

MOST_EPOCHS = 1000
"""Rows of an execution; of more epochs every second, fourth, ... is kept, and always the last."""

SECONDS_BETWEEN = 1.0
"""From one writing to the next, so that short epochs do not keep the store busy."""

_PATIENCE = 30
"""So many times as long it is left alone after it could not be written: each try may take a while."""


@dataclasses.dataclass(slots=True)
class _Series:
    """The epochs of one execution: which are written, which wait, and every how many-th is kept."""

    written: set[int] = dataclasses.field(default_factory=set)
    waiting: dict[int, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    times: dict[int, float] = dataclasses.field(default_factory=dict)
    stride: int = 1
    last: int = 0
    due: float = 0.0

    def kept(self, most: int) -> set[int]:
        """Return which epochs are kept, and choose a stride for so many."""
        all_numbers = self.written | self.waiting.keys()
        while True:
            kept = {n for n in all_numbers if (n - 1) % self.stride == 0 or n == self.last}
            if len(kept) <= most:
                return kept
            self.stride *= 2


class EpochRecorder:
    """Keeps the epochs that executions report. It may be called from any thread.

    Epochs are for people who watch: where the store cannot be written they wait, and training goes on.

    Args:
        store: The metadata store, open for writing.
        most: Rows of an execution.
        seconds: From one writing of an execution's epochs to the next.
    """

    def __init__(
        self, store: MetadataStore, *, most: int = MOST_EPOCHS, seconds: float = SECONDS_BETWEEN
    ) -> None:
        self._store = store
        self._most = most
        self._seconds = seconds
        self._series: dict[int, _Series] = {}
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def add(self, execution_id: int, epoch: int, metrics: Mapping[str, float]) -> None:
        """Take an epoch; it is in the store after a second at the latest.

        Args:
            execution_id: The execution.
            epoch: Its number, from 1.
            metrics: Its metrics.
        """
        with self._lock:
            series = self._series.setdefault(execution_id, _Series())
            series.waiting[epoch], series.last = metrics, epoch
            series.times[epoch] = time.time()
            wait = series.due - time.monotonic()
            if wait <= 0:
                self._write(execution_id, series)
            elif self._timer is None:
                self._timer = threading.Timer(wait, self._write_all)
                self._timer.daemon = True
                self._timer.start()

    def end(self, execution_id: int) -> None:
        """Write what is left of an execution that has ended."""
        with self._lock:
            series = self._series.pop(execution_id, None)
            if series is not None and series.waiting:
                self._write(execution_id, series)

    def _write_all(self) -> None:
        with self._lock:
            self._timer = None
            for execution_id, series in self._series.items():
                if series.waiting:
                    self._write(execution_id, series)

    def _write(self, execution_id: int, series: _Series) -> None:
        series.due = time.monotonic() + self._seconds
        kept = series.kept(self._most)
        new = {number: of for number, of in series.waiting.items() if number in kept}
        gone = sorted(series.written - kept)
        try:
            self._store.record_epochs(execution_id, new, times=series.times, remove=gone)
        except StoreError:
            series.due = time.monotonic() + _PATIENCE * self._seconds
            return
        series.written = kept
        series.waiting.clear()
        series.times.clear()
