"""Writing the shards of one split: `data_tfrecord-00000-of-00003.gz` and so on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from penstock.io.examples.formats import FileFormat
from penstock.io.files.filesystem import join, naming, open_for_writing, remove, rename
from penstock.io.tfrecord.records import TFRecordWriter

if TYPE_CHECKING:
    import pyarrow as pa


class SplitShards:
    """The shards of one split while they are being written.

    Until `close` knows their number, files have hidden names, so that nobody takes half a split for
    a whole one.

    Args:
        folder: The split's folder: a path or an fsspec URL, created if it does not exist.
        name: The shards' name without number and extension.
        file_format: The shards' file format.
        num_shards: How many shards the rows are dealt to, one by one. If None, rows stay in order
            and a new shard begins when one has `shard_bytes`.
        shard_bytes: Uncompressed bytes at which a shard is full.
    """

    def __init__(
        self,
        folder: str,
        name: str,
        file_format: FileFormat,
        num_shards: int | None,
        shard_bytes: int,
    ) -> None:
        self.rows = 0
        self.schema: pa.Schema | None = None
        self._folder = folder
        self._name = name
        self._format = file_format
        self._num_shards = num_shards
        self._shard_bytes = shard_bytes
        self._paths: list[str] = []
        self._writers: list[Any] = []
        self._bytes = 0

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Append the rows of a batch (Parquet)."""
        from penstock.io.arrow.arrays import numbers

        if self.schema is None:
            self.schema = batch.schema
        for shard, rows in self._deal(batch.num_rows, batch.nbytes):
            part = batch if rows is None else batch.take(numbers(rows))
            if part.num_rows:
                with naming(self._path(shard)):
                    self._writer(shard).write_batch(part)
        self.rows += batch.num_rows

    def write_framed(self, framed: pa.LargeBinaryArray) -> None:
        """Append records that `frame_records` has framed (TFRecord)."""
        from penstock.io.arrow.arrays import numbers
        from penstock.io.tfrecord.framing import content

        for shard, rows in self._deal(len(framed), len(content(framed))):
            part = framed if rows is None else framed.take(numbers(rows))
            with naming(self._path(shard)):
                self._writer(shard).write_framed(part)
        self.rows += len(framed)

    def close(self, schema: pa.Schema) -> None:
        """Complete the shards and give them their names.

        Args:
            schema: The columns of Parquet shards, for a split without rows.
        """
        self.schema = self.schema or schema
        for shard in range(self._num_shards or max(1, len(self._writers))):
            self._writer(shard)
        for path, writer in zip(self._paths, self._writers, strict=True):
            with naming(path):
                writer.close()
        for shard, path in enumerate(self._paths):
            numbered = f"{self._name}-{shard:05d}-of-{len(self._paths):05d}"
            rename(path, join(self._folder, numbered + self._format.extension))

    def abort(self, error: BaseException) -> None:
        """Close the files without completing them, and remove them."""
        for writer in self._writers:
            with contextlib.suppress(OSError):  # the disk may still be full
                writer.__exit__(type(error), error, error.__traceback__)
        for path in self._paths:
            remove(path)

    def _deal(self, rows: int, size: int) -> Iterator[tuple[int, Any]]:
        """Yield each shard with the rows that it gets, None for all of them."""
        if self._num_shards is None:
            if self._bytes >= self._shard_bytes:
                with naming(self._paths[-1]):
                    self._writers[-1].close()
                self._bytes = 0
                self._writer(len(self._writers))
            self._bytes += size
            yield max(0, len(self._writers) - 1), None
        elif self._num_shards == 1:
            yield 0, None
        else:
            import numpy as np

            for shard in range(self._num_shards):
                yield (
                    shard,
                    np.arange((shard - self.rows) % self._num_shards, rows, self._num_shards),
                )

    def _path(self, shard: int) -> str:
        return join(self._folder, f".{self._name}-{shard:05d}")

    def _writer(self, shard: int) -> Any:
        while len(self._writers) <= shard:
            path = self._path(len(self._writers))
            self._paths.append(path)
            if self._format.compression is None:
                writer: Any = ParquetShard(path, self.schema)
            else:
                writer = TFRecordWriter(path, self._format.compression)
            self._writers.append(writer)
        return self._writers[shard]


class ParquetShard:
    """A Parquet file being written; closes the file beneath, which pyarrow leaves open.

    Args:
        path: A path or an fsspec URL.
        schema: The columns of the batches.
    """

    def __init__(self, path: str, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        self._file = open_for_writing(path)
        self._writer = pq.ParquetWriter(
            self._file, schema, compression="zstd", write_page_checksum=True
        )
        self.write_batch = self._writer.write_batch

    def close(self) -> None:
        """Complete the file."""
        self._writer.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if not any(error):
            self.close()
            return
        try:
            self._writer.close()
        finally:
            self._writer.is_open = False  # else it tries again when it is collected
            self._file.close()
