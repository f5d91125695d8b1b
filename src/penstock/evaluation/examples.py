"""Batches of examples with what evaluation needs of them: the serialized records and their columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Array = npt.NDArray[Any]


@dataclass
class ExampleBatch:
    """Rows as serialized tf.Examples and as columns of lists.

    Args:
        serialized: The tf.Examples.
        columns: A column of lists for each feature that is needed.
        first_row: The first row's number among all rows that were read, from 0.
        shard: The number of the file, from 0.
        first_of_shard: The first row's number in its file, from 0.
        transformed: What the models' transform signatures returned, by the models' names.
    """

    serialized: Sequence[bytes]
    columns: pa.RecordBatch
    first_row: int
    shard: int = 0
    first_of_shard: int = 0
    transformed: dict[str, dict[str, Array]] = field(default_factory=dict)

    @property
    def row_ids(self) -> npt.NDArray[np.uint64]:
        """What each row is known by wherever it is read: its file's number and its place there."""
        place = np.arange(len(self.serialized), dtype=np.uint64) + np.uint64(self.first_of_shard)
        return np.asarray(place + (np.uint64(self.shard) << np.uint64(40)))

    def with_features(self, features: dict[str, Array]) -> ExampleBatch:
        """Return the batch with dense features as further columns, in place of equal names."""
        names = [name for name in self.columns.schema.names if name not in features]
        arrays = [self.columns.column(self.columns.schema.get_field_index(name)) for name in names]
        for name, values in features.items():
            if values.ndim <= 2:
                names.append(name)
                arrays.append(_as_lists(values))
        if not arrays:
            return self
        return replace(self, columns=pa.RecordBatch.from_arrays(arrays, names))

    def weights(self, name: str) -> Array:
        """Return a feature as one weight per row, `[rows]`; a row without one weighs 1, as in TFMA.

        Raises:
            ValueError: If the feature is missing, holds text, or a row has several values.
        """
        column = self._column(name, "example weight")
        lengths = _lengths(column)
        if len(lengths) and lengths.max() > 1:
            row = int(np.argmax(lengths > 1))
            raise ValueError(
                f"The example weight {name!r} has {int(lengths[row])} values in row "
                f"{self.first_row + row}; 1 was expected."
            )
        found = column.flatten().to_numpy(zero_copy_only=False)
        if len(found) and found.dtype.kind not in "biuf":
            raise ValueError(
                f"The example weight {name!r} must be a number. Received: {found[0]!r}"
            )
        weights = np.ones(len(lengths))
        weights[lengths > 0] = found
        return weights

    def dense(self, name: str, what: str) -> Array:
        """Return a feature as an array `[rows]` or `[rows, values]`.

        Args:
            name: The feature.
            what: What it is for, such as "label"; for the error.

        Raises:
            ValueError: If the feature is missing, or its rows have different numbers of values.
        """
        column = self._column(name, what)
        lengths = _lengths(column)
        if (len(lengths) and lengths.min() != lengths.max()) or (len(lengths) and lengths[0] == 0):
            expected = int(np.bincount(lengths.astype(np.int64)).argmax()) or 1
            row = int(np.argmax(lengths != expected))
            raise ValueError(
                f"The {what} {name!r} has {int(lengths[row])} values in row {self.first_row + row}; "
                f"{expected} were expected."
            )
        values: Array = column.flatten().to_numpy(zero_copy_only=False)
        width = int(lengths[0]) if len(lengths) else 1
        return values if width == 1 else values.reshape(-1, width)

    def lists(self, name: str, what: str) -> Array:
        """Return a feature as an object array `[rows]` of one array a row, of any length."""
        column = self._column(name, what)
        ends = np.cumsum(_lengths(column))[:-1]
        values = column.flatten().to_numpy(zero_copy_only=False)
        result = np.empty(len(column), dtype=object)
        for i, part in enumerate(np.split(values, ends)[: len(column)]):
            result[i] = part
        return result

    def _column(self, name: str, what: str) -> pa.Array:
        index = self.columns.schema.get_field_index(name)
        if index < 0:
            raise ValueError(
                f"The {what} {name!r} is not among the examples' features: "
                f"{', '.join(sorted(self.columns.schema.names))}"
            )
        return self.columns.column(index)


def _lengths(column: pa.Array) -> npt.NDArray[np.int64]:
    if pa.types.is_null(column.type):
        return np.zeros(len(column), dtype=np.int64)
    lengths: npt.NDArray[np.int64] = (
        column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    )
    return lengths


def _as_lists(values: Array) -> pa.LargeListArray:
    if len(values) and isinstance(values[0], np.ndarray) and values.ndim == 1:
        ends = np.cumsum([0, *(len(each) for each in values)])
        return pa.LargeListArray.from_arrays(pa.array(ends), pa.array(np.concatenate(values)))
    width = 1 if values.ndim == 1 else values.shape[1]
    offsets = np.arange(len(values) + 1, dtype=np.int64) * width
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values.reshape(-1)))
