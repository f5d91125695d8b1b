"""Batches of equal size, stacked: how they are handed to TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

import numpy as np

from penstock.training.input.buffers import ReusedBuffers, aligned_size
from penstock.training.input.columns import Column, RaggedArray
from penstock.training.input.feature_columns import FeatureColumn
from penstock.training.input.layout import Layout, Place
from penstock.training.input.windows import Window

_STACK_BYTES = 8 << 20
_TAKEN_BYTES = 512 << 10
"""What is taken at once stays in the cache of a core until it is in its place."""


class Stack(TypedDict):
    """Some batches.

    Attributes:
        dense: Each dense feature, of the shape (batches, batch, ...).
        values: The values of each feature of variable length, of all batches.
        row_splits: Where its rows end in `values`, of the shape (batches, batch + 1).
    """

    dense: dict[str, Any]
    values: dict[str, Any]
    row_splits: dict[str, Any]


class BatchStacks:
    """Makes stacks of windows.

    Args:
        layout: How the rows of a window lie in memory.
        weight: The column that is the weight, if there is one.
    """

    def __init__(self, layout: Layout, weight: str | None) -> None:
        self._layout = layout
        self._weight = weight
        self._buffers = ReusedBuffers()
        self._row_bytes = max(1, sum(place.feature.row_bytes for place in layout.places))

    def of(self, window: Window) -> Iterator[Stack]:
        """Yield the stacks of a window; a shorter last batch is a stack of its own."""
        size = window.ends[0]
        most = max(1, _STACK_BYTES // (self._row_bytes * max(1, size)))
        full = len(window.ends) if len(window.ends) * size == window.ends[-1] else -1
        batches = full if full > 0 else len(window.ends) - 1
        for first in range(0, batches, most):
            count = min(most, batches - first)
            yield self._stack(window, first * size, count, size)
        if batches < len(window.ends):
            yield self._stack(window, batches * size, 1, window.ends[-1] - batches * size)

    def _stack(self, window: Window, start: int, batches: int, size: int) -> Stack:
        rows = batches * size
        columns = self._columns(rows)
        ragged: dict[str, list[Column]] = {each.name: [] for each in self._layout.ragged}
        step = max(1, _TAKEN_BYTES // self._row_bytes)
        for first in range(0, rows, step):
            stop = min(first + step, rows)
            taken: Any = window.taken(start + first, start + stop)
            for place in self._layout.places:
                target = columns[place.feature.name][first:stop]
                target[:] = taken[place.matrix][:, place.start : place.stop]
            for name, parts in ragged.items():
                parts.append(taken[name])
        dense = {
            place.feature.name: columns[place.feature.name].reshape(
                batches, size, *self._shape(place.feature)
            )
            for place in self._layout.places
        }
        joined = {name: RaggedArray.joined(parts) for name, parts in ragged.items()}
        ends = np.arange(batches)[:, np.newaxis] * size + np.arange(size + 1)
        return {
            "dense": dense,
            "values": {name: each.values for name, each in joined.items()},
            "row_splits": {name: each.row_splits[ends] for name, each in joined.items()},
        }

    def _columns(self, rows: int) -> dict[str, Any]:
        """Return an array of each dense feature, to be filled, in memory that may have been used."""
        sizes = [aligned_size(rows * self._value_bytes(each)) for each in self._layout.places]
        buffer = self._buffers.take(sum(sizes))
        columns: dict[str, Any] = {}
        start = 0
        for place, size in zip(self._layout.places, sizes, strict=True):
            shape = (rows, place.feature.width)
            if place.feature.holds_bytes:
                columns[place.feature.name] = np.empty(shape, object)
            else:
                used = rows * self._value_bytes(place)
                values = buffer[start : start + used].view(self._dtype(place.feature))
                columns[place.feature.name] = values.reshape(shape)
            start += size
        return columns

    def _value_bytes(self, place: Place) -> int:
        if place.feature.holds_bytes:
            return 0
        return place.feature.width * self._dtype(place.feature).itemsize

    def _dtype(self, feature: FeatureColumn) -> np.dtype[Any]:
        return np.dtype(np.float32) if feature.name == self._weight else feature.dtype

    def _shape(self, feature: FeatureColumn) -> tuple[int, ...]:
        return () if feature.name == self._weight else feature.shape or ()

    def signature(self, size: int | None) -> dict[str, dict[str, Any]]:
        """Return the `tf.TensorSpec`s of a stack.

        Args:
            size: Rows of every batch; None if the last one may be shorter.
        """
        import tensorflow as tf

        def dtype(feature: FeatureColumn) -> Any:
            return tf.string if feature.holds_bytes else tf.dtypes.as_dtype(self._dtype(feature))

        dense = [place.feature for place in self._layout.places]
        ragged = self._layout.ragged
        ends = None if size is None else size + 1
        return {
            "dense": {
                each.name: tf.TensorSpec([None, size, *self._shape(each)], dtype(each))
                for each in dense
            },
            "values": {each.name: tf.TensorSpec([None], dtype(each)) for each in ragged},
            "row_splits": {each.name: tf.TensorSpec([None, ends], tf.int64) for each in ragged},
        }

    def ragged_tensors(
        self, values: Mapping[str, Any], row_splits: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the features of variable length of a batch.

        Args:
            values: Their values in the whole stack.
            row_splits: Where the rows of the batch end in `values`.
        """
        import tensorflow as tf

        tensors: dict[str, Any] = {}
        for each in self._layout.ragged:
            splits = row_splits[each.name]
            part = values[each.name][splits[0] : splits[-1]]
            ragged = tf.RaggedTensor.from_row_splits(part, splits - splits[0], validate=False)
            tensors[each.name] = ragged if each.is_ragged else ragged.to_sparse()
        return tensors
