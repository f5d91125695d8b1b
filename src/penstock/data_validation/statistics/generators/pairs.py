"""Covariance and correlation of pairs of numeric features."""

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tensorflow_metadata.proto.v0 import statistics_pb2

from penstock.data_validation.statistics.generators.base import (
    CombinerStatsGenerator,
    column_at,
    leaves_of,
)
from penstock.io.arrow.arrays import to_numpy

_Floats = npt.NDArray[np.float64]
_Pair = tuple[str, str]


class PairMoments:
    """Count, means, variances and covariance of two numbers, merged without cancellation.

    Source: Chan, Golub and LeVeque (1979), for sums of products as for sums of squares.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean_x = self.mean_y = 0.0
        self.sum_xx = self.sum_yy = self.sum_xy = 0.0

    def add(self, x: _Floats, y: _Floats) -> None:
        """Add pairs."""
        if not len(x):
            return
        part = PairMoments()
        part.count = len(x)
        with np.errstate(invalid="ignore"):  # with an infinite value the rest is not a number
            part.mean_x, part.mean_y = float(x.mean()), float(y.mean())
            dx, dy = x - part.mean_x, y - part.mean_y
            part.sum_xx, part.sum_yy = float(dx @ dx), float(dy @ dy)
            part.sum_xy = float(dx @ dy)
        self.merge(part)

    def merge(self, other: "PairMoments") -> None:
        """Add the state of another one."""
        total = self.count + other.count
        if not other.count:
            return
        dx, dy = other.mean_x - self.mean_x, other.mean_y - self.mean_y
        weight = self.count * other.count / total
        self.sum_xx += other.sum_xx + dx * dx * weight
        self.sum_yy += other.sum_yy + dy * dy * weight
        self.sum_xy += other.sum_xy + dx * dy * weight
        self.mean_x += dx * other.count / total
        self.mean_y += dy * other.count / total
        self.count = total


class CrossFeatureStats(CombinerStatsGenerator):
    """Covariance and Pearson's correlation of numeric features with one value a row.

    NaN is left out. Give it as `StatsOptions(generators=[CrossFeatureStats()])`.

    Args:
        feature_crosses: Pairs of features; by default all pairs of numeric features.
    """

    def __init__(self, feature_crosses: Sequence[_Pair] | None = None) -> None:
        self._pairs = None if feature_crosses is None else [(a, b) for a, b in feature_crosses]

    def create_accumulator(self) -> dict[_Pair, PairMoments]:
        """Return no pair."""
        return {}

    def add_input(
        self, accumulator: dict[_Pair, PairMoments], batch: pa.RecordBatch
    ) -> dict[_Pair, PairMoments]:
        """Add rows."""
        wanted = None if self._pairs is None else {name for pair in self._pairs for name in pair}
        columns = {}
        for name in sorted(set(batch.schema.names)):
            if wanted is None or name in wanted:
                values = _single_numbers(column_at(batch, (name,)), batch.num_rows)
                if values is not None:
                    columns[name] = values
        pairs = self._pairs if self._pairs is not None else itertools.combinations(columns, 2)
        for a, b in pairs:
            if a in columns and b in columns:
                moments = accumulator.setdefault((a, b), PairMoments())
                both = ~np.isnan(columns[a]) & ~np.isnan(columns[b])
                moments.add(columns[a][both], columns[b][both])
        return accumulator

    def merge_accumulators(
        self, accumulators: Iterable[dict[_Pair, PairMoments]]
    ) -> dict[_Pair, PairMoments]:
        """Add up by pair."""
        merged: dict[_Pair, PairMoments] = {}
        for accumulator in accumulators:
            for pair, moments in accumulator.items():
                merged.setdefault(pair, PairMoments()).merge(moments)
        return merged

    def extract_output(
        self, accumulator: dict[_Pair, PairMoments]
    ) -> statistics_pb2.DatasetFeatureStatistics:
        """Return `cross_features` with `num_cross_stats`."""
        result = statistics_pb2.DatasetFeatureStatistics()
        for (a, b), moments in sorted(accumulator.items()):
            cross = result.cross_features.add(count=moments.count)
            cross.path_x.step.append(a)
            cross.path_y.step.append(b)
            if moments.count:
                cross.num_cross_stats.covariance = moments.sum_xy / moments.count
                scale = math.sqrt(moments.sum_xx) * math.sqrt(moments.sum_yy)
                if scale:
                    cross.num_cross_stats.correlation = moments.sum_xy / scale
        return result


def _single_numbers(column: pa.Array | None, rows: int) -> _Floats | None:
    """Return the number of each row that has exactly one, NaN elsewhere; None if none has."""
    if column is None:
        return None
    values, owners = leaves_of(column)
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        return None
    single = np.bincount(owners, minlength=rows)[owners] == 1
    if len(values) and not single.any():
        return None
    result = np.full(rows, np.nan)
    result[owners[single]] = to_numpy(values).astype(np.float64)[single]
    return result
