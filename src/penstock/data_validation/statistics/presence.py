"""How many rows have a feature, and how many values: CommonStatistics."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tensorflow_metadata.proto.v0 import statistics_pb2

from penstock.data_validation.statistics.histograms import (
    quantiles_histogram,
    standard_histogram,
)
from penstock.data_validation.statistics.quantiles import Quantiles
from penstock.data_validation.stats_options import StatsOptions
from penstock.io.arrow.arrays import to_numpy, valid_rows

_Floats = npt.NDArray[np.float64]


class LevelPresence:
    """Presence and number of values at one level of nesting."""

    def __init__(self, epsilon: float) -> None:
        self.present = 0
        self.values = 0
        self.min_values: int | None = None
        self.max_values = 0
        self.weighted_present = 0.0
        self.weighted_values = 0.0
        self.lengths = Quantiles(epsilon)

    def add(self, lists: pa.Array, weights: _Floats | None) -> None:
        """Add lists, one an element of the level above."""
        known = to_numpy(lists.value_lengths().drop_null()).astype(np.int64)
        self.add_lengths(known)
        if weights is not None:
            is_present = valid_rows(lists)
            self.weighted_present += float(weights[is_present].sum())
            self.weighted_values += float((weights[is_present] * known).sum())

    def add_lengths(self, known: npt.NDArray[np.int64]) -> None:
        """Add the numbers of values of lists that are present."""
        self.present += len(known)
        if len(known):
            low, high = int(known.min()), int(known.max())
            self.values += int(known.sum())
            self.min_values = low if self.min_values is None else min(self.min_values, low)
            self.max_values = max(self.max_values, high)
            if low == high:
                distinct, counts = np.array([low]), np.array([len(known)])
            else:
                distinct, counts = np.unique(known, return_counts=True)
            self.lengths.add(distinct.astype(np.float64), counts.astype(np.float64))

    def merge(self, other: "LevelPresence") -> None:
        """Add the state of another one."""
        self.present += other.present
        self.values += other.values
        if other.min_values is not None:
            mine = other.min_values if self.min_values is None else self.min_values
            self.min_values = min(mine, other.min_values)
        self.max_values = max(self.max_values, other.max_values)
        self.weighted_present += other.weighted_present
        self.weighted_values += other.weighted_values
        self.lengths.merge(other.lengths)


class Presence:
    """Presence of a feature at all its levels of nesting.

    The values of a row are those of the innermost level, however deep the lists are.
    """

    def __init__(self, options: StatsOptions, weighted: bool) -> None:
        self._options = options
        self.weighted = weighted
        self.levels: list[LevelPresence] = []
        self._innermost = LevelPresence(options.epsilon)
        # Arrow's null stands for lists that are all missing, of a type that is not known yet.
        self._unknown_levels = 0
        self._known = False

    def add(self, array: pa.Array, weights: _Floats | None) -> tuple[pa.Array, _Floats | None]:
        """Add a column and return its leaf values with their weights."""
        level = 0
        if _is_list(array.type) and _is_list_or_null(array.type.value_type):
            self._innermost.add_lengths(_innermost_lengths(array))
        while _is_list(array.type):
            if level == len(self.levels):
                self.levels.append(LevelPresence(self._options.epsilon))
            self.levels[level].add(array, weights)
            if weights is not None:
                lengths = np.where(valid_rows(array), to_numpy(array.value_lengths()), 0)
                weights = np.repeat(weights, lengths)
            array = array.flatten()
            level += 1
        if pa.types.is_null(array.type):
            self._unknown_levels = max(self._unknown_levels, level + 1)
        else:
            self._known = True
        return array, weights

    def merge(self, other: "Presence") -> None:
        """Add the state of another one."""
        self._innermost.merge(other._innermost)
        self._unknown_levels = max(self._unknown_levels, other._unknown_levels)
        self._known |= other._known
        for level, theirs in enumerate(other.levels):
            if level < len(self.levels):
                self.levels[level].merge(theirs)
            else:
                self.levels.append(theirs)

    @property
    def leaf_values(self) -> int:
        """The number of values at the innermost level."""
        levels = self._all_levels()
        return levels[-1].values if levels else 0

    def _all_levels(self) -> list[LevelPresence]:
        """Return the levels, and one more for lists of which none is there."""
        if self._known or len(self.levels) >= self._unknown_levels:
            return self.levels
        return [*self.levels, LevelPresence(self._options.epsilon)]

    def result(
        self,
        rows: float,
        weighted_rows: float,
        parent: "Presence | None",
        *,
        with_histogram: bool = True,
    ) -> statistics_pb2.CommonStatistics:
        """Make the proto.

        Args:
            rows: The number of rows of the data set.
            weighted_rows: Their weight.
            parent: The presence of the struct feature that holds this one; what is missing is
                then counted against the parent's values.
            with_histogram: Whether to add the histogram of values per row.
        """
        levels = self._all_levels()
        top = levels[0] if levels else LevelPresence(self._options.epsilon)
        if parent is not None:
            inner = parent.levels[-1] if parent.levels else None
            rows = inner.values if inner else 0
            weighted_rows = inner.weighted_values if inner else 0.0
        proto = statistics_pb2.CommonStatistics(
            num_non_missing=top.present,
            num_missing=int(rows) - top.present,
            tot_num_values=self.leaf_values,
        )
        if top.present:
            counted = self._innermost if len(levels) > 1 else top
            proto.min_num_values = counted.min_values or 0
            proto.max_num_values = counted.max_values
            proto.avg_num_values = self.leaf_values / top.present
            if with_histogram:
                buckets = self._options.num_values_histogram_buckets
                histogram = quantiles_histogram(*counted.lengths.with_weights(buckets))
                proto.num_values_histogram.CopyFrom(histogram)
        if self.weighted:
            leaf = levels[-1].weighted_values if levels else 0.0
            proto.weighted_common_stats.CopyFrom(_weighted(top, weighted_rows, leaf))
        if len(levels) > 1:
            self._add_nested(proto, rows, weighted_rows)
        return proto

    def _add_nested(
        self, proto: statistics_pb2.CommonStatistics, rows: float, weighted_rows: float
    ) -> None:
        for level in self._all_levels():
            nested = proto.presence_and_valency_stats.add(
                num_missing=int(rows) - level.present, num_non_missing=level.present
            )
            if level.present:
                nested.min_num_values = level.min_values or 0
                nested.max_num_values = level.max_values
                nested.tot_num_values = level.values
            if self.weighted:
                proto.weighted_presence_and_valency_stats.append(
                    _weighted(level, weighted_rows, level.weighted_values)
                )
            rows, weighted_rows = level.values, level.weighted_values

    def nested_length_histograms(self) -> list[statistics_pb2.CustomStatistic]:
        """Make the histograms of list lengths below the first level."""
        out = []
        buckets = self._options.num_values_histogram_buckets
        for number, level in enumerate(self.levels[1:], start=2):
            if not level.present:
                continue
            quantiles, weights = level.lengths.with_weights(buckets)
            name = f"level_{number}_value_list_length"
            histograms: dict[str, Any] = {
                f"{name}_quantiles": quantiles_histogram(quantiles, weights),
                f"{name}_standard": standard_histogram(
                    quantiles, weights, level.min_values, level.max_values, buckets, 0
                ),
            }
            out += [
                statistics_pb2.CustomStatistic(name=name, histogram=histogram)
                for name, histogram in histograms.items()
            ]
        return out


def _weighted(
    level: LevelPresence, total: float, values: float
) -> statistics_pb2.WeightedCommonStatistics:
    proto = statistics_pb2.WeightedCommonStatistics(
        num_non_missing=level.weighted_present,
        num_missing=total - level.weighted_present,
        tot_num_values=values,
    )
    if level.weighted_present > 0:
        proto.avg_num_values = values / level.weighted_present
    return proto


def _innermost_lengths(array: pa.Array) -> npt.NDArray[np.int64]:
    """Return how many innermost values each row that is present has."""
    present = valid_rows(array)
    rows = np.arange(len(array))
    while _is_list(array.type):
        lengths = np.where(valid_rows(array), to_numpy(array.value_lengths()), 0).astype(np.int64)
        rows = np.repeat(rows, lengths)
        array = array.flatten()
    if pa.types.is_null(array.type):
        rows = rows[:0]
    counted: npt.NDArray[np.int64] = np.bincount(rows, minlength=len(present))[present]
    return counted


def _is_list_or_null(kind: pa.DataType) -> bool:
    return _is_list(kind) or bool(pa.types.is_null(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )
