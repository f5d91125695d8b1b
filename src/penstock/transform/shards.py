"""The files of a split, and reading them as batches that fit a schema."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING

from penstock.io.examples.formats import file_format_named
from penstock.io.tfrecord.blocks import RecordBlock, read_record_blocks, records_of
from penstock.progress import report

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.io import ExamplesSplit
    from penstock.io.examples.reader import RecordDecoder
    from penstock.transform.features import RawFeatures
    from penstock.transform.spool import BatchSpool

# With fewer blocks, starting a process takes longer than it saves.
BLOCKS_WORTH_A_PROCESS = 8

BatchObserver = Callable[[str, "pa.RecordBatch"], None]
"""Sees a split's name and one of its batches."""

ShardReader = Callable[..., "Generator[pa.RecordBatch, None, None]"]
"""Yields the batches of a split; those before the number `first` are left out if it is given."""


def shard_reader(
    features: RawFeatures, batch_size: int, *, processes: int | None = 1
) -> ShardReader:
    """Return a picklable function that reads shards as batches of the schema's columns and types.

    Args:
        features: what the schema says.
        batch_size: the most rows per batch; large rows come in smaller batches.
        processes: how many processes decode, this one among them; None: one a core. The batches are
            the same.
    """
    return functools.partial(
        _read, features.schema.SerializeToString(), features.payload_format, batch_size, processes
    )


def _read(
    schema: bytes,
    payload_format: str,
    batch_size: int,
    processes: int | None,
    split: ExamplesSplit,
    first: int = 0,
) -> Generator[pa.RecordBatch, None, None]:
    features = _features(schema, payload_format)
    if split.payload_format != payload_format:
        raise ValueError(
            f"The examples hold {split.payload_format} ({split.files[0]}) and {payload_format}. "
            "Transform takes examples of one payload format."
        )
    if not file_format_named(split.file_format).holds_records:
        batches = _read_parquet(split.files, payload_format, batch_size)
    else:
        batches = _decode_blocks(schema, batch_size, processes, split, first)
        first = 0
    for path, batch in itertools.islice(batches, first, None):
        try:
            yield features.conform(batch)
        except ValueError as error:
            error.add_note(f"It was read from {path}")
            raise


def _decode_blocks(
    schema: bytes, batch_size: int, processes: int | None, split: ExamplesSplit, first: int
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Decode TFRecords in several processes, a block of records for each batch."""
    from penstock.io.processes.shard_processes import map_shards

    compression = file_format_named(split.file_format).compression
    blocks = itertools.chain.from_iterable(
        read_record_blocks(path, compression=compression, rows=batch_size) for path in split.files
    )
    return map_shards(
        functools.partial(_decode, schema, split.payload_format),
        itertools.islice(blocks, first, None),
        processes=processes,
        at_least=BLOCKS_WORTH_A_PROCESS,
    )


def _decode(schema: bytes, payload_format: str, block: RecordBlock) -> tuple[str, pa.RecordBatch]:
    decode = _decoder(schema, payload_format, threading.get_ident())
    return block.path, decode(records_of(block), block.path, block.first_row)


def _read_parquet(
    files: Sequence[str], payload_format: str, batch_size: int
) -> Iterator[tuple[str, pa.RecordBatch]]:
    from penstock.io import read_record_batches

    for path in files:
        for batch in read_record_batches(
            [path], file_format="parquet", payload_format=payload_format, batch_size=batch_size
        ):
            yield path, batch


@functools.lru_cache(maxsize=4)
def _features(schema: bytes, payload_format: str) -> RawFeatures:
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.transform.features import RawFeatures

    return RawFeatures(schema_pb2.Schema.FromString(schema), payload_format)


# tfx-bsl's decoder has the state of a call in it: the threads of Beam's workers must not share one.
@functools.lru_cache(maxsize=32)
def _decoder(schema: bytes, payload_format: str, thread: int) -> RecordDecoder:
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.io.examples.reader import RecordDecoder

    return RecordDecoder(payload_format, schema_pb2.Schema.FromString(schema))


class SplitReader:
    """Reads the shards of a split as often as needed, and counts their rows.

    Args:
        split: the split.
        read: reads them.
        observe: sees each batch, the first time the split is read.
        spool: where the batches are kept when they are read first.
    """

    def __init__(
        self,
        split: ExamplesSplit,
        read: ShardReader,
        observe: BatchObserver | None = None,
        spool: BatchSpool | None = None,
    ) -> None:
        self.split = split.name
        self._source = split
        self._read = read
        self._observe = observe
        self._spool = spool
        self._reading: Generator[pa.RecordBatch, None, None] | None = None
        self._begun: Iterator[pa.RecordBatch] | None = None
        self.rows: int | None = None
        """Rows of the split; None until it has been read to its end."""

    def begin(self) -> None:
        """Take the first batch; other processes decode the next ones until the split is read."""
        self._reading = self._read(self._source)
        self._begun = itertools.chain(list(itertools.islice(self._reading, 1)), self._reading)

    def __call__(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches, from the first row to the last."""
        rows = 0
        for batch in self._first_pass() if self.rows is None else self._later_pass():
            rows += batch.num_rows
            report(rows, self.rows, f"rows of {self.split}")
            yield batch
        if self.rows not in (None, rows):
            raise RuntimeError(
                f"Split {self.split!r} had {self.rows} rows when it was first read and has {rows} "
                "now. Something is changing its files while they are read: "
                f"{list(self._source.files)}"
            )
        self._source.check_count(rows)
        self.rows = rows

    def _first_pass(self) -> Iterator[pa.RecordBatch]:
        begun, self._begun = self._begun, None
        if begun is None:
            begun = self._reading = self._read(self._source)
        for batch in begun:
            if self._observe is not None:
                self._observe(self.split, batch)
            if self._spool is not None:
                self._spool.write(batch)
            yield batch
        if self._spool is not None:
            self._spool.finish()

    def _later_pass(self) -> Iterator[pa.RecordBatch]:
        kept = 0
        if self._spool is not None:
            kept = self._spool.batches
            self._reading = self._spool.read()
            yield from self._reading
            if self._spool.whole:
                return
        self._reading = self._read(self._source, kept)
        yield from self._reading

    def exhaust(self) -> None:
        """Read the split once, unless it has been read, for its count and its observer."""
        if self.rows is None:
            for _ in self():
                pass

    def close(self) -> None:
        """Close what a pass that was not finished has opened: processes and files."""
        if self._reading is not None:
            self._reading.close()
        if self._spool is not None:
            self._spool.finish()
