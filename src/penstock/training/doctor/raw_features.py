"""Which features a layer gets just as they are in the data, found by their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_MOST_VALUES = 1 << 20


class RawFeatures:
    """Features of a few rows, to be recognized in what a layer gets.

    Args:
        features: Arrays by name, rows first.
    """

    def __init__(self, features: Mapping[str, np.ndarray]) -> None:
        self._whole: dict[bytes, str] = {}
        self._columns: dict[bytes, tuple[str, int | None]] = {}
        for name, values in features.items():
            if values.dtype.kind not in "iuf" or not 1 < values.size <= _MOST_VALUES:
                continue
            floats = values.astype("float32")
            self._whole[floats.tobytes()] = name
            if floats.ndim <= 2:
                rows = floats.reshape(len(floats), -1)
                for i, column in enumerate(rows.T):
                    self._columns[column.tobytes()] = (name, i if rows.shape[1] > 1 else None)

    def within(self, tensor: Any) -> list[tuple[str, int | None]]:
        """Return the features within a layer's input, each with its column, or None for all of it."""
        import keras
        import numpy as np

        if not self._whole or np.prod(tensor.shape, dtype=float) > _MOST_VALUES:
            return []
        array = keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))
        whole = self._whole.get(array.tobytes())
        if whole is not None:
            return [(whole, None)]
        if array.ndim != 2:
            return []
        columns = (self._columns.get(column.tobytes()) for column in array.T)
        return [column for column in columns if column is not None]
