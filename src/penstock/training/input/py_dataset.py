"""Batches as Keras's `PyDataset`, which its `fit` takes on every backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from penstock.training.input.batches import Batches


def py_dataset(batches: Batches, first_epoch: int) -> keras.utils.PyDataset:
    """Return the elements of `batches`; see `Batches.as_py_dataset`."""
    import keras

    class BatchesDataset(keras.utils.PyDataset):
        """Gives the batches in their own order, whatever index is asked for."""

        def __init__(self) -> None:
            super().__init__()
            self._epoch = first_epoch
            self._elements: Iterator[Any] | None = None

        @property
        def num_batches(self) -> int | None:
            return None if batches.repeats else batches.steps_per_epoch

        def __getitem__(self, index: int) -> Any:
            # Keras's `fit` shuffles the indices by default; the batches are shuffled already.
            for _ in range(2):
                if self._elements is None:
                    self._elements = self._start()
                element = next(self._elements, None)
                if element is not None:
                    return element
                self._elements = None
            raise IndexError(index)

        def _start(self) -> Iterator[Any]:
            number = self._epoch
            self._epoch += 1
            return batches.epoch(number)

    return BatchesDataset()
