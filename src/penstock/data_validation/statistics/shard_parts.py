"""Cutting files into parts that several processes can work on.

Small files are one part. Of large TFRecord files one process inflates and takes blocks of records, of
large Parquet files row groups are parts, and of CSV files blocks of cells. Where a part ends depends on
the file alone.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from penstock.artifacts.standard import DEFAULT_FILE_FORMAT, DEFAULT_PAYLOAD_FORMAT
from penstock.io.arrow.list_columns import empty_batch, list_columns, repeated
from penstock.io.csv.reader import ColumnType, CsvCells, CsvFiles
from penstock.io.examples.formats import file_format_named
from penstock.io.examples.reader import (
    DEFAULT_BATCH_SIZE,
    RecordDecoder,
    batch_rows,
    batched_records,
    read_record_batches,
)
from penstock.io.files.filesystem import file_size, open_binary
from penstock.io.tfrecord.blocks import RecordBlock, read_record_blocks, records_of

if TYPE_CHECKING:
    import pyarrow.parquet as pq
    from tensorflow_metadata.proto.v0 import schema_pb2

_WHOLE_BYTES = 8 << 20
_PART_ROWS = 50_000


class Part(NamedTuple):
    """Some consecutive rows of a file.

    Args:
        first_row: How many rows of the file come before.
        read: Yields the rows; picklable.
    """

    first_row: int
    read: Callable[[], Iterator[pa.RecordBatch]]


@dataclass(frozen=True)
class ExamplesReader:
    """Reads files of Examples, whole or in parts; see `read_record_batches`.

    Args:
        file_format: "tfrecords_gzip", "tfrecords" or "parquet".
        payload_format: What a record is.
        schema: Which features to read with which types.
        batch_size: Rows a batch, at most.
        columns: Which columns to keep; by default all.

    Example:
        >>> dict(statistics_of_shards({"train": files}, ExamplesReader(), StatsOptions()))
    """

    file_format: str = DEFAULT_FILE_FORMAT
    payload_format: str = DEFAULT_PAYLOAD_FORMAT
    schema: "schema_pb2.Schema | None" = None
    batch_size: int = DEFAULT_BATCH_SIZE
    columns: Sequence[str] | None = None

    def __call__(self, files: Iterable[str]) -> Iterator[pa.RecordBatch]:
        """Read whole files."""
        if self.file_format == "parquet":
            for path in files:
                for part in self._row_groups(path):
                    yield from part.read()
            return
        yield from read_record_batches(
            files,
            file_format=self.file_format,
            payload_format=self.payload_format,
            schema=self.schema,
            batch_size=self.batch_size,
            columns=self.columns,
        )

    def parts(self, path: str) -> Iterator[Part]:
        """Cuts a file into parts."""
        if file_size(path) <= _WHOLE_BYTES:
            yield Part(0, functools.partial(self, [path]))
            return
        compression = file_format_named(self.file_format).compression
        if compression is None:
            yield from self._row_groups(path)
        else:
            for block in read_record_blocks(path, compression=compression, rows=_PART_ROWS):
                yield Part(block.first_row, functools.partial(self._batches_of_block, block))

    def _batches_of_block(self, block: RecordBlock) -> Iterator[pa.RecordBatch]:
        decode = RecordDecoder(self.payload_format, self.schema)
        row = block.first_row
        for records in batched_records(iter(records_of(block)), self.batch_size):
            batch = decode(records, block.path, row)
            row += len(records)
            if self.columns is not None:
                batch = batch.select([n for n in batch.schema.names if n in self.columns])
            yield batch

    def columns_of(self, path: str) -> pa.Schema:
        """Return the columns of a Parquet file that are read."""
        with _opened(path) as parquet:
            fields = [
                field
                for field in parquet.schema_arrow
                if self.columns is None or field.name in self.columns
            ]
        return pa.schema(fields)

    def _row_groups(self, path: str) -> Iterator[Part]:
        with _opened(path) as parquet:
            metadata = parquet.metadata
        if not metadata.num_rows:
            yield Part(0, functools.partial(self._batches_of_groups, path, []))
        first = rows = 0
        groups: list[int] = []
        for group in range(metadata.num_row_groups):
            groups.append(group)
            rows += metadata.row_group(group).num_rows
            if rows >= _PART_ROWS or group == metadata.num_row_groups - 1:
                yield Part(first, functools.partial(self._batches_of_groups, path, groups))
                first, rows, groups = first + rows, 0, []

    def _batches_of_groups(self, path: str, groups: list[int]) -> Iterator[pa.RecordBatch]:
        with _opened(path) as parquet:
            rows = batch_rows(parquet, self.batch_size)
            names = parquet.schema_arrow.names
            kept = [name for name in names if self.columns is None or name in self.columns]
            try:
                for batch in parquet.iter_batches(rows, row_groups=groups, columns=kept):
                    yield list_columns(batch)
            except (pa.ArrowInvalid, OSError) as error:
                raise ValueError(
                    f"{path}: the Parquet file cannot be read, or is damaged ({error})"
                ) from error
            if not parquet.metadata.num_rows:
                yield list_columns(empty_batch(self.columns_of(path)))


@contextlib.contextmanager
def _opened(path: str) -> "Iterator[pq.ParquetFile]":
    import pyarrow.parquet as pq

    with open_binary(path) as file:
        try:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
        except pa.ArrowInvalid as error:
            raise ValueError(f"{path}: not a Parquet file ({error})") from error
        if twice := repeated(parquet.schema_arrow.names):
            raise ValueError(
                f"{path}: the column names {twice} come more than once. Rename or drop some."
            )
        yield parquet


def csv_parts(source: CsvFiles, cells: CsvCells, *, guessed: bool = False) -> Iterator[Part]:
    """Cuts the rows of CSV files into parts.

    Args:
        source: The files.
        cells: Their cells, and the columns' types.
        guessed: Whether the types may turn out to be wrong: `WrongGuessError` says so.
    """
    first = rows = 0
    batches: list[pa.RecordBatch] = []
    for batch in cells.batches:
        batches.append(batch)
        rows += batch.num_rows
        if rows >= _PART_ROWS:
            yield Part(first, functools.partial(_convert, source, cells.types, batches, guessed))
            first, rows, batches = first + rows, 0, []
    if batches:
        yield Part(first, functools.partial(_convert, source, cells.types, batches, guessed))


def _convert(
    source: CsvFiles, types: dict[str, ColumnType], batches: list[pa.RecordBatch], guessed: bool
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield source.convert(batch, types, guessed=guessed)
