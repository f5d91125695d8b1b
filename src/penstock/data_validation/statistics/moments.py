"""Mean and variance that stay exact when parts are merged.

Source: Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
Variances" (1979).
"""

import math

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]


class Moments:
    """The weight, mean and population variance of the numbers added so far."""

    def __init__(self) -> None:
        self.weight = 0.0
        self.mean = 0.0
        self.variance = 0.0

    def add(self, values: _Floats, weights: _Floats | None = None) -> None:
        """Add values, each with weight 1 or its own."""
        if weights is None:
            if len(values):
                mean = float(np.mean(values))
                self._combine(float(len(values)), mean, float(np.mean((values - mean) ** 2)))
            return
        total = float(np.sum(weights))
        if total:
            mean = float(np.sum(weights * values) / total)
            self._combine(total, mean, float(np.sum(weights * (values - mean) ** 2) / total))

    def merge(self, other: "Moments") -> None:
        """Add the state of another one."""
        self._combine(other.weight, other.mean, other.variance)

    def _combine(self, weight: float, mean: float, variance: float) -> None:
        total = self.weight + weight
        if not total:
            return
        a = (self.weight, self.mean, self.variance)
        b = (weight, mean, variance)
        if weight > self.weight:
            a, b = b, a  # the heavier side is corrected by the lighter one: less rounding
        share = b[0] / total
        new_mean = a[1] + share * (b[1] - a[1])
        variance = a[2] + share * (b[2] - a[2] + (b[1] - new_mean) * (b[1] - a[1]))
        # With infinite values it would be infinite or NaN, by the order of the parts; all of them in one
        # part give NaN, in the reference too.
        self.variance = variance if math.isfinite(variance) else math.nan
        self.mean = new_mean if math.isfinite(new_mean) else math.nan
        self.weight = total
