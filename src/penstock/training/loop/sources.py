"""Data to train on as passes of batches, from whatever `fit` takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from penstock.training.loop.array_source import ArraySource


class Source(Protocol):
    """Batches, pass after pass over the data.

    Attributes:
        length: Batches of a pass; None if that is not known.
        endless: Whether the passes after the first need no new start.
    """

    length: int | None
    endless: bool

    def batches(self, number: int, first: int) -> Iterator[Any]:
        """Yield the batches of pass `number` (from 0), without its first ones, as NumPy arrays."""
        ...

    def dataset(self, number: int, first: int) -> Any:
        """Return the same as a `tf.data.Dataset`, and all following passes if it is endless."""
        ...

    def example(self) -> Any:
        """Return one batch, or its specs: what has the shapes and dtypes of one."""
        ...


def source_of(
    data: Any,
    *,
    batch_size: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
    replicas: int = 1,
    argument: str = "data",
) -> Source:
    """Return `data` as a source.

    Args:
        data: `Batches`, a `tf.data.Dataset`, a `keras.utils.PyDataset`, a generator of batches, or
            arrays: x, or a tuple (x, y) or (x, y, sample weights), each an array or a dict, list or
            tuple of arrays.
        batch_size: Rows of a batch; for arrays only.
        shuffle: Whether the rows of arrays are shuffled, anew in each pass.
        seed: Seed of that.
        replicas: Devices that must have equal parts of every batch; 1 if they need not.
        argument: What the argument is called, for messages.

    Raises:
        TypeError: If it is nothing of that.
        ValueError: If there are no rows, or numbers of rows that differ.
    """
    kinds = [kind.__module__.partition(".")[0] for kind in type(data).__mro__]
    if hasattr(data, "steps_per_epoch") and hasattr(data, "epoch"):
        source: Source = BatchesSource(data)
    elif hasattr(data, "element_spec") and "tensorflow" in kinds:
        source = DatasetSource(data)
    elif hasattr(data, "__getitem__") and hasattr(data, "on_epoch_end"):
        source = PyDatasetSource(data)
    elif hasattr(data, "__next__"):
        source = GeneratorSource(data, argument)
    else:
        size = 32 if batch_size is None else batch_size
        return ArraySource(data, size, shuffle, seed, replicas, argument)
    if batch_size is not None:
        raise ValueError(
            f"batch_size is for arrays, and {argument} has batches already. Received: "
            f"batch_size={batch_size} and {type(data).__name__}"
        )
    if isinstance(source, BatchesSource):
        source.check_parts(replicas, argument)
    return source


def batches_from(source: Source, number: int, first: int) -> Iterator[Any]:
    """Yield the batches of a pass, and of all following ones if the source is endless."""
    yield from source.batches(number, first)
    while source.endless:
        number += 1
        yield from source.batches(number, 0)


class BatchesSource:
    """`Batches` of `fn_args.dataset(...)`: any place of any pass is found at once."""

    endless = True

    def __init__(self, data: Any) -> None:
        self.data = data
        self.length: int | None = data.steps_per_epoch

    def batches(self, number: int, first: int) -> Iterator[Any]:
        """Yield the batches of a pass."""
        yield from self.data.epoch(number, first_step=first)

    def dataset(self, number: int, first: int) -> Any:
        """Return the passes from a place on."""
        return self.data.repeat().as_tf_dataset(first_epoch=number, first_step=first)

    def shard(self, index: int, count: int) -> BatchesSource:
        """Return the part of every batch that one of several processes takes."""
        return BatchesSource(self.data.shard(index, count))

    def check_parts(self, replicas: int, argument: str) -> None:
        """Raise a `ValueError` if a batch does not divide into equal parts for replicas."""
        size = self.data.batch_size
        last = 0 if self.data.order.drop_remainder else self.data.num_rows % size
        if size % replicas or last % replicas:
            raise ValueError(
                f"Every batch of {argument} must divide by {replicas} replicas. Received: batches of "
                f"{size} rows"
                + (f", and a last one of {last}" if last else "")
                + ". Choose another "
                "batch_size, or leave the last batch out: fn_args.dataset(..., drop_remainder=True)."
            )

    def example(self) -> Any:
        """Return the first batch."""
        return next(self.batches(0, 0))


class DatasetSource:
    """A `tf.data.Dataset`; a place in a pass is found by reading what comes before it."""

    endless = False

    def __init__(self, data: Any) -> None:
        self.data = data
        cardinality = int(data.cardinality())
        # -1 is without end, -2 unknown.
        self.infinite = cardinality == -1
        self.length = cardinality if cardinality >= 0 else None
        self._started = 0

    def batches(self, number: int, first: int) -> Iterator[Any]:
        """Yield the batches of a pass as NumPy arrays."""
        yield from self.dataset(number, first).as_numpy_iterator()

    def dataset(self, number: int, first: int) -> Any:
        """Return one pass from a place on."""
        # A dataset that shuffles anew in each pass counts its iterators. The passes of the process
        # that was killed are started here, too, so that this pass has the order that it had there.
        for _ in range(number - self._started):
            next(iter(self.data), None)
        self._started = number + 1
        return self.data.skip(first) if first else self.data

    def example(self) -> Any:
        """Return the specs of a batch."""
        return self.data.element_spec


class PyDatasetSource:
    """A `keras.utils.PyDataset`: a sequence of batches."""

    endless = False

    def __init__(self, data: Any) -> None:
        self.data = data
        length = getattr(data, "num_batches", None)
        self.length: int | None = len(data) if length is None else int(length)

    def batches(self, number: int, first: int) -> Iterator[Any]:
        """Yield the batches of a pass."""
        if number and not first:
            self.data.on_epoch_end()
        assert self.length is not None
        for index in range(first, self.length):
            yield self.data[index]

    def dataset(self, number: int, first: int) -> Any:
        """Return one pass from a place on."""
        return _dataset_of(lambda: self.batches(number, first), self.example())

    def example(self) -> Any:
        """Return the first batch."""
        return self.data[0]


class GeneratorSource:
    """A generator or another iterator: one pass, and a place is found by skipping."""

    endless = False
    length: int | None = None

    def __init__(self, data: Iterator[Any], argument: str) -> None:
        self._data = data
        self._argument = argument
        self._first: list[Any] = []
        self._example: Any = None
        self._taken = 0

    def batches(self, number: int, first: int) -> Iterator[Any]:
        """Yield the batches from a place on."""
        self._check(number)
        while self._taken < first and self._next() is not None:
            pass
        while (batch := self._next()) is not None:
            yield batch

    def dataset(self, number: int, first: int) -> Any:
        """Return the batches from a place on."""
        self._check(number)
        return _dataset_of(lambda: self.batches(number, first), self.example())

    def _check(self, number: int) -> None:
        if number:
            raise ValueError(
                f"{self._argument} ended after {self._taken:,} batches, and a generator cannot start "
                "again. Give one that goes on, arrays, a keras.utils.PyDataset or a tf.data.Dataset; or "
                "set steps_per_epoch and epochs so that it suffices."
            )

    def example(self) -> Any:
        """Return the first batch, which is yielded nevertheless."""
        if not self._first and not self._taken:
            first = next(self._data, None)
            if first is None:
                raise ValueError(f"{self._argument} is a generator that yields nothing.")
            self._first, self._example = [first], first
        return self._example

    def _next(self) -> Any:
        batch = self._first.pop() if self._first else next(self._data, None)
        self._taken += batch is not None
        return batch


def _dataset_of(batches: Any, example: Any) -> Any:
    """Return a dataset of a function's batches, whose number of rows may differ."""
    import keras
    import tensorflow as tf

    def spec(value: Any) -> Any:
        if value is None:
            return None
        array = value if hasattr(value, "dtype") else np.asarray(value)
        dtype = keras.config.floatx() if str(array.dtype) == "float64" else str(array.dtype)
        return tf.TensorSpec([None, *array.shape[1:]], dtype)

    structure = keras.tree.map_structure(spec, as_tuples(example))

    def rows() -> Iterator[Any]:
        for batch in batches():
            yield keras.tree.map_structure(
                lambda value, like: np.asarray(value, like.dtype.as_numpy_dtype),
                as_tuples(batch),
                structure,
            )

    return tf.data.Dataset.from_generator(rows, output_signature=structure).prefetch(2)


def as_tuples(batch: Any) -> Any:
    """Return a batch with tuples for lists, which TensorFlow would make tensors of."""
    if isinstance(batch, list | tuple):
        return tuple(as_tuples(each) for each in batch)
    return batch


def is_arrays(data: Any) -> bool:
    """Return whether data are arrays, which are not divided into batches yet."""
    others = ("epoch", "element_spec", "__next__", "on_epoch_end")
    return not any(hasattr(data, name) for name in others)
