"""Serialized tf.Examples of a batch, as a list and as a tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import tensorflow as tf


class SerializedExamples(Sequence[bytes]):
    """Serialized tf.Examples; of a list and a tensor, the one that is not given is made when it is needed.

    Args:
        records: The examples, as a list or as a tensor of strings `[rows]`.

    Example:
        >>> SerializedExamples([example.SerializeToString()]).tensor.shape
        TensorShape([1])
    """

    def __init__(self, records: list[bytes] | tf.Tensor) -> None:
        self._rows = len(records)
        if isinstance(records, list):
            self.records = records
        else:
            self.tensor = records

    @cached_property
    def tensor(self) -> tf.Tensor:
        """The examples as strings, `[rows]`."""
        import tensorflow as tf

        return tf.constant(self.records, dtype=tf.string)

    @cached_property
    def records(self) -> list[bytes]:
        """The examples as a list."""
        found: list[bytes] = self.array.tolist()
        return found

    @cached_property
    def array(self) -> npt.NDArray[Any]:
        """The examples as an array of objects, `[rows]`."""
        if "records" not in vars(self):
            return np.asarray(self.tensor.numpy())
        found = np.empty(self._rows, dtype=object)
        found[:] = self.records
        return found

    def __len__(self) -> int:
        return self._rows

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        return self.records[place]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.records)
