"""The request log of a server: takes what was answered, and writes it from a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from typing import Any

from penstock.server.request_log.config import RequestLogConfig
from penstock.server.request_log.log_files import LogFiles
from penstock.server.request_log.masking import masked_by_schema, unknown_names
from penstock.server.request_log.records import Answered, records_of
from penstock.server.traffic import is_sampled

_TEND_SECONDS = 1.0
_COMPLAIN_SECONDS = 60.0

log = logging.getLogger(__name__)


class RequestLog:
    """Writes the requests of one model. Safe to use from several threads; never blocks and never raises.

    Args:
        model: The model's name.
        config: What is logged, and where.

    Attributes:
        written: How many records were written.
        written_bytes: How many bytes they took.
        dropped: How many requests were not logged although they were sampled: too many waited, or the
            disk refused them.

    Raises:
        OSError: If the folder cannot be written to, or the schema cannot be read.
        ValueError: If the schema is none.

    Example:
        >>> requests = RequestLog("taxi", RequestLogConfig("requests"))
        >>> requests.put(answered)
        >>> requests.close()
    """

    def __init__(self, model: str, config: RequestLogConfig) -> None:
        self.model = model
        self.config = config
        personal = masked_by_schema(config.schema) if config.schema else frozenset()
        self.mask = frozenset(config.mask) | personal
        self.written = self.written_bytes = self.dropped = 0
        self._waiting = 0
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[tuple[Answered, bool] | None] = queue.SimpleQueue()
        self._files = {"served": self._open_files("served")}
        self._complained = -_COMPLAIN_SECONDS
        self._thread = threading.Thread(target=self._run, name=f"request log {model}", daemon=True)
        self._thread.start()

    def wants(self, request_id: str) -> bool:
        """Return whether a request is among those that are logged."""
        return is_sampled(self.config.sample, request_id)

    def put(self, answered: Answered, *, shadow: bool = False) -> None:
        """Take a request with its answer; it is written soon, unless too many wait.

        The arrays must not be changed afterwards.
        """
        size = answered.size
        with self._lock:
            if self._waiting + size > self.config.waiting_bytes:
                self.dropped += 1
                return
            self._waiting += size
        self._queue.put((answered, shadow))

    def check_names(self, known: frozenset[str]) -> None:
        """Warn of masked names that a version does not have.

        Args:
            known: The features, inputs and outputs of the version.
        """
        unknown = unknown_names(self.config.mask, known)
        if unknown:
            log.warning("%s: request log: %s", self.model, unknown)

    def close(self) -> None:
        """Write what waits, and complete the files."""
        self._queue.put(None)
        self._thread.join()

    def _open_files(self, kind: str) -> LogFiles:
        config = self.config
        return LogFiles(
            os.path.join(config.folder, self.model, kind),
            file_bytes=config.file_bytes,
            file_seconds=config.file_seconds,
            total_bytes=config.total_bytes,
        )

    def _run(self) -> None:
        tended = time.monotonic()
        while True:
            try:
                taken = self._queue.get(timeout=_TEND_SECONDS)
            except queue.Empty:
                self._tend()
                tended = time.monotonic()
                continue
            if taken is None:
                break
            self._write(*taken)
            if time.monotonic() - tended >= _TEND_SECONDS:
                self._tend()
                tended = time.monotonic()
        for files in self._files.values():
            with self._complaining():
                files.close()

    def _write(self, answered: Answered, shadow: bool) -> None:
        kind = "shadow" if shadow else "served"
        written = False
        with self._complaining():
            if kind not in self._files:
                self._files[kind] = self._open_files(kind)
            records = list(records_of(answered, self.mask))
            size = self._files[kind].write(records)
            self.written += len(records)
            self.written_bytes += size
            written = True
        with self._lock:
            self._waiting -= answered.size
            self.dropped += not written

    def _tend(self) -> None:
        for files in self._files.values():
            with self._complaining():
                files.tend()

    @contextlib.contextmanager
    def _complaining(self) -> Any:
        """Log a failure, at most once a minute: a full disk must not stop the server."""
        try:
            yield
        except Exception:
            now = time.monotonic()
            if now - self._complained >= _COMPLAIN_SECONDS:
                self._complained = now
                log.exception("%s: a request was not logged", self.model)
