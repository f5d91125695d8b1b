"""NumericStatistics: moments, extremes, zeros, median and both histograms."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tensorflow_metadata.proto.v0 import statistics_pb2

from penstock.data_validation.statistics.histograms import (
    FINE_BUCKETS_A_BUCKET,
    coarser,
    median_of,
    quantiles_histogram,
    standard_histogram,
)
from penstock.data_validation.statistics.moments import Moments
from penstock.data_validation.statistics.quantiles import Quantiles
from penstock.data_validation.stats_options import StatsOptions
from penstock.io.arrow.arrays import to_numpy

_Floats = npt.NDArray[np.float64]
_Histograms = tuple[statistics_pb2.Histogram, statistics_pb2.Histogram]


class Numeric:
    """Statistics of the numbers of one feature. NaN counts as `num_nan` and nowhere else."""

    def __init__(self, options: StatsOptions, weighted: bool) -> None:
        self._options = options
        self._weighted = weighted
        self._zeros = 0
        self._nans = 0
        self._positive_infinities = 0.0
        self._weighted_positive_infinities = 0.0
        # The extremes keep the data's precision: float32 stays float32 (see standard_histogram).
        self._min: Any = math.inf
        self._max: Any = -math.inf
        self._finite_min: Any = math.inf
        self._finite_max: Any = -math.inf
        self._moments = Moments()
        self._weighted_moments = Moments()
        self._quantiles = Quantiles(options.epsilon)
        self._weighted_quantiles = Quantiles(options.epsilon)

    def add(self, array: pa.Array, weights: _Floats | None) -> None:
        """Add leaf values, with a weight each if the feature is weighted."""
        values = to_numpy(array)
        if values.dtype.kind == "f":
            is_number = ~np.isnan(values)
            nans = len(values) - int(np.count_nonzero(is_number))
            if nans:
                self._nans += nans
                values = values[is_number]
                weights = None if weights is None else weights[is_number]
        if not len(values):
            return
        self._add_extremes(values, weights)
        self._zeros += len(values) - int(np.count_nonzero(values))
        doubles = values.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            self._moments.add(doubles)
            if weights is not None:
                self._weighted_moments.add(doubles, weights)
        self._quantiles.add(doubles)
        if weights is not None:
            self._weighted_quantiles.add(doubles, weights)

    def _add_extremes(self, values: npt.NDArray[Any], weights: _Floats | None) -> None:
        low, high = values.min(), values.max()
        self._min, self._max = min(self._min, low), max(self._max, high)
        if np.isinf(low) or np.isinf(high):
            infinite = np.isposinf(values)
            self._positive_infinities += float(np.count_nonzero(infinite))
            if weights is not None:
                self._weighted_positive_infinities += float(weights[infinite].sum())
            values = values[np.isfinite(values)]
            if not len(values):
                return
            low, high = values.min(), values.max()
        self._finite_min = min(self._finite_min, low)
        self._finite_max = max(self._finite_max, high)

    def merge(self, other: "Numeric") -> None:
        """Add the state of another one."""
        self._zeros += other._zeros
        self._nans += other._nans
        self._positive_infinities += other._positive_infinities
        self._weighted_positive_infinities += other._weighted_positive_infinities
        self._min, self._max = min(self._min, other._min), max(self._max, other._max)
        self._finite_min = min(self._finite_min, other._finite_min)
        self._finite_max = max(self._finite_max, other._finite_max)
        with np.errstate(invalid="ignore", over="ignore"):
            self._moments.merge(other._moments)
            self._weighted_moments.merge(other._weighted_moments)
        self._quantiles.merge(other._quantiles)
        self._weighted_quantiles.merge(other._weighted_quantiles)

    def result(self, *, with_histograms: bool = True) -> statistics_pb2.NumericStatistics:
        """Make the proto, without common statistics; without histograms there is no median."""
        proto = statistics_pb2.NumericStatistics()
        if not self._moments.weight:
            if self._nans:
                for kind in (statistics_pb2.Histogram.STANDARD, statistics_pb2.Histogram.QUANTILES):
                    proto.histograms.add(type=kind, num_nan=self._nans)
            return proto
        proto.mean = self._moments.mean
        proto.std_dev = _root(self._moments.variance)
        proto.num_zeros = self._zeros
        proto.min, proto.max = float(self._min), float(self._max)
        if with_histograms:
            proto.median, histograms = self._summary(self._quantiles, self._positive_infinities)
            proto.histograms.extend(histograms)
        else:
            proto.median = math.nan
        if self._weighted and self._weighted_moments.weight:
            weighted = proto.weighted_numeric_stats
            weighted.mean = self._weighted_moments.mean
            weighted.std_dev = _root(self._weighted_moments.variance)
            if with_histograms:
                weighted.median, histograms = self._summary(
                    self._weighted_quantiles, self._weighted_positive_infinities
                )
                weighted.histograms.extend(histograms)
        return proto

    def _summary(self, of: Quantiles, positive_infinities: float) -> tuple[float, _Histograms]:
        options = self._options
        quantiles, weights = of.with_weights(
            FINE_BUCKETS_A_BUCKET * options.num_quantiles_histogram_buckets
        )
        standard = standard_histogram(
            quantiles,
            weights,
            self._finite_min,
            self._finite_max,
            options.num_histogram_buckets,
            positive_infinities,
        )
        by_quantiles = quantiles_histogram(*coarser(quantiles, weights, FINE_BUCKETS_A_BUCKET))
        standard.num_nan = by_quantiles.num_nan = self._nans
        return median_of(quantiles), (standard, by_quantiles)


def _root(variance: float) -> float:
    return math.sqrt(max(0.0, variance)) if not math.isnan(variance) else math.nan
