"""Histograms from the quantiles of a sketch, by the method (and to the digit) of TFDV.

The sketch is asked for many quantiles and the weight up to each. Every tenth or hundredth of them
bounds a bucket of the QUANTILES histogram; the STANDARD histogram spreads the fine buckets evenly
over equal widths, hence its fractional counts.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from tensorflow_metadata.proto.v0 import statistics_pb2

FINE_BUCKETS_A_BUCKET = 100

_Floats = npt.NDArray[np.float64]


def median_of(quantiles: _Floats) -> float:
    """Return the middle quantile, or the mean of the two middle ones."""
    middle = len(quantiles) // 2
    if len(quantiles) % 2:
        return float(quantiles[middle])
    return float((quantiles[middle - 1] + quantiles[middle]) / 2.0)


def coarser(quantiles: _Floats, weights: _Floats, factor: int) -> tuple[_Floats, _Floats]:
    """Keep the first and every `factor`-th boundary."""
    kept = np.arange(0, len(quantiles), factor)
    return quantiles[kept], weights[kept]


def _bucket_weights(bounds: _Floats, cumulative: _Floats) -> _Floats:
    """Return the weight of each bucket between neighbouring bounds.

    Buckets that end at the same value share their weight evenly, and the weight of the lowest
    value goes to the buckets that equal the first one.
    """
    weights = np.diff(cumulative.astype(np.float64))
    high = bounds[1:]
    starts = np.flatnonzero(np.concatenate([[True], high[1:] != high[:-1]]))
    sizes = np.diff(np.append(starts, len(high)))
    shared = np.add.reduceat(weights, starts) / sizes
    weights = np.where(np.repeat(sizes, sizes) > 1, np.repeat(shared, sizes), weights)
    like_first = (bounds[:-1] == bounds[0]) & (high == high[0])
    count = len(high) if like_first.all() else int(np.argmin(like_first))
    weights[:count] += cumulative[0] / count
    return weights


def _add_buckets(
    histogram: statistics_pb2.Histogram, low: _Floats, high: _Floats, weights: _Floats
) -> None:
    for low_value, high_value, weight in zip(
        low.tolist(), high.tolist(), weights.tolist(), strict=True
    ):
        histogram.buckets.add(low_value=low_value, high_value=high_value, sample_count=weight)


def quantiles_histogram(quantiles: _Floats, cumulative: _Floats) -> statistics_pb2.Histogram:
    """Make a QUANTILES histogram, one bucket between each two neighbouring quantiles."""
    histogram = statistics_pb2.Histogram(type=statistics_pb2.Histogram.QUANTILES)
    weights = _bucket_weights(quantiles, cumulative)
    _add_buckets(histogram, quantiles[:-1], quantiles[1:], weights)
    return histogram


def standard_histogram(
    quantiles: _Floats,
    cumulative: _Floats,
    finite_min: Any,
    finite_max: Any,
    buckets: int,
    positive_infinities: float,
) -> statistics_pb2.Histogram:
    """Make a STANDARD histogram of equal widths by spreading the fine quantile buckets.

    Args:
        quantiles: The fine quantiles, ascending.
        cumulative: The weights up to each quantile.
        finite_min: The smallest finite value; as np.float32 for float32 data, since boundaries
            and partial buckets are then computed in single precision.
        finite_max: The largest finite value, likewise.
        buckets: How many buckets of equal width.
        positive_infinities: The weight of the infinite values; they get a bucket of their own, as
            the negative ones do.
    """
    histogram = statistics_pb2.Histogram(type=statistics_pb2.Histogram.STANDARD)
    if not np.isfinite(finite_min) and not np.isfinite(finite_max):
        histogram.buckets.add(
            low_value=finite_min, high_value=finite_max, sample_count=cumulative[-1]
        )
        return histogram
    negative = int(np.searchsorted(quantiles, -np.inf, side="right"))
    negative_weight = float(cumulative[negative - 1]) if negative else 0.0
    quantiles, cumulative = quantiles[negative:], cumulative[negative:] - negative_weight
    if positive_infinities:
        finite = int(np.searchsorted(quantiles, np.inf, side="left"))
        last = cumulative[-1] - positive_infinities
        quantiles = np.append(quantiles[:finite], float(finite_max))
        cumulative = np.append(cumulative[:finite], last)
    with np.errstate(over="ignore", invalid="ignore"):
        bounds = (
            np.array([finite_min, finite_max])
            if finite_min == finite_max
            else np.linspace(finite_min, finite_max, buckets + 1)
        )
    if not np.isfinite(bounds).all():
        return histogram
    if negative_weight:
        histogram.buckets.add(low_value=-np.inf, high_value=-np.inf, sample_count=negative_weight)
    if len(quantiles) > 1:
        counts = _spread(quantiles, _bucket_weights(quantiles, cumulative), bounds)
    else:
        counts = np.zeros(len(bounds) - 1)
    _add_buckets(histogram, bounds[:-1], bounds[1:], counts)
    if positive_infinities:
        histogram.buckets.add(low_value=np.inf, high_value=np.inf, sample_count=positive_infinities)
    return histogram


def _spread(quantiles: _Floats, weights: _Floats, bounds: npt.NDArray[Any]) -> _Floats:
    """Add up the fine buckets' weights by interval; a cut bucket counts in proportion."""
    low, high = quantiles[:-1], quantiles[1:]
    single = bounds.dtype.type
    counts = np.zeros(len(bounds) - 1)
    for index in range(len(bounds) - 1):
        left, right = float(bounds[index]), float(bounds[index + 1])
        # Fine buckets that touch the interval; a point on its left edge belongs to the one before,
        # but for the first interval.
        first = int(np.searchsorted(high, left, side="left"))
        last = int(np.searchsorted(low, right, side="right"))
        within = slice(first, last)
        cut_low, cut_high = low[within], high[within]
        point_on_edge = (cut_low == left) & (cut_high == left)
        whole = (cut_low >= left) & (cut_high <= right)
        share = np.where(whole, weights[within], 0.0)
        if index:
            share[point_on_edge] = 0.0
        partial = np.flatnonzero(~whole)
        if len(partial):
            start = np.maximum(cut_low[partial], left).astype(single)
            end = np.minimum(cut_high[partial], right).astype(single)
            width = (cut_high[partial] - cut_low[partial]).astype(single)
            part = (end - start) / width * weights[within][partial].astype(single)
            share[partial] = part
            before = int(partial[0])
            exact = np.cumsum(share[:before])[-1] if before else 0.0
            rest = np.concatenate([[exact], share[before:]]).astype(single)
            counts[index] = np.cumsum(rest)[-1]
        elif len(share):
            counts[index] = np.cumsum(share)[-1]
    return counts
