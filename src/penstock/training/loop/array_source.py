"""Arrays in memory as passes of batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


class ArraySource:
    """Arrays of rows, shuffled by (seed, number of the pass): any place of any pass is found at once.

    Args:
        data: x, or (x, y) or (x, y, sample weights), each an array or a structure of arrays.
        batch_size: Rows of a batch; the last one of a pass may have fewer.
        shuffle: Whether rows are shuffled, anew in each pass.
        seed: Seed of that.
        replicas: Devices that must have equal parts of every batch: of the last one the rows are left out
            that do not divide by them.
        argument: What the data are called in messages.
    """

    endless = True

    def __init__(
        self,
        data: Any,
        batch_size: int,
        shuffle: bool,
        seed: int,
        replicas: int = 1,
        argument: str = "data",
    ) -> None:
        import keras

        self.data = keras.tree.map_structure(lambda value: _array(value, argument), data)
        rows = {len(each) for each in keras.tree.flatten(self.data) if each is not None}
        if len(rows) != 1 or not min(rows):
            raise ValueError(
                f"{argument} needs arrays with the same number of rows, one or more. Received: "
                f"{', '.join(map(str, sorted(rows))) or 'no arrays'}"
            )
        all_rows = rows.pop()
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1. Received: {batch_size}")
        self.rows = all_rows - all_rows % batch_size % replicas
        if batch_size % replicas or not self.rows:
            raise ValueError(
                f"Every batch must divide by {replicas} replicas. Received: batch_size={batch_size} and "
                f"{all_rows} rows"
            )
        self._all_rows = all_rows
        self.batch_size, self.shuffle, self.seed = batch_size, shuffle, seed
        self.length: int | None = -(-self.rows // batch_size)

    def order(self, number: int) -> np.ndarray:
        """Return the order of the rows in a pass."""
        return np.random.default_rng([self.seed, number]).permutation(self._all_rows)[: self.rows]

    def batches(self, number: int, first: int) -> Iterator[Any]:
        """Yield the batches of a pass."""
        import keras

        order = self.order(number) if self.shuffle else None
        assert self.length is not None
        for index in range(first, self.length):
            rows: Any = slice(
                index * self.batch_size, min((index + 1) * self.batch_size, self.rows)
            )
            if order is not None:
                rows = order[rows]

            def take(array: Any, rows: Any = rows) -> Any:
                return None if array is None else array[rows]

            yield keras.tree.map_structure(take, self.data)

    def dataset(self, number: int, first: int) -> Any:
        """Return the passes from a place on, without end."""
        import keras
        import tensorflow as tf

        with tf.device("CPU"):
            tensors = keras.tree.map_structure(
                lambda array: None if array is None else tf.convert_to_tensor(array), self.data
            )
        full, left = divmod(self.rows, self.batch_size)
        assert self.length is not None

        def order(at: Any) -> Any:
            if not self.shuffle:
                return tf.range(self.rows, dtype=tf.int64)
            found = tf.numpy_function(lambda n: self.order(int(n)), [at], tf.int64, stateful=False)
            return tf.ensure_shape(found, [self.rows])

        def parts(at: Any) -> Any:
            rows = order(at)
            whole = tf.reshape(rows[: full * self.batch_size], [full, self.batch_size])
            found = tf.data.Dataset.from_tensor_slices(whole)
            if left:
                found = found.concatenate(tf.data.Dataset.from_tensors(rows[-left:]))
            return found.skip(tf.where(at == number, tf.constant(first, tf.int64), 0))

        def take(rows: Any) -> Any:
            return keras.tree.map_structure(
                lambda tensor: None if tensor is None else tf.gather(tensor, rows), tensors
            )

        passes = tf.data.Dataset.range(number, np.iinfo(np.int64).max)
        # `prefetch`: the order of the next pass is drawn while this one runs.
        # AutoGraph has nothing to convert here, and warns on Python 3.13 that it cannot.
        as_it_is = tf.autograph.experimental.do_not_convert
        batches = passes.flat_map(as_it_is(parts))
        batches = batches.map(as_it_is(take), num_parallel_calls=tf.data.AUTOTUNE)
        return batches.prefetch(tf.data.AUTOTUNE)

    def example(self) -> Any:
        """Return the first batch."""
        return next(self.batches(0, 0))


def _array(value: Any, argument: str) -> Any:
    if value is None:
        return None
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    if array.ndim == 0 or array.dtype.kind == "O":
        raise TypeError(
            f"{argument} must be Batches of fn_args.dataset(...), a tf.data.Dataset, arrays, a "
            f"keras.utils.PyDataset or a generator of batches. Received: {type(value).__name__}"
        )
    if array.dtype == np.float64:
        import keras

        return array.astype(keras.config.floatx())
    return array
