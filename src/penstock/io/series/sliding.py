"""Where the windows of one series begin, and into which split each of them falls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class WindowShape:
    """The shape of a window.

    Args:
        input_width: Steps that the model sees.
        horizon: Steps that it is to tell.
        delay: Steps between the last input and the first target.
        stride: Steps from the beginning of one window to that of the next.
    """

    input_width: int
    horizon: int
    delay: int = 0
    stride: int = 1

    @property
    def first_target(self) -> int:
        """The place of the first target, counted from the first input."""
        return self.input_width + self.delay

    @property
    def length(self) -> int:
        """Steps from the first input to the last target, both included."""
        return self.first_target + self.horizon


class Segment(NamedTuple):
    """A stretch of a series without a gap, one row a step.

    Attributes:
        ticks: The time of each step.
        inputs: The columns of the inputs, float32; carried values included.
        targets: The columns of the targets; NaN where there was no value.
    """

    ticks: Array
    inputs: Mapping[str, Array]
    targets: Mapping[str, Array]


def segments(
    ticks: Array, columns: Mapping[str, Array], targets: Sequence[str], step: float, carry: int
) -> list[Segment]:
    """Divide a series at its gaps.

    Args:
        ticks: The time of each row, ascending.
        columns: The values of each column, NaN where there is none.
        targets: Columns whose values are to be told.
        step: Ticks from one row to the next.
        carry: At most so many missing values in a row are replaced by the last one before; for inputs
            only. A gap in time that is no longer is filled like this; a longer one divides.

    Returns:
        The stretches between gaps, in order.
    """
    places = (ticks - ticks[0]) / step if len(ticks) else ticks
    jumps = np.diff(places)
    # Off the grid, a row starts a stretch of its own: its neighbours are not one step away.
    whole = np.isclose(jumps, np.round(jumps), rtol=0, atol=1e-3)
    cuts = np.flatnonzero(~whole | (np.round(jumps) > carry + 1)) + 1
    found = []
    for rows in np.split(np.arange(len(ticks)), cuts):
        if not len(rows):
            continue
        offsets = np.round(places[rows] - places[rows[0]]).astype(np.int64)
        length = int(offsets[-1]) + 1
        spread = {name: _spread(values[rows], offsets, length) for name, values in columns.items()}
        found.append(
            Segment(
                ticks[rows[0]] + (np.arange(length) * step).astype(ticks.dtype),
                {name: carried(values, carry) for name, values in spread.items()},
                {name: spread[name] for name in targets},
            )
        )
    return found


def _spread(values: Array, offsets: Array, length: int) -> Array:
    on_grid = np.full(length, np.nan, np.float32)
    on_grid[offsets] = values
    return on_grid


def carried(values: Array, at_most: int) -> Array:
    """Replace missing values by the last one before, no more than so many in a row."""
    missing = np.isnan(values)
    if at_most == 0 or not missing.any():
        return values
    places = np.arange(len(values))
    last = np.maximum.accumulate(np.where(missing, -1, places))
    fills = missing & (last >= 0) & (places - last <= at_most)
    return np.where(fills, values[np.maximum(last, 0)], values)


def window_starts(segment: Segment, shape: WindowShape, inputs: Sequence[str]) -> Array:
    """Return where windows begin in a segment: those whose inputs and targets are all there."""
    count = len(segment.ticks) - shape.length + 1
    if count <= 0:
        return np.empty(0, np.int64)
    starts = np.arange(0, count, shape.stride)
    known = ~np.any([np.isnan(segment.inputs[name]) for name in inputs], axis=0)
    told = ~np.any([np.isnan(values) for values in segment.targets.values()], axis=0)
    first = starts + shape.first_target
    is_whole = _all_between(known, starts, starts + shape.input_width)
    return starts[is_whole & _all_between(told, first, first + shape.horizon)]


def _all_between(good: Array, begins: Array, ends: Array) -> Array:
    bad = np.concatenate([[0], np.cumsum(~good)])
    return np.asarray(bad[ends] == bad[begins])


def split_numbers(
    segment: Segment,
    starts: Array,
    shape: WindowShape,
    boundaries: Sequence[float],
    *,
    shared_history: bool,
) -> Array:
    """Return the number of the split of each window; -1 for one that lies across a boundary.

    Args:
        segment: Where the windows are.
        starts: Where they begin.
        shape: Their shape.
        boundaries: The ticks at which the second split begins, the third, and so on.
        shared_history: Whether inputs may lie before the beginning of the split.
    """
    targets = segment.ticks[starts + shape.first_target]
    ends = np.searchsorted(boundaries, segment.ticks[starts + shape.length - 1], side="right")
    begins = np.searchsorted(
        boundaries, targets if shared_history else segment.ticks[starts], side="right"
    )
    return np.where(begins == ends, ends, -1)
