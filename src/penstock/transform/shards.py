"""The files of a split, and reading them as batches that fit a schema."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.transform.features import RawFeatures

# Starting a process takes as long as reading about so many (compressed) bytes.
_BYTES_WORTH_A_PROCESS = 8 << 20
# A few shards are in memory at once; those of an ExamplesWriter have up to 64 MiB of content.
_LARGEST_FILE = 32 << 20
_LARGEST_CONTENT = 96 << 20

BatchObserver = Callable[[str, "pa.RecordBatch"], None]
"""Sees a split's name and one of its batches."""

ShardReader = Callable[["Shards"], "Iterator[pa.RecordBatch]"]
"""Yields the batches of a split."""


@dataclasses.dataclass(frozen=True)
class Shards:
    """The files of one split.

    Attributes:
        files: paths or URLs, in the order in which they are read.
        file_format: as `penstock.io.read_record_batches` takes it.
        payload_format: as `penstock.io.read_record_batches` takes it.
    """

    files: Sequence[str]
    file_format: str = "tfrecords_gzip"
    payload_format: str = "FORMAT_TF_EXAMPLE"


def shard_reader(
    features: RawFeatures, batch_size: int, *, processes: int | None = 1
) -> ShardReader:
    """A picklable function that reads shards as batches of the schema's columns and types.

    Args:
        features: what the schema says.
        batch_size: rows a batch, at most.
        processes: how many processes decode shards, this one among them; None: one a core where the
            shards are worth it and small enough to be kept whole. The batches are the same.
    """
    return functools.partial(_read, features.schema.SerializeToString(), batch_size, processes)


def _read(
    schema: bytes, batch_size: int, processes: int | None, shards: Shards
) -> Iterator[pa.RecordBatch]:
    from penstock.io import read_record_batches
    from penstock.io.shard_processes import map_shards

    features = _features(schema)
    read = functools.partial(
        read_record_batches,
        file_format=shards.file_format,
        payload_format=shards.payload_format,
        schema=features.schema,
        batch_size=batch_size,
    )
    if processes is None and not _worth_processes(shards):
        processes = 1
    if processes == 1:
        batches = read(shards.files)
    else:
        decode = functools.partial(_decode, read)
        parts = map_shards(decode, shards.files, processes=processes)
        batches = itertools.chain.from_iterable(parts)
    for batch in batches:
        yield features.conform(batch)


def _decode(
    read: Callable[[Sequence[str]], Iterator[pa.RecordBatch]], path: str
) -> list[pa.RecordBatch]:
    return list(read([path]))


def _worth_processes(shards: Shards) -> bool:
    """Whether there is enough to read to start processes for, in shards that fit into memory."""
    from penstock.io.files import file_size, open_binary

    sizes = [file_size(path) for path in shards.files]
    if len(sizes) < 2 or sum(sizes) < _BYTES_WORTH_A_PROCESS or max(sizes) > _LARGEST_FILE:
        return False
    if shards.file_format != "tfrecords_gzip":
        return shards.file_format == "tfrecords"  # Parquet is decoded faster than it is handed over
    for path, size in zip(shards.files, sizes, strict=True):
        with open_binary(path) as file:
            file.seek(max(0, size - 4))
            if int.from_bytes(file.read(4), "little") > _LARGEST_CONTENT:  # gzip's last field
                return False
    return True


@functools.lru_cache(maxsize=4)
def _features(schema: bytes) -> RawFeatures:
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.transform.features import RawFeatures

    return RawFeatures(schema_pb2.Schema.FromString(schema))


class SplitReader:
    """Reads a split as often as needed, and counts its rows.

    Args:
        split: the split's name.
        shards: its files.
        read: reads them.
        observe: sees each batch, the first time the split is read.
    """

    def __init__(
        self, split: str, shards: Shards, read: ShardReader, observe: BatchObserver | None = None
    ) -> None:
        self.split = split
        self._shards = shards
        self._read = read
        self._observe = observe
        self.rows: int | None = None
        """Rows of the split; None until it has been read to its end."""

    def __call__(self) -> Iterator[pa.RecordBatch]:
        """Yields the batches, from the first row to the last."""
        observe, self._observe = self._observe, None
        rows = 0
        for batch in self._read(self._shards):
            rows += batch.num_rows
            if observe is not None:
                observe(self.split, batch)
            yield batch
        if self.rows not in (None, rows):
            raise RuntimeError(
                f"Split {self.split!r} had {self.rows} rows when it was read first and {rows} "
                f"now. Something changes its files while they are read: {list(self._shards.files)}"
            )
        self.rows = rows

    def exhaust(self) -> None:
        """Reads the split once, unless it has been read, for its count and its observer."""
        if self.rows is None:
            for _ in self():
                pass
