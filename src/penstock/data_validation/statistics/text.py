"""StringStatistics and BytesStatistics: lengths, distinct and most frequent values."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx_bsl.arrow import array_util

from penstock.data_validation.statistics.generators.base import is_text
from penstock.data_validation.statistics.value_counts import ValueCounts
from penstock.data_validation.stats_options import StatsOptions
from penstock.io.arrow.arrays import to_numpy

_Floats = npt.NDArray[np.float64]


class Text:
    """Statistics of a string feature or of a feature of categorical numbers.

    Args:
        options: Limits and thresholds.
        weighted: Whether values come with weights.
        categorical: Whether to count values, not only lengths.
    """

    def __init__(self, options: StatsOptions, weighted: bool, categorical: bool) -> None:
        self._options = options
        self._total_length = 0
        self._invalid = 0
        self._weighted = weighted
        listed = max(options.num_top_values, options.num_rank_histogram_buckets)
        self._counts = ValueCounts(listed, weighted) if categorical else None

    def add(self, values: pa.Array, weights: _Floats | None) -> None:
        """Add leaf values."""
        if pa.types.is_floating(values.type):
            shown = to_numpy(values).astype(np.float64).astype(str)
            self._total_length += int(np.char.str_len(shown).sum())
        elif not is_text(values.type):
            if not pa.types.is_uint64(values.type):
                values = values.cast(pa.int64())
            self._total_length += pc.sum(pc.binary_length(values.cast(pa.string()))).as_py() or 0
        else:
            self._total_length += pc.sum(pc.binary_length(values)).as_py() or 0
            self._invalid += array_util.CountInvalidUTF8(values)
        if self._counts is not None:
            self._counts.add(values, weights)

    def merge(self, other: "Text") -> None:
        """Add the state of another one."""
        self._total_length += other._total_length
        self._invalid += other._invalid
        if self._counts is not None and other._counts is not None:
            self._counts.merge(other._counts)

    def result(self, number_of_values: int) -> statistics_pb2.StringStatistics:
        """Make the proto, without common statistics."""
        proto = statistics_pb2.StringStatistics(invalid_utf8_count=self._invalid)
        if number_of_values:
            proto.avg_length = self._total_length / number_of_values
        if self._counts is not None:
            proto.unique = self._counts.distinct()
            self._add_ranks(proto, self._options.frequency_threshold, by_weight=False)
            if self._weighted:
                self._add_ranks(
                    proto.weighted_string_stats,
                    self._options.weighted_frequency_threshold,
                    by_weight=True,
                )
        return proto

    def _add_ranks(
        self,
        proto: statistics_pb2.StringStatistics | statistics_pb2.WeightedStringStatistics,
        threshold: float,
        *,
        by_weight: bool,
    ) -> None:
        assert self._counts is not None
        options = self._options
        listed = max(options.num_top_values, options.num_rank_histogram_buckets)
        frequent = self._counts.most_frequent(listed, by_weight=by_weight)
        for rank, (value, count) in enumerate(frequent):
            if count < threshold:
                break
            if rank < options.num_top_values:
                proto.top_values.add(value=value, frequency=count)
            if rank < options.num_rank_histogram_buckets:
                proto.rank_histogram.buckets.add(
                    low_rank=rank, high_rank=rank, label=value, sample_count=count
                )


class Bytes:
    """Statistics of a feature that the schema declares to be bytes (an image)."""

    def __init__(self) -> None:
        self._total = 0
        self._min: int | None = None
        self._max = 0

    def add(self, values: pa.Array) -> None:
        """Add leaf values."""
        if not len(values):
            return
        lengths = pc.binary_length(values)
        self._total += pc.sum(lengths).as_py()
        extremes = pc.min_max(lengths).as_py()
        self._min = extremes["min"] if self._min is None else min(self._min, extremes["min"])
        self._max = max(self._max, extremes["max"])

    def merge(self, other: "Bytes") -> None:
        """Add the state of another one."""
        self._total += other._total
        if other._min is not None:
            self._min = other._min if self._min is None else min(self._min, other._min)
        self._max = max(self._max, other._max)

    def result(self, number_of_values: int) -> statistics_pb2.BytesStatistics:
        """Make the proto, without common statistics."""
        proto = statistics_pb2.BytesStatistics()
        if number_of_values:
            proto.avg_num_bytes = self._total / number_of_values
            proto.min_num_bytes = self._min or 0
            proto.max_num_bytes = self._max
            proto.max_num_bytes_int = self._max
        return proto
