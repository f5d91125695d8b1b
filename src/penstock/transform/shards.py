"""The files of a split, and reading them as batches that fit a schema."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.transform.features import RawFeatures

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


def shard_reader(features: RawFeatures, batch_size: int) -> ShardReader:
    """A picklable function that reads shards as batches of the schema's columns and types.

    Args:
        features: what the schema says.
        batch_size: rows a batch, at most.
    """
    return functools.partial(_read, features.schema.SerializeToString(), batch_size)


def _read(schema: bytes, batch_size: int, shards: Shards) -> Iterator[pa.RecordBatch]:
    from penstock.io import read_record_batches

    features = _features(schema)
    for batch in read_record_batches(
        shards.files,
        file_format=shards.file_format,
        payload_format=shards.payload_format,
        schema=features.schema,
        batch_size=batch_size,
    ):
        yield features.conform(batch)


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
