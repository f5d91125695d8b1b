"""Columns of rows as NumPy arrays, also of rows of different lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]


class RaggedArray:
    """Rows of different lengths: the values of all rows, and where each row ends.

    It is the NumPy form of a feature without a shape, as `tf.RaggedTensor` has it.

    Args:
        values: The values of all rows, one after another; shape (values,).
        row_splits: Row i has `values[row_splits[i]:row_splits[i + 1]]`; int64, shape (rows + 1,).

    Example:
        >>> words = RaggedArray(np.array([b"a", b"b", b"c"], object), np.array([0, 2, 2, 3]))
        >>> words.to_list()
        [[b'a', b'b'], [], [b'c']]
        >>> words.to_dense(b"").shape
        (3, 2)
    """

    def __init__(self, values: Array, row_splits: npt.NDArray[np.int64]) -> None:
        self.values = values
        self.row_splits = row_splits

    def __len__(self) -> int:
        return len(self.row_splits) - 1

    def __repr__(self) -> str:
        return f"RaggedArray({len(self)} rows, {len(self.values)} values of {self.values.dtype})"

    @classmethod
    def joined(cls, parts: Sequence[Any]) -> RaggedArray:
        """Return the rows of several arrays, one after another."""
        if len(parts) == 1:
            return cls(parts[0].values, parts[0].row_splits)
        ends = np.cumsum([0, *(part.row_splits[-1] for part in parts)])
        splits = [part.row_splits[:-1] + end for part, end in zip(parts, ends[:-1], strict=True)]
        return cls(
            np.concatenate([part.values for part in parts]), np.concatenate([*splits, ends[-1:]])
        )

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The number of values of each row."""
        return np.diff(self.row_splits)

    def slice(self, start: int, stop: int) -> RaggedArray:
        """Return the rows from `start` up to `stop`."""
        splits = self.row_splits[start : stop + 1]
        return RaggedArray(self.values[splits[0] : splits[-1]], splits - splits[0])

    def take(self, rows: npt.NDArray[np.int64]) -> RaggedArray:
        """Return some rows, in the given order."""
        starts = self.row_splits[rows]
        lengths = self.row_splits[rows + 1] - starts
        splits = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=splits[1:])
        places = np.repeat(starts - splits[:-1], lengths) + np.arange(splits[-1])
        return RaggedArray(self.values[places], splits)

    def copy(self) -> RaggedArray:
        """Return the same rows in memory of their own."""
        return RaggedArray(self.values.copy(), self.row_splits.copy())

    def to_list(self) -> list[list[Any]]:
        """Return the rows as lists."""
        return [
            self.values[start:stop].tolist()
            for start, stop in zip(self.row_splits[:-1], self.row_splits[1:], strict=True)
        ]

    def to_dense(self, default: Any = None, width: int | None = None) -> Array:
        """Return the rows padded at their ends.

        Args:
            default: The value to pad with; 0, or b"" for bytes.
            width: Values of each row of the result; by default those of the longest row.

        Raises:
            ValueError: If a row has more than `width` values.
        """
        lengths = self.lengths
        longest = int(lengths.max(initial=0))
        width = longest if width is None else width
        if longest > width:
            raise ValueError(f"A row has {longest} values, more than width={width}.")
        if default is None:
            default = b"" if self.values.dtype == object else 0
        dense = np.full((len(self), width), default, self.values.dtype)
        dense[np.arange(width) < lengths[:, np.newaxis]] = self.values
        return dense


Column: TypeAlias = "Array | RaggedArray"
Columns: TypeAlias = Mapping[str, Column]


def num_rows(columns: Columns) -> int:
    """Return the number of rows of columns."""
    return len(next(iter(columns.values()))) if columns else 0


def slice_rows(columns: Columns, start: int, stop: int) -> dict[str, Column]:
    """Return the rows from `start` up to `stop`, without copying dense columns."""
    return {
        name: each.slice(start, stop) if isinstance(each, RaggedArray) else each[start:stop]
        for name, each in columns.items()
    }


def take_rows(columns: Columns, rows: npt.NDArray[np.int64]) -> dict[str, Column]:
    """Return some rows, in the given order."""
    return {
        name: each.take(rows) if isinstance(each, RaggedArray) else each.take(rows, axis=0)
        for name, each in columns.items()
    }


def concatenate(parts: Sequence[Columns]) -> dict[str, Column]:
    """Return the rows of all parts, one after another."""
    if len(parts) == 1:
        return dict(parts[0])
    return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _joined(parts: Sequence[Any]) -> Column:
    if isinstance(parts[0], RaggedArray):
        return RaggedArray.joined(parts)
    return np.concatenate(parts)
