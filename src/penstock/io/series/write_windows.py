"""Writing windows as Examples, some thousand at a time."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa

from penstock.io.examples.writer import ExamplesWriter
from penstock.io.series.sliding import Segment, WindowShape
from penstock.io.series.time_axis import TimeAxis

Array = np.ndarray[Any, Any]
_ROWS = 8192


def target_name(column: str) -> str:
    """Return the name of a target: `co2_target` for `co2`."""
    return f"{column}_target"


class WindowWriter:
    """Collects windows and writes them to their splits, in the order in which they come.

    A row has for each input a list of `input_width` values, for each target (`<name>_target`) a list of
    `horizon` values, and the time of the last input. With `series_key` it has the key of its series.

    Args:
        writer: Where the rows go.
        shape: The shape of windows.
        axis: The column of times.
        series_key: The column of keys; empty for none.
    """

    def __init__(
        self, writer: ExamplesWriter, shape: WindowShape, axis: TimeAxis, series_key: str = ""
    ) -> None:
        self._writer, self._shape, self._axis, self._key = writer, shape, axis, series_key
        self._waiting: dict[str, list[dict[str, Any]]] = {}

    def add(self, split: str, segment: Segment, starts: Array, key: Any) -> None:
        """Add the windows of a segment that begin at some places."""
        for first in range(0, len(starts), _ROWS):
            part = starts[first : first + _ROWS]
            columns: dict[str, Any] = {
                name: _slices(values, part, self._shape.input_width)
                for name, values in segment.inputs.items()
            }
            for name, values in segment.targets.items():
                begin = part + self._shape.first_target
                columns[target_name(name)] = _slices(values, begin, self._shape.horizon)
            columns[self._axis.name] = segment.ticks[part + self._shape.input_width - 1]
            if self._key:
                columns[self._key] = [key] * len(part)
            waiting = self._waiting.setdefault(split, [])
            waiting.append(columns)
            if sum(len(each[self._axis.name]) for each in waiting) >= _ROWS:
                self._flush(split)

    def close(self) -> None:
        """Write what is left."""
        for split in self._waiting:
            self._flush(split)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()

    def _flush(self, split: str) -> None:
        parts = self._waiting[split]
        if not parts:
            return
        columns = {}
        for name in parts[0]:
            if name == self._key:
                keys = pa.array([key for part in parts for key in part[name]])
                columns[name] = _lists(keys, 1)
                continue
            values = np.concatenate([part[name] for part in parts])
            if name == self._axis.name:
                columns[name] = _lists(self._axis.times(values), 1)
            else:
                columns[name] = _lists(pa.array(values.reshape(-1)), values.shape[1])
        self._writer.write(split, pa.RecordBatch.from_pydict(columns))
        parts.clear()


def _slices(values: Array, begins: Array, width: int) -> Array:
    """Return the values from each beginning on, of the shape (windows, width)."""
    return np.asarray(np.lib.stride_tricks.sliding_window_view(values, width)[begins])


def _lists(values: pa.Array, width: int) -> pa.Array:
    offsets: Sequence[int] = np.arange(0, len(values) + 1, width, dtype=np.int32)  # type: ignore[assignment]
    return pa.ListArray.from_arrays(pa.array(offsets), values)
