"""The files of a request log: TFRecords that are complete when they can be seen, rotated and bounded.

    requests-20261127T213052-c0ffee00-00001.tfrecord.gz      complete
    .open-requests-20261127T213052-c0ffee00-00002.tfrecord   being written, locked by its process

A file that is complete is compressed and gets its name by a rename, so that ingestion never reads half a
file. The file of a process that was killed is completed by the next one: its last record, if it is
cut off, is left out.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from penstock.io.files.gzip_stream import GzipStreamWriter
from penstock.io.ingestion.broken_rows import leave_out
from penstock.io.tfrecord.framing import content, frame_records
from penstock.io.tfrecord.records import TFRecordWriter, read_tfrecords

_OPEN = ".open-"
_SUFFIX = ".tfrecord"
_COPY_BYTES = 1 << 20


class LogFiles:
    """A folder of logged records. Not for several threads.

    Args:
        folder: The folder; it is made. Files of processes that were killed are completed.
        file_bytes: The bytes, before compression, after which a file is complete.
        file_seconds: The seconds after which it is.
        total_bytes: The most bytes that complete files take; the oldest are removed.

    Raises:
        OSError: If the folder cannot be written to.

    Example:
        >>> files = LogFiles("requests/taxi/served")
        >>> files.write(records)
        >>> files.close()
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        file_bytes: int = 64 << 20,
        file_seconds: float = 3600.0,
        total_bytes: int = 10 << 30,
    ) -> None:
        self.folder = Path(folder)
        self._file_bytes = file_bytes
        self._file_seconds = file_seconds
        self._total_bytes = total_bytes
        self._file: IO[bytes] | None = None
        self._path = Path()
        self._opened = 0.0
        self._numbers = itertools.count(1)
        # A process number would not do: in containers they are all 1.
        self._writer = secrets.token_hex(4)
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.folder.glob(f"{_OPEN}*{_SUFFIX}")):
            self._recover(path)

    def write(self, records: Iterable[bytes]) -> int:
        """Append records, and return the number of their bytes."""
        framed = frame_records(list(records))
        if not len(framed):
            return 0
        if self._file is None:
            self._file = self._open()
        size = self._file.write(content(framed))
        if self._file.tell() >= self._file_bytes:
            self._complete()
        return size

    def tend(self) -> None:
        """Hand what is written to the system, and complete a file that is old enough."""
        if self._file is None:
            return
        self._file.flush()
        if time.monotonic() - self._opened >= self._file_seconds:
            self._complete()

    def close(self) -> None:
        """Complete the file."""
        if self._file is not None:
            self._complete()

    def _open(self) -> IO[bytes]:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        name = f"requests-{stamp}-{self._writer}-{next(self._numbers):05d}"
        self._path = self.folder / f"{_OPEN}{name}{_SUFFIX}"
        self._opened = time.monotonic()
        # Locked before it has the name that others look for.
        unlocked = self._path.with_name(f".new-{name}")
        file = open(unlocked, "wb")  # noqa: SIM115
        fcntl.flock(file, fcntl.LOCK_EX)
        os.replace(unlocked, self._path)
        return file

    def _complete(self) -> None:
        file, self._file = self._file, None
        assert file is not None
        with file:
            file.flush()
            self._compress(self._path)
        self._remove_oldest()

    def _compress(self, path: Path) -> None:
        name = path.name.removeprefix(_OPEN)
        hidden = self.folder / f".{name}.gz"
        with open(path, "rb") as source, GzipStreamWriter(os.fspath(hidden)) as out:
            while chunk := source.read(_COPY_BYTES):
                out.write(chunk)
        os.replace(hidden, self.folder / f"{name}.gz")
        path.unlink()

    def _recover(self, path: Path) -> None:
        with contextlib.suppress(BlockingIOError, FileNotFoundError), open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            name = path.name.removeprefix(_OPEN)
            hidden = self.folder / f".{name}.gz"
            if path.stat().st_size:
                with TFRecordWriter(os.fspath(hidden), "GZIP") as writer:
                    for record in read_tfrecords(path, compression="", on_broken=leave_out):
                        writer.write(record)
                os.replace(hidden, self.folder / f"{name}.gz")
            path.unlink()

    def _remove_oldest(self) -> None:
        files = [(each, each.stat()) for each in self.folder.glob(f"requests-*{_SUFFIX}.gz")]
        files.sort(key=lambda each: (each[1].st_mtime, each[0].name), reverse=True)
        kept = 0
        for place, (path, stat) in enumerate(files):
            kept += stat.st_size
            if kept > self._total_bytes and place:
                path.unlink(missing_ok=True)
