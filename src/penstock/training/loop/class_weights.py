"""The weights of classes as weights of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from penstock.training.loop.step import unpacked


class ClassWeights:
    """Gives each row of a batch the weight of its class, times the weight that it has.

    Args:
        weights: Weight by class; a class that is not there has 1.

    Raises:
        TypeError: If it does not map whole numbers to numbers.
    """

    def __init__(self, weights: Mapping[int, float]) -> None:
        keys = list(weights)
        if not keys or any(not isinstance(key, int | np.integer) or key < 0 for key in keys):
            raise TypeError(
                "class_weight maps classes, which are counted from 0, to weights. "
                f"Received: {dict(weights)!r}"
            )
        self._table = np.ones(int(max(keys)) + 2, np.float32)
        for key, weight in weights.items():
            self._table[int(key)] = weight

    def __call__(self, batch: Any) -> tuple[Any, Any, Any]:
        """Return a batch as (x, y, sample weights)."""
        from keras import ops, tree

        x, y, weights = unpacked(batch)
        if tree.is_nested(y) or y is None:
            raise ValueError(
                "class_weight needs a model with one output, whose labels are classes. For several "
                "outputs give the rows weights: data of (x, y, sample weights)."
            )
        classes = ops.convert_to_tensor(y)
        if len(classes.shape) > 1 and (classes.shape[-1] or 0) > 1:
            classes = ops.argmax(classes, axis=-1)
        classes = ops.cast(ops.reshape(classes, [-1]), "int32")
        # A class beyond the table is one without a weight: the last entry is 1.
        classes = ops.minimum(classes, len(self._table) - 1)
        found = ops.take(ops.convert_to_tensor(self._table), classes, axis=0)
        if weights is not None:
            found = found * ops.cast(ops.reshape(weights, [-1]), found.dtype)
        return x, y, found
