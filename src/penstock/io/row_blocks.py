"""Input rows for ingestion, and blocks of input that several processes make rows of."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from penstock.io.broken_rows import OnBroken
from penstock.io.csv_reader import ColumnType, CsvFiles
from penstock.io.example_serialization import MissingAs, serialize_examples


class Rows(NamedTuple):
    """Some input rows: as a batch, and as canonical serialized records.

    Args:
        batch: The rows as columns.
        records: The same rows serialized, in the same order.
    """

    batch: pa.RecordBatch
    records: Sequence[bytes]

    @classmethod
    def of_batches(
        cls, batches: Iterable[pa.RecordBatch], missing: MissingAs = "empty"
    ) -> "RowBlocks":
        """Serializes batches as tf.Examples; `missing` says what a null cell becomes."""
        return RowBlocks(lambda: (functools.partial(rows_of_batch, missing=missing), batches))


class RowBlocks(Iterable[Rows]):
    """Blocks of input that become rows, by several processes where that is worthwhile.

    Args:
        start: Opens the input when rows are wanted. Returns a function that makes rows of a block
            and the blocks; both should be picklable, else the calling process does all the work.

    Example:
        >>> rows = RowBlocks(lambda: (rows_of_batch, read_parquet(files)))
        >>> sum(block.batch.num_rows for block in rows)
        334
    """

    def __init__(self, start: Callable[[], tuple[Callable[[Any], Rows], Iterable[Any]]]) -> None:
        self.start = start

    def __iter__(self) -> Iterator[Rows]:
        to_rows, blocks = self.start()
        return map(to_rows, blocks)


def csv_rows(source: CsvFiles, on_broken: OnBroken | None = None) -> RowBlocks:
    """Reads the rows of CSV files.

    Args:
        source: The files.
        on_broken: Is told of each broken row, which is left out; by default it is an error.
    """

    def start() -> tuple[Callable[[pa.RecordBatch], Rows], Iterable[pa.RecordBatch]]:
        cells = source.read_cells(on_broken=on_broken)
        return _RowsOfCells(source, cells.types), cells.batches

    return RowBlocks(start)


@dataclass(frozen=True)
class _RowsOfCells:
    source: CsvFiles
    types: dict[str, ColumnType]

    def __call__(self, cells: pa.RecordBatch) -> Rows:
        return rows_of_batch(self.source.convert(cells, self.types))


def rows_of_batch(batch: pa.RecordBatch, missing: MissingAs = "empty") -> Rows:
    """Serializes a batch as tf.Examples.

    Example:
        >>> rows_of_batch(pa.record_batch({"age": [37, 41]})).records
        [b'...', b'...']
    """
    return Rows(batch, serialize_examples(batch, missing=missing).to_pylist())
