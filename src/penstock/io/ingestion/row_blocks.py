"""Input rows for ingestion, and blocks of input that several processes make rows of."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from penstock.io.examples.serialization import MissingAs, serialize_examples


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
        to_rows = functools.partial(rows_of_batch, missing=missing)
        return RowBlocks(lambda: Blocks(to_rows, batches))


class Blocks(NamedTuple):
    """Blocks of input, and a function that makes rows of one.

    Both should be picklable, else the calling process does all the work.
    """

    to_rows: Callable[[Any], Rows]
    blocks: Iterable[Any]


class WrongGuessError(Exception):
    """What the first rows let one assume of the input does not hold for all of it."""


class RowBlocks(Iterable[Rows]):
    """Blocks of input that become rows, by several processes where that is worthwhile.

    Args:
        read: Opens the input when rows are wanted.
        guess: Does so faster, by a guess: `WrongGuessError`, from the blocks or from `to_rows`, says
            that it was wrong, and that `read` is to be called. None if there is no such way.

    Example:
        >>> rows = RowBlocks(lambda: Blocks(rows_of_batch, read_parquet(files)))
        >>> sum(block.batch.num_rows for block in rows)
        334
    """

    def __init__(
        self, read: Callable[[], Blocks], guess: Callable[[], Blocks] | None = None
    ) -> None:
        self.read = read
        self.guess = guess

    def __iter__(self) -> Iterator[Rows]:
        to_rows, blocks = self.read()
        return map(to_rows, blocks)


def rows_of_batch(batch: pa.RecordBatch, missing: MissingAs = "empty") -> Rows:
    """Serializes a batch as tf.Examples.

    Example:
        >>> rows_of_batch(pa.record_batch({"age": [37, 41]})).records
        [b'...', b'...']
    """
    return Rows(batch, serialize_examples(batch, missing=missing).to_pylist())
