"""Batches as a `tf.data.Dataset`.

Python hands over whole windows of rows, some of each second of training; TensorFlow cuts them into
batches. So the GIL is not needed for a batch. The dense features of a window of the same dtype are one
matrix, of which a batch is a slice without a copy.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.training.input.columns import RaggedArray
from penstock.training.input.feature_columns import FeatureColumn

if TYPE_CHECKING:
    import tensorflow as tf

    from penstock.training.input.batches import Batches
    from penstock.training.input.windows import Window

_BATCHES_AHEAD = 2


def tf_dataset(batches: Batches, first_epoch: int, first_step: int) -> tf.data.Dataset:
    """Return the elements of `batches`; see `Batches.as_tf_dataset`."""
    import tensorflow as tf

    layout = _WindowLayout(batches.features)
    passes = itertools.count()

    def windows() -> Iterator[Any]:
        number = next(passes)
        step = first_step if number == 0 else 0
        for window in batches.windows(first_epoch + number, step, endless=batches.repeats):
            yield layout.pack(window)

    def batches_of(window: Mapping[str, Any]) -> tf.data.Dataset:
        def batch(number: tf.Tensor) -> Any:
            start = tf.where(number > 0, window["ends"][number - 1], 0)
            columns = layout.unpack(window, start, window["ends"][number])
            if batches.element.weight is not None:
                weight = columns[batches.element.weight]
                columns[batches.element.weight] = tf.cast(tf.reshape(weight, [-1]), tf.float32)
            return batches.element.of(columns)

        return tf.data.Dataset.range(tf.size(window["ends"], tf.int64)).map(batch)

    dataset = tf.data.Dataset.from_generator(windows, output_signature=layout.signature())
    if batches.read_ahead:
        dataset = dataset.prefetch(1)
    dataset = dataset.flat_map(batches_of)
    if batches.repeats:
        dataset = dataset.apply(
            tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        )
    elif not first_step:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(batches.steps_per_epoch))
    if batches.read_ahead:
        dataset = dataset.prefetch(_BATCHES_AHEAD)
    options = tf.data.Options()
    if batches.order.shard_count > 1:
        policy = tf.data.experimental.AutoShardPolicy.OFF
        options.experimental_distribute.auto_shard_policy = policy
    return dataset.with_options(options)


class _WindowLayout:
    """How the columns of a window are handed to TensorFlow, and found again there.

    Args:
        features: The form of each column.
    """

    def __init__(self, features: Mapping[str, FeatureColumn]) -> None:
        self._matrices: dict[str, list[FeatureColumn]] = {}
        self._ragged = [each for each in features.values() if not each.is_dense]
        for each in features.values():
            if each.is_dense:
                self._matrices.setdefault(str(each.dtype), []).append(each)

    def pack(self, window: Window) -> dict[str, Any]:
        """Return a window as arrays by name."""
        packed: dict[str, Any] = {"ends": np.array(window.ends, np.int64)}
        rows = window.ends[-1]
        for dtype, features in self._matrices.items():
            parts: list[Any] = [window.columns[each.name] for each in features]
            flat = [part.reshape(rows, -1) for part in parts]
            packed[f"matrix/{dtype}"] = np.concatenate(flat, axis=1) if len(flat) > 1 else flat[0]
        for each in self._ragged:
            column = window.columns[each.name]
            assert isinstance(column, RaggedArray)
            packed[f"values/{each.name}"] = column.values
            packed[f"row_splits/{each.name}"] = column.row_splits
        return packed

    def signature(self) -> dict[str, Any]:
        """Return the `tf.TensorSpec`s of what `pack` returns."""
        import tensorflow as tf

        signature = {"ends": tf.TensorSpec([None], tf.int64)}
        for dtype, features in self._matrices.items():
            width = sum(each.width for each in features)
            signature[f"matrix/{dtype}"] = tf.TensorSpec([None, width], _tf_dtype(dtype))
        for each in self._ragged:
            signature[f"values/{each.name}"] = tf.TensorSpec([None], _tf_dtype(str(each.dtype)))
            signature[f"row_splits/{each.name}"] = tf.TensorSpec([None], tf.int64)
        return signature

    def unpack(self, window: Mapping[str, Any], start: Any, end: Any) -> dict[str, Any]:
        """Return the columns of the rows from `start` to `end`, as tensors."""
        import tensorflow as tf

        columns: dict[str, Any] = {}
        for dtype, features in self._matrices.items():
            matrix = window[f"matrix/{dtype}"][start:end]
            parts = tf.split(matrix, [each.width for each in features], axis=1)
            for each, part in zip(features, parts, strict=True):
                shape = each.shape or ()
                if len(shape) != 1:
                    part = tf.reshape(part, [-1, *shape])
                columns[each.name] = part
        for each in self._ragged:
            splits = window[f"row_splits/{each.name}"][start : end + 1]
            values = window[f"values/{each.name}"][splits[0] : splits[-1]]
            ragged = tf.RaggedTensor.from_row_splits(values, splits - splits[0], validate=False)
            columns[each.name] = ragged if each.is_ragged else ragged.to_sparse()
        return columns


def _tf_dtype(dtype: str) -> Any:
    import tensorflow as tf

    return tf.string if dtype == "object" else tf.dtypes.as_dtype(dtype)
