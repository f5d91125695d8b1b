"""How rows lie in memory: the dense features of a dtype are the columns of one matrix.

So a shuffled row is one stretch of memory, and taking rows in random order costs a third of what it
costs column by column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from penstock.training.input.columns import Array, Column, Columns
from penstock.training.input.feature_columns import FeatureColumn


class Place(NamedTuple):
    """Where a dense feature is.

    Attributes:
        feature: The feature.
        matrix: The name of its matrix.
        start: Its first column there.
        stop: The column after its last.
    """

    feature: FeatureColumn
    matrix: str
    start: int
    stop: int


class Layout:
    """Packs features into matrices, and takes them out again.

    Features of variable length stay as they are.

    Args:
        features: The features.
    """

    def __init__(self, features: Sequence[FeatureColumn]) -> None:
        self.ragged = [each for each in features if not each.is_dense]
        self.places: list[Place] = []
        widths: dict[str, int] = {}
        for each in features:
            if each.is_dense:
                # No feature has this name: a tf.Example's feature may be called "float32".
                matrix = f"matrix of {each.dtype}"
                start = widths.get(matrix, 0)
                widths[matrix] = start + each.width
                self.places.append(Place(each, matrix, start, widths[matrix]))

    def pack(self, columns: Columns) -> dict[str, Column]:
        """Return the columns as matrices of the shape (rows, values)."""
        parts: dict[str, list[Array]] = {}
        for feature, matrix, _, _ in self.places:
            column: Any = columns[feature.name]
            parts.setdefault(matrix, []).append(column.reshape(len(column), -1))
        packed: dict[str, Column] = {each.name: columns[each.name] for each in self.ragged}
        for matrix, found in parts.items():
            packed[matrix] = np.concatenate(found, axis=1) if len(found) > 1 else found[0]
        return packed

    def unpack(self, packed: Columns) -> dict[str, Any]:
        """Return each feature as an array of its own memory."""
        columns: dict[str, Any] = dict(self.dense_columns(packed))
        columns.update({each.name: packed[each.name] for each in self.ragged})
        return columns

    def dense_columns(self, packed: Columns) -> Iterator[tuple[str, Array]]:
        """Yield the name and a copy of each dense feature."""
        for feature, matrix, start, stop in self.places:
            values: Any = packed[matrix]
            column = np.array(values[:, start:stop], order="C")
            shape = feature.shape or ()
            yield feature.name, column if len(shape) == 1 else column.reshape(len(column), *shape)
