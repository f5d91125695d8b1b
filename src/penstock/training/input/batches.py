"""Batches of examples: NumPy arrays for any backend, and the same as a `tf.data.Dataset`."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.training.input.cache import CachedParts
from penstock.training.input.feature_columns import FeatureColumn
from penstock.training.input.lookahead import looking_ahead
from penstock.training.input.source import ExampleFiles
from penstock.training.input.windows import BatchOrder, Window, read_windows

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class ElementForm:
    """What an element of a data set is: features, then labels, then weights, as far as there are any.

    Attributes:
        features: The names of the features.
        label: The name of the label, the names of several, or None.
        weight: The name of the weight, or None.
    """

    features: tuple[str, ...]
    label: str | tuple[str, ...] | None = None
    weight: str | None = None

    def of(self, columns: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the element that the columns of a batch make."""
        features = {name: columns[name] for name in self.features}
        if self.label is None:
            return (features,)
        labels: Any
        if isinstance(self.label, str):
            labels = columns[self.label]
        else:
            labels = {name: columns[name] for name in self.label}
        if self.weight is None:
            return features, labels
        return features, labels, columns[self.weight]


class Batches:
    """The batches of a split, epoch by epoch: tuples (features, labels, weights).

    `fn_args.dataset(...)` makes them. Features are a dict of arrays by name: float32, int64, or object
    for bytes, with the shape (batch, 1) or (batch, n) as in the schema; features without a shape are
    `RaggedArray`s. Labels are an array, or a dict of arrays if there are several. Weights are float32 of
    the shape (batch,). Without a label an element is (features,).

    The order of an epoch depends on the seed, the number of the epoch, the batch size and the data, and
    on nothing else. Each epoch gives each row once.

    Iterating gives one epoch, and the next one each time; after `repeat()` all epochs without end.

    Args:
        source: The files and the features that are read.
        element: Which of them are labels and weights.
        order: How rows become batches.
        cache_bytes: The most bytes of decoded rows to keep in memory for the next epochs.
        read_ahead: Whether a thread reads ahead.
        repeats: Whether iterating goes on without end.
        num_rows: Rows of all files, if that is known.

    Example:
        >>> train = fn_args.dataset("train", batch_size=32, label_key="species_xf")
        >>> features, labels = next(train.epoch(0))
        >>> features["bill_depth_mm_xf"].shape, labels.shape
        ((32, 1), (32, 1))
    """

    def __init__(
        self,
        source: ExampleFiles,
        element: ElementForm,
        order: BatchOrder,
        *,
        cache_bytes: int = 0,
        read_ahead: bool = True,
        repeats: bool = False,
        num_rows: int | None = None,
    ) -> None:
        self.element = element
        self.order = order
        self.repeats = repeats
        self.read_ahead = read_ahead
        self.parts = CachedParts(source, cache_bytes)
        self._num_rows = num_rows
        self._passes = 0

    def __repr__(self) -> str:
        return (
            f"Batches(batch_size={self.batch_size}, files={len(self.parts.source.files)}, "
            f"features={list(self.element.features)}, label={self.element.label!r})"
        )

    @property
    def features(self) -> dict[str, FeatureColumn]:
        """The form of each feature that is read, labels and weights included, by name."""
        return {feature.name: feature for feature in self.parts.source.features}

    @property
    def batch_size(self) -> int:
        """Rows of a batch; of all shards together."""
        return self.order.batch_size

    @property
    def seed(self) -> int:
        """The seed of the order."""
        return self.order.seed

    @property
    def num_rows(self) -> int:
        """Rows of an epoch, of all shards together.

        TFRecord files that another tool wrote have to be read once to count them.
        """
        if self._num_rows is None:
            self._num_rows = self.parts.num_rows()
        return self._num_rows

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch; the same for each shard."""
        return self.order.steps(self.num_rows)

    @property
    def is_in_memory(self) -> bool:
        """Whether all rows are in memory, so that no file is read any more."""
        return self.parts.is_complete

    def shard(self, index: int, count: int) -> Batches:
        """Return the part of every batch that one of several workers takes.

        A batch of 32 rows is divided between four workers as 8 rows each; the parts of all workers
        together are the batch. A last, shorter batch is divided into parts that differ by at most one
        row, and may be empty, so that all workers take the same number of steps.

        Args:
            index: The worker, from 0.
            count: The number of workers.

        Raises:
            ValueError: If the batch size does not divide by `count`, or these are a shard already.
        """
        if not 0 <= index < count:
            raise ValueError(f"A shard's index is 0 to {count - 1}. Received: index={index}")
        if self.order.shard_count > 1:
            raise ValueError(
                f"These batches are shard {self.order.shard_index} of {self.order.shard_count} already."
            )
        if self.batch_size % count:
            raise ValueError(
                f"A batch of {self.batch_size} rows does not divide between {count} workers. Choose a "
                f"batch_size that is a multiple of {count}, such as "
                f"{-(-self.batch_size // count) * count}."
            )
        order = dataclasses.replace(self.order, shard_index=index, shard_count=count)
        return self._like(order=order)

    def repeat(self) -> Batches:
        """Return the same batches, but iterated without end."""
        return self._like(repeats=True)

    def once(self) -> Batches:
        """Return the same batches, but iterated one epoch at a time."""
        return self._like(repeats=False)

    def _like(self, order: BatchOrder | None = None, repeats: bool | None = None) -> Batches:
        other = Batches.__new__(Batches)
        other.__dict__.update(self.__dict__)
        other.order = order or self.order
        other.repeats = self.repeats if repeats is None else repeats
        other._passes = 0
        return other

    def epoch(self, number: int, first_step: int = 0) -> Iterator[tuple[Any, ...]]:
        """Yield the batches of one epoch.

        Args:
            number: Which epoch, from 0.
            first_step: The step to begin with; what comes before is not decoded, and not read where
                the files tell how many rows they have.
        """
        return self._elements(self.windows(number, first_step, endless=False))

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Yield the batches of the next epoch; all epochs without end if these repeat.

        Keras's own `fit` takes the iterator on every backend.

        Example:
            >>> model.fit(iter(train.repeat()), steps_per_epoch=train.steps_per_epoch, epochs=5)
        """
        number = self._passes
        self._passes += 1
        return self._elements(self.windows(number, endless=self.repeats))

    def windows(
        self, first_epoch: int = 0, first_step: int = 0, *, endless: bool = False
    ) -> Iterator[Window]:
        """Yield the rows of consecutive batches, in the calling thread.

        Raises:
            ValueError: If an epoch has no batches.
        """
        if first_epoch < 0 or first_step < 0:
            raise ValueError(
                "Epochs and steps count from 0. "
                f"Received: epoch {first_epoch}, first_step={first_step}"
            )
        for epoch in itertools.count(first_epoch):
            found = False
            for window in read_windows(self.parts, self.order, epoch, first_step):
                found = True
                yield window
            if not found and not first_step:
                self._refuse_nothing()
            if not endless:
                return
            first_step = 0

    def _refuse_nothing(self) -> None:
        rows, files = self.num_rows, ", ".join(self.parts.source.files)
        if rows == 0:
            raise ValueError(f"There are no rows in {files}.")
        raise ValueError(
            f"There are {rows} rows in {files}, fewer than a batch of {self.batch_size}, and "
            "drop_remainder=True leaves them out. Choose a smaller batch_size."
        )

    def _elements(self, windows: Iterator[Window]) -> Iterator[tuple[Any, ...]]:
        layout = self.parts.source.layout
        for window in looking_ahead(windows) if self.read_ahead else windows:
            start = 0
            for end in window.ends:
                columns = layout.unpack(window.taken(start, end))
                if self.element.weight is not None:
                    columns[self.element.weight] = as_weights(columns[self.element.weight])
                if window.rows is None:
                    for each in layout.ragged:
                        columns[each.name] = columns[each.name].copy()
                yield self.element.of(columns)
                start = end

    def as_tf_dataset(self, first_epoch: int = 0, first_step: int = 0) -> tf.data.Dataset:
        """Return the same elements in the same order as a `tf.data.Dataset`.

        A pass over it is one epoch, and the next pass the next epoch; its cardinality is
        `steps_per_epoch`. If these batches repeat, a pass does not end and its cardinality is infinite.
        Features without a shape are `tf.SparseTensor`s (`tf.RaggedTensor`s if the schema says so).

        Args:
            first_epoch: The epoch of the first pass.
            first_step: The step at which the first pass begins; only if these batches repeat.
        """
        from penstock.training.input.tf_dataset import tf_dataset

        return tf_dataset(self, first_epoch, first_step)


def as_weights(column: Any) -> Any:
    """Return the values of a weight feature as float32 of the shape (rows,)."""
    return column.reshape(-1).astype(np.float32)
