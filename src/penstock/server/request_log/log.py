"""The request log of a server: takes what was answered, and writes it from a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.server.request_log.log_files import LogFiles
from penstock.server.request_log.masking import masked_by_schema, unknown_names
from penstock.server.request_log.records import Answered, records_of
from penstock.server.traffic import is_sampled
from penstock.spelling import closest

_TEND_SECONDS = 1.0
_COMPLAIN_SECONDS = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RequestLogConfig:
    """What is logged of a model's requests, and where.

    Args:
        folder: Records go to `<folder>/<model>/served/`, those of shadows to `<folder>/<model>/shadow/`.
        sample: The share of requests that are logged, decided by their id.
        mask: Features, inputs and outputs that are left out.
        schema: The path of a schema; the features that it tags as `PII` are left out too.
        file_bytes: The bytes, before compression, after which a file is complete and a new one begins.
        file_seconds: The seconds after which it is.
        total_bytes: The most bytes of complete files in a folder; the oldest are removed.
        waiting_bytes: The most bytes of requests that wait to be written; others are dropped and counted.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> RequestLogConfig("requests", sample=0.1, schema="schema/schema.pbtxt")
    """

    folder: str
    sample: float = 1.0
    mask: tuple[str, ...] = ()
    schema: str | None = None
    file_bytes: int = 64 << 20
    file_seconds: float = 3600.0
    total_bytes: int = 10 << 30
    waiting_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        if not 0 <= self.sample <= 1:
            raise ValueError(f"sample is a share from 0 to 1. Received: {self.sample}")
        for name in ("file_bytes", "file_seconds", "total_bytes", "waiting_bytes"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0. Received: {getattr(self, name)}")

    @classmethod
    def from_config(cls, where: str, config: Mapping[str, Any]) -> RequestLogConfig:
        """Read a `request_log` of a config file.

        Args:
            where: Its place, for messages.
            config: The fields by name.

        Raises:
            ValueError: If a field is unknown, absent or has a value that makes no sense.
        """
        known = tuple(cls.__dataclass_fields__)
        for name in config:
            if name not in known:
                near = closest(name, known)
                hint = f" Did you mean {near!r}?" if near else ""
                raise ValueError(f"{where} has no field {name!r}.{hint} Fields: {', '.join(known)}")
        kinds: dict[str, tuple[str, type | tuple[type, ...]]] = {
            "folder": ("text", str),
            "schema": ("text", (str, type(None))),
            "mask": ("a list of names", (list, tuple)),
        }
        for name, value in config.items():
            words, kind = kinds.get(name, ("a number", (int, float)))
            if not isinstance(value, kind) or isinstance(value, bool):
                raise ValueError(f"{where}.{name} takes {words}. Received: {value!r}")
        if "folder" not in config:
            raise ValueError(f"{where} needs a folder.")
        values = dict(config)
        if not all(isinstance(name, str) for name in values.get("mask", ())):
            raise ValueError(f"{where}.mask takes a list of names. Received: {values['mask']!r}")
        values["mask"] = tuple(values.get("mask", ()))
        try:
            return cls(**values)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None


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
