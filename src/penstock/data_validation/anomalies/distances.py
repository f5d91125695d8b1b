"""Distances between two distributions: of counted values and of histograms."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from tensorflow_metadata.proto.v0 import statistics_pb2

_Counts = Mapping[str, float]
_Floats = npt.NDArray[np.float64]


def _largest_difference(
    a: _Counts, b: _Counts, scale_a: float, scale_b: float
) -> tuple[str, float]:
    best = ("", 0.0)
    for value in sorted({*a, *b}, key=str.encode):
        p = a.get(value, 0.0) / scale_a if scale_a else 0.0
        q = b.get(value, 0.0) / scale_b if scale_b else 0.0
        if abs(p - q) >= best[1]:
            best = (value, abs(p - q))
    return best


def l_infinity_distance(a: _Counts, b: _Counts) -> tuple[str, float]:
    """Return the value whose share differs most, and the difference.

    Example:
        >>> l_infinity_distance({"x": 1, "y": 1}, {"x": 3, "y": 1})
        ('y', 0.25)
    """
    return _largest_difference(a, b, sum(a.values()), sum(b.values()))


def normalized_absolute_difference(a: _Counts, b: _Counts) -> tuple[str, float]:
    """Return the value whose count differs most, and the difference over the joint total."""
    total = sum(a.values()) + sum(b.values())
    return _largest_difference(a, b, total, total)


def _divergence(p: _Floats, q: _Floats) -> float | None:
    """Jensen-Shannon divergence in bits of two vectors of counts."""
    if not p.sum() or not q.sum():
        return None
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2

    def relative_entropy(distribution: _Floats) -> float:
        seen = (distribution > 0) & (middle > 0)
        return float(np.sum(distribution[seen] * np.log2(distribution[seen] / middle[seen])))

    return (relative_entropy(p) + relative_entropy(q)) / 2


def categorical_divergence(a: _Counts, b: _Counts) -> float | None:
    """Return the Jensen-Shannon divergence of counted values; None where there are none."""
    values = sorted({*a, *b})
    p = np.array([a.get(value, 0.0) for value in values])
    q = np.array([b.get(value, 0.0) for value in values])
    divergence = _divergence(p, q)
    return None if divergence is None else min(divergence, 1.0)


class _Parts:
    """A histogram taken apart: buckets with a width, points, infinite and NaN mass."""

    def __init__(self, histogram: statistics_pb2.Histogram) -> None:
        self.low: list[float] = []
        self.high: list[float] = []
        self.count: list[float] = []
        self.points: dict[float, float] = {}
        self.infinite = 0.0
        self.nan = float(histogram.num_nan)
        for bucket in histogram.buckets:
            low, high = bucket.low_value, bucket.high_value
            if not (math.isfinite(low) and math.isfinite(high)):
                self.infinite += bucket.sample_count
            elif low == high:
                self.points[low] = self.points.get(low, 0.0) + bucket.sample_count
            else:
                self.low.append(low)
                self.high.append(high)
                self.count.append(bucket.sample_count)

    def spread_over(self, bounds: _Floats) -> _Floats:
        """Spreads the wide buckets evenly over intervals that split them."""
        if len(bounds) < 2:
            return np.zeros(0)
        starts, ends = bounds[:-1], bounds[1:]
        out = np.zeros(len(starts))
        for low, high, count in zip(self.low, self.high, self.count, strict=True):
            inside = (starts >= low) & (ends <= high)
            out[inside] += (ends[inside] - starts[inside]) / (high - low) * count
        return out


def histogram_divergence(a: statistics_pb2.Histogram, b: statistics_pb2.Histogram) -> float | None:
    """Return the approximate Jensen-Shannon divergence of two histograms of one type.

    Buckets are split at the bounds of both; points, infinities and NaN are compared apart, the
    last two as values that the other side cannot match. None where a side is empty.
    """
    if a.type != b.type:
        return None
    left, right = _Parts(a), _Parts(b)
    bounds = np.array(sorted({*left.low, *left.high, *right.low, *right.high}))
    points = sorted({*left.points, *right.points})
    p = [*left.spread_over(bounds), *(left.points.get(point, 0.0) for point in points)]
    q = [*right.spread_over(bounds), *(right.points.get(point, 0.0) for point in points)]
    p += [left.infinite, 0.0, 0.0, left.nan]
    q += [0.0, right.infinite, right.nan, 0.0]
    return _divergence(np.array(p), np.array(q))
