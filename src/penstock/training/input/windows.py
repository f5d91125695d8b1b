"""The order of rows in an epoch: parts in random order, then windows of rows, each shuffled.

The order is a function of the data, the batch size, the seed and the number of the epoch. It does not
depend on what is in memory, so that a run that continues elsewhere sees the same batches.
"""

from __future__ import annotations

import itertools
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
        columns: Their rows, and perhaps more.
        rows: The rows of the batches in order; None if they are those of `columns`.
        ends: Where each batch ends, in `rows`.
    """

    columns: Columns
    rows: npt.NDArray[np.int64] | None
    ends: list[int]

    def taken(self, start: int, stop: int) -> dict[str, Column]:
        """Return some rows, counted in the order of the batches."""
        if self.rows is None:
            return slice_rows(self.columns, start, stop)
        return take_rows(self.columns, self.rows[start:stop])


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

    @property
    def static_size(self) -> int | None:
        """Rows of every batch of this shard; None if the last one may be shorter."""
        return self.batch_size // self.shard_count if self.drop_remainder else None

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
    numbers = _part_numbers(order, epoch, len(parts.parts))
    cut = _cut_table if parts.is_complete else _cut_pieces
    for columns, rows in cut(parts, numbers, start, itertools.chain([size], sizes)):
        window = _window(columns, rows, order, (epoch, number), skipped)
        if window.ends:
            yield window
        number, skipped = number + 1, 0


_Cut = tuple[Columns, npt.NDArray[np.int64] | None]


def _cut_table(
    parts: CachedParts, numbers: list[int], start: int, sizes: Iterator[int]
) -> Iterator[_Cut]:
    """Yield the rows of the windows from `start` on, out of the table of all rows."""
    table, starts = parts.table()
    ordered = numbers == sorted(numbers)
    rows = np.arange(starts[-1])
    if not ordered:
        rows = np.concatenate([rows[starts[number] : starts[number + 1]] for number in numbers])
    for size in sizes:
        if start >= len(rows):
            return
        stop = min(start + size, len(rows))
        if ordered:
            yield slice_rows(table, start, stop), None
        else:
            yield table, rows[start:stop]
        start = stop


def _cut_pieces(
    parts: CachedParts, numbers: list[int], start: int, sizes: Iterator[int]
) -> Iterator[_Cut]:
    """Yield the rows of the windows from `start` on, as they are read."""
    pieces = _pieces(parts, numbers, start)
    waiting: list[Columns] = []
    available = 0
    exhausted = False
    for size in sizes:
        while available < size and not exhausted:
            piece = next(pieces, None)
            if piece is None:
                exhausted = True
            else:
                waiting.append(piece)
                available += num_rows(piece)
        if not available:
            return
        columns = concatenate(waiting)
        rows = min(size, available)
        waiting = [slice_rows(columns, rows, available)] if available > rows else []
        available -= rows
        yield slice_rows(columns, 0, rows), None


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
    columns: Columns,
    rows: npt.NDArray[np.int64] | None,
    order: BatchOrder,
    place: tuple[int, int],
    skipped: int,
) -> Window:
    """Return the window of some rows, in the order of the batches, without the first `skipped` ones."""
    epoch, number = place
    total = num_rows(columns) if rows is None else len(rows)
    if order.shuffle:
        chosen = _random(order, epoch, number + 1).permutation(total)
    else:
        chosen = np.arange(total)
    first = skipped * order.batch_size
    taken, ends = order.rows_of_shard(chosen[first:])
    if rows is not None:
        return Window(columns, rows[taken], ends)
    if not order.shuffle and order.shard_count == 1:
        return Window(slice_rows(columns, first, first + len(taken)), None, ends)
    return Window(columns, taken, ends)
