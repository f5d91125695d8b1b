"""Decoded batches kept in a file, so that the next pass over the data need not decode them again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

MOST_BYTES = 4 << 30
# What else is written to the same disk has the rest.
_MOST_OF_FREE_DISK = 0.1


class BatchSpool:
    """The first batches of a split, as many as fit, in the order in which they were written.

    It is a file of Arrow's IPC format, uncompressed: reading it back takes a hundredth of the time
    that decoding tf.Examples takes.

    Args:
        path: The file; its folder exists.
        most_bytes: Its size, at most; by default 4 GiB or a tenth of the disk's free space.

    Example:
        spool = BatchSpool("/tmp/train.arrow")
        spool.write(batch)
        spool.finish()
        list(spool.read())   # [batch]
    """

    def __init__(self, path: str, most_bytes: int | None = None) -> None:
        free = shutil.disk_usage(os.path.dirname(path)).free
        self._room = min(MOST_BYTES, int(free * _MOST_OF_FREE_DISK))
        if most_bytes is not None:
            self._room = most_bytes
        self._path = path
        self._file: pa.OSFile | None = None
        self._writer: pa.RecordBatchStreamWriter | None = None
        self.batches = 0
        """How many batches are kept."""
        self.whole = True
        """Whether every batch is kept."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Keep a batch, if there is room for it and for all before it."""
        import pyarrow as pa

        self._room -= batch.nbytes
        if self._room < 0:
            self.whole = False
            return
        try:
            if self._writer is None:
                self._file = pa.OSFile(self._path, "wb")
                self._writer = pa.ipc.new_stream(self._file, batch.schema)
            self._writer.write_batch(batch)
        except OSError:  # the disk is full
            self._room, self.whole = -1, False
            return
        self.batches += 1

    def finish(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def read(self) -> Generator[pa.RecordBatch, None, None]:
        """Yield the batches that are kept."""
        import pyarrow as pa

        if self.batches == 0:
            return
        with pa.OSFile(self._path) as file, pa.ipc.open_stream(file) as stream:
            for _ in range(self.batches):
                yield stream.read_next_batch()
