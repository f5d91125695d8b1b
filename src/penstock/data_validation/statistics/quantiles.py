"""Quantiles of numbers: exact while they are few, by TFDV's sketch beyond."""

from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.io.arrow.arrays import numbers, to_numpy

_Floats = npt.NDArray[np.float64]

_MAX_SKETCHED_VALUES = 1 << 32
# A sketch takes 180 kB from the start; so many values with their weights take no more.
_KEPT_VALUES = 10_000


class Quantiles:
    """Quantiles of weighted numbers, as a mergeable accumulator.

    The first 10,000 numbers are kept as they are, since the sketch of a feature that has fewer takes
    more room than they do: thousands of features would not fit into memory. The sketch then gets them
    in the same order.

    Args:
        epsilon: The sketch's largest error of a quantile's rank, as a part of all numbers.

    Example:
        >>> quantiles = Quantiles(epsilon=0.01)
        >>> quantiles.add(np.array([1.0, 2.0, 3.0]))
        >>> quantiles.with_weights(2)
        (array([1., 2., 3.]), array([1., 2., 3.]))
    """

    def __init__(self, epsilon: float) -> None:
        self._epsilon = epsilon
        self._kept: list[tuple[_Floats, _Floats | None]] = []
        self._kept_values = 0
        self._sketch: Any = None

    def add(self, values: _Floats, weights: _Floats | None = None) -> None:
        """Add numbers, with a weight each; by default they weigh 1."""
        if not len(values):
            return
        if self._sketch is None:
            self._kept.append((values, weights))
            self._kept_values += len(values)
            if self._kept_values > _KEPT_VALUES:
                self._sketch = self._sketch_of_all()
                self._kept = []
        else:
            _add(self._sketch, values, weights)

    def merge(self, other: "Quantiles") -> None:
        """Add the state of another one."""
        if other._sketch is None:
            for values, weights in other._kept:
                self.add(values, weights)
        else:
            self._sketch = self._sketch_of_all()
            self._kept = []
            self._sketch.Merge(other._sketch)

    def with_weights(self, buckets: int) -> tuple[_Floats, _Floats]:
        """Return `buckets + 1` quantiles and the weights up to each."""
        quantiles, weights = self._sketch_of_all().GetQuantilesAndCumulativeWeights(buckets)
        return to_numpy(quantiles.flatten()), to_numpy(weights.flatten())

    def _sketch_of_all(self) -> Any:
        if self._sketch is not None:
            return self._sketch
        from tfx_bsl.sketches import QuantilesSketch

        sketch = QuantilesSketch(self._epsilon, _MAX_SKETCHED_VALUES, 1)
        for values, weights in self._kept:
            _add(sketch, values, weights)
        return sketch


def _add(sketch: Any, values: _Floats, weights: _Floats | None) -> None:
    if weights is None:
        sketch.AddValues(numbers(values))
    else:
        sketch.AddValues(numbers(values), numbers(weights))
