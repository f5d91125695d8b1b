"""The order of rows in an epoch: parts in random order, then windows of rows, each shuffled.

The order is a function of the data, the batch size, the seed and the number of the epoch. It does not
depend on what is in memory, so that a run that continues elsewhere sees the same batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from penstock.training.input.cache import CachedParts
from penstock.training.input.columns import (
    Column,
    Columns,
    concatenate,
    num_rows,
    slice_rows,
    take_rows,
)

WINDOW_BYTES = 32 << 20
FIRST_WINDOW_BYTES = 4 << 20
"""Of the first window of the first epoch, for which the device waits; the next are twice as large."""


class Window(NamedTuple):
    """Consecutive batches of an epoch, shuffled together.

    Attributes:
        columns: Their rows, in the order of the batches.
        ends: The row at which each batch ends.
    """

    columns: dict[str, Column]
    ends: list[int]


@dataclass(frozen=True)
class BatchOrder:
    """How rows become batches.

    Attributes:
        batch_size: Rows of a batch of all shards together.
        shuffle: Whether rows are shuffled, anew in each epoch.
        seed: Seed of the order.
        drop_remainder: Whether a last batch with fewer rows is left out.
        shard_index: Which part of each batch is taken.
        shard_count: Into how many parts batches are divided.
        window_bytes: Roughly the memory for rows that are shuffled together.
    """

    batch_size: int
    shuffle: bool = False
    seed: int = 0
    drop_remainder: bool = False
    shard_index: int = 0
    shard_count: int = 1
    window_bytes: int = WINDOW_BYTES

    def steps(self, rows: int) -> int:
        """Return the batches of an epoch."""
        return rows // self.batch_size if self.drop_remainder else -(-rows // self.batch_size)

    def window_rows(self, epoch: int, row_bytes: int) -> Iterator[int]:
        """Yield the rows of the windows of an epoch, without end; batches do not cross windows."""
        most = self._whole_batches(self.window_bytes // max(1, row_bytes))
        rows = min(most, self._whole_batches(FIRST_WINDOW_BYTES // max(1, row_bytes)))
        while epoch == 0 and rows < most:
            yield rows
            rows = min(most, 2 * rows)
        while True:
            yield most

    def _whole_batches(self, rows: int) -> int:
        return max(1, rows // self.batch_size) * self.batch_size

    def rows_of_shard(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], list[int]]:
        """Return the rows of a window that this shard takes, and where its batches end.

        A last batch with fewer rows is divided as evenly as possible, into parts that differ by at
        most one row.
        """
        count, size = self.shard_count, self.batch_size // self.shard_count
        batches, rest = divmod(len(rows), self.batch_size)
        full = rows[: batches * self.batch_size].reshape(batches, count, size)
        taken = full[:, self.shard_index].ravel()
        ends = list(range(size, batches * size + 1, size))
        if rest and not self.drop_remainder:
            last = np.array_split(rows[-rest:], count)[self.shard_index]
            taken = np.concatenate([taken, last])
            ends.append(len(taken))
        return taken, ends


def read_windows(
    parts: CachedParts, order: BatchOrder, epoch: int, first_step: int = 0
) -> Iterator[Window]:
    """Yield the windows of an epoch, from a step on; what comes before is not decoded."""
    sizes = order.window_rows(epoch, parts.row_bytes)
    number, start, size = 0, 0, next(sizes)
    while (start + size) // order.batch_size <= first_step:
        number, start, size = number + 1, start + size, next(sizes)
    skipped = first_step - start // order.batch_size
    pieces = _pieces(parts, _part_numbers(order, epoch, len(parts.parts)), start)
    waiting: list[Columns] = []
    available = 0
    exhausted = False
    while not exhausted:
        while available < size and not exhausted:
            piece = next(pieces, None)
            if piece is None:
                exhausted = True
            else:
                waiting.append(piece)
                available += num_rows(piece)
        rows = min(size, available)
        if rows:
            columns = concatenate(waiting)
            waiting = [slice_rows(columns, rows, available)] if available > rows else []
            available -= rows
            window = _window(slice_rows(columns, 0, rows), order, (epoch, number), skipped)
            if window.ends:
                yield window
        number, size, skipped = number + 1, next(sizes), 0


def _part_numbers(order: BatchOrder, epoch: int, parts: int) -> list[int]:
    if not order.shuffle:
        return list(range(parts))
    return [int(each) for each in _random(order, epoch, 0).permutation(parts)]


def _random(order: BatchOrder, epoch: int, number: int) -> np.random.Generator:
    return np.random.default_rng([order.seed % (1 << 64), epoch, number])


def _pieces(parts: CachedParts, numbers: list[int], first_row: int) -> Iterator[Columns]:
    for number in numbers:
        if first_row:
            rows = parts.rows_of(number)
            if rows <= first_row:
                first_row -= rows
                continue
        for piece in parts.read(number, first_row):
            yield piece.columns
        first_row = 0


def _window(
    columns: dict[str, Column], order: BatchOrder, place: tuple[int, int], skipped: int
) -> Window:
    """Return a window's rows in the order of the batches, without the first `skipped` batches."""
    epoch, number = place
    total = num_rows(columns)
    rows: npt.NDArray[np.int64]
    if order.shuffle:
        rows = _random(order, epoch, number + 1).permutation(total)
    else:
        rows = np.arange(total)
    taken, ends = order.rows_of_shard(rows[skipped * order.batch_size :])
    if not order.shuffle and order.shard_count == 1:
        start = skipped * order.batch_size
        return Window(slice_rows(columns, start, start + len(taken)), ends)
    return Window(take_rows(columns, taken), ends)
