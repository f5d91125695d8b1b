"""The log file of an attempt."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from io import TextIOWrapper
from typing import TextIO

# What these say of an execution belongs in its log, also where it is no warning.
_TOLD = ("penstock.node", "penstock.training", "penstock.beam")

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@contextlib.contextmanager
def record_log(log_path: str) -> Iterator[None]:
    """Send Python's log records to an attempt's log file as well."""
    handler = _LogFile(log_path)
    root = logging.getLogger()
    logs = [logging.getLogger(name) for name in _TOLD]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
        handler.close()


@contextlib.contextmanager
def print_log(stream: TextIO) -> Iterator[None]:
    """Print Python's log records as well, where a container's output is all that can be watched live.

    Args:
        stream: where to; which records there are is what `record_log` says.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(_FORMAT))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


class _LogFile(logging.FileHandler):
    """A log file that is made, with its folder, by the first record."""

    def __init__(self, path: str) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace", delay=True)
        self.setFormatter(logging.Formatter(_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; one that cannot be written is lost, the component goes on."""
        with contextlib.suppress(OSError):
            super().emit(record)

    def _open(self) -> TextIOWrapper:
        os.makedirs(os.path.dirname(self.baseFilename), exist_ok=True)
        return super()._open()


def append_to_log(log_path: str, text: str) -> None:
    """Add to a log; where the disk is full it is lost."""
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(log_path), exist_ok=True)
        with open(log_path, "a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(text)
