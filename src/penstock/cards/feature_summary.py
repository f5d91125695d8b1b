"""What a page shows of one feature's statistics, read from the proto."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from penstock.data_validation.path_steps import path_to_text

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2

_STANDARD, _QUANTILES = 0, 1
_LISTED_VALUES = 50
_STATS_FIELDS = ("num_stats", "string_stats", "bytes_stats", "struct_stats")


@dataclasses.dataclass(frozen=True)
class FeatureSummary:
    """One feature of one data set.

    Args:
        name: Its path as text.
        type: INT, FLOAT, STRING, BYTES or STRUCT.
        rows: Rows of the data set.
        missing: The share of rows without a value, 0 to 1.
        numbers: Figures by name, in the order in which they are shown.
        buckets: The equi-width histogram: low, high, count.
        quantiles: The quantiles histogram: low, high, count.
        values: The most frequent values with their counts.
        unique: The number of distinct values, if it was counted.
        total: The number of values.
        extra: Further statistics as text, by name.
    """

    name: str
    type: str
    rows: int
    missing: float
    numbers: dict[str, float]
    buckets: list[tuple[float, float, float]]
    quantiles: list[tuple[float, float, float]]
    values: list[tuple[str, float]]
    unique: int | None
    total: float
    extra: dict[str, str]

    @property
    def is_numeric(self) -> bool:
        """Whether it has numbers, not values that are counted."""
        return self.type in ("INT", "FLOAT") and self.unique is None

    @property
    def boundaries(self) -> list[float]:
        """The quantiles, ascending; empty without a quantiles histogram."""
        if not self.quantiles:
            return []
        return [self.quantiles[0][0], *(high for _, high, _ in self.quantiles)]

    @property
    def group(self) -> str:
        """Under which heading it stands."""
        if self.type in ("STRUCT", "BYTES"):
            return "other"
        return "numeric" if self.is_numeric else "categorical"


def summarize_dataset(
    dataset: statistics_pb2.DatasetFeatureStatistics,
) -> dict[str, FeatureSummary]:
    """Return the features of a data set by name, in their order."""
    summaries = (_summarize(feature, int(dataset.num_examples)) for feature in dataset.features)
    return {summary.name: summary for summary in summaries}


def _summarize(feature: Any, rows: int) -> FeatureSummary:
    from penstock.data_validation.missing_cells import rows_with_value

    field = feature.WhichOneof("stats")
    stats: Any = getattr(feature, field) if field in _STATS_FIELDS else None
    common = stats.common_stats if stats is not None else None
    present = rows_with_value(common) if common is not None else 0
    total = common.tot_num_values if common is not None else 0
    numbers: dict[str, float] = {}
    buckets: list[tuple[float, float, float]] = []
    quantiles: list[tuple[float, float, float]] = []
    values: list[tuple[str, float]] = []
    unique = None
    if field == "num_stats" and total:
        numbers = {
            name: getattr(stats, name) for name in ("mean", "std_dev", "min", "median", "max")
        }
        numbers["zeros"] = stats.num_zeros / total
        for histogram in stats.histograms:
            bounds = [(b.low_value, b.high_value, b.sample_count) for b in histogram.buckets]
            if histogram.type == _STANDARD and not buckets:
                buckets = bounds
            elif histogram.type == _QUANTILES and not quantiles:
                quantiles = bounds
    elif field == "string_stats":
        unique = int(stats.unique)
        numbers = {"unique": unique, "avg_length": stats.avg_length}
        if stats.invalid_utf8_count:
            numbers["invalid_utf8"] = stats.invalid_utf8_count
        listed = [(b.label, b.sample_count) for b in stats.rank_histogram.buckets]
        values = (listed or [(v.value, v.frequency) for v in stats.top_values])[:_LISTED_VALUES]
    elif field == "bytes_stats":
        numbers = {
            "unique": stats.unique,
            "avg_bytes": stats.avg_num_bytes,
            "max_bytes": stats.max_num_bytes,
        }
    if common is not None and common.max_num_values > 1:
        numbers["values_a_row"] = common.avg_num_values
    return FeatureSummary(
        name=feature.name or path_to_text(tuple(feature.path.step)),
        type=type(feature).Type.Name(feature.type),
        rows=rows,
        missing=1.0 - present / rows if rows else 0.0,
        numbers=numbers,
        buckets=buckets,
        quantiles=quantiles,
        values=values,
        unique=unique,
        total=float(total),
        extra=_custom(feature),
    )


def _custom(feature: Any) -> dict[str, str]:
    shown = {}
    for stat in feature.custom_stats:
        kind = stat.WhichOneof("val")
        if kind == "num":
            shown[stat.name] = f"{stat.num:.6g}"
        elif kind == "str":
            shown[stat.name] = stat.str
        elif kind == "rank_histogram":
            pairs = [f"{b.label}: {b.sample_count:g}" for b in stat.rank_histogram.buckets[:8]]
            shown[stat.name] = ", ".join(pairs)
    return shown


def distance(a: FeatureSummary, b: FeatureSummary) -> float | None:
    """Return the Jensen-Shannon divergence of two data sets' feature, 0 (equal) to 1.

    Numbers are compared by both histograms, and the smaller divergence counts: one outlier spoils the
    equi-width histogram, and few distinct values spoil the quantiles.
    """
    from tensorflow_metadata.proto.v0 import statistics_pb2

    from penstock.data_validation.anomalies.distances import (
        categorical_divergence,
        histogram_divergence,
    )

    if a.values and b.values:
        return categorical_divergence(dict(a.values), dict(b.values))
    found = []
    for name in ("buckets", "quantiles"):
        pair = []
        for side in (a, b):
            histogram = statistics_pb2.Histogram()
            for low, high, count in getattr(side, name):
                histogram.buckets.add(low_value=low, high_value=high, sample_count=count)
            pair.append(histogram)
        divergence = histogram_divergence(*pair)
        if divergence is not None:
            found.append(divergence)
    return min(found, default=None)
