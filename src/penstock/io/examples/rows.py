"""Rows of Examples, as columns and as records, and blocks of input that become rows."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.io.arrow.arrays import numbers
from penstock.io.examples.formats import MissingAs
from penstock.io.examples.serialization import serialize_examples


class Rows(NamedTuple):
    """Some rows: as a batch, and as serialized records.

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
        """Serialize batches as tf.Examples; `missing` defines what a null cell becomes."""
        to_rows = functools.partial(rows_of_batch, missing=missing)
        return RowBlocks(lambda: Blocks(to_rows, batches))

    def filter(self, keep: npt.ArrayLike) -> "Rows":
        """Return the rows to keep; their records do not change.

        Args:
            keep: One boolean per row: a NumPy or Arrow array, or a list. A null counts as false.

        Raises:
            ValueError: If their number is not the number of rows, or they are not booleans.

        Example:
            >>> rows.filter(pc.greater(rows.batch["age"].flatten(), 17))
        """
        if isinstance(keep, pa.Array | pa.ChunkedArray):
            mask = keep
        elif np.ndim(keep) == 1:
            mask = pa.array(np.asarray(keep))
        else:
            raise ValueError(
                f"filter takes {self.batch.num_rows} booleans, one per row. Received: {keep!r}"
            )
        if not pa.types.is_boolean(mask.type) or len(mask) != self.batch.num_rows:
            raise ValueError(
                f"filter takes {self.batch.num_rows} booleans, one per row. "
                f"Received: {len(mask)} values of type {mask.type}"
            )
        chosen = np.flatnonzero(pc.fill_null(mask, False).to_numpy(zero_copy_only=False))
        records = [self.records[row] for row in chosen.tolist()] if self.records else ()
        return Rows(self.batch.take(numbers(chosen)), records)


class Blocks(NamedTuple):
    """Blocks of input, and a function that makes rows from a block.

    Both should be picklable; otherwise the calling process does all the work.
    """

    to_rows: Callable[[Any], Rows]
    blocks: Iterable[Any]


class WrongGuessError(Exception):
    """An assumption from the first rows of the input does not hold for all of it."""


class RowBlocks(Iterable[Rows]):
    """Blocks of input that become rows, in several processes if that is worthwhile.

    Args:
        read: Opens the input when rows are wanted.
        guess: Does so faster, with a guess. If the guess is wrong, the blocks or `to_rows` raise
            `WrongGuessError` and `read` is called. None if there is no faster way.

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
    """Serialize a batch as tf.Examples.

    Example:
        >>> rows_of_batch(pa.record_batch({"age": [37, 41]})).records
        [b'...', b'...']
    """
    return Rows(batch, serialize_examples(batch, missing=missing).to_pylist())
