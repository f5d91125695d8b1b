"""The parts that a feature's training statistics divide its values into, and the share of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2

MOST_VALUES = 100
"""Of a string feature, the most frequent values that are counted one by one."""
OTHER = "other values"


@dataclasses.dataclass(frozen=True)
class FeatureReference:
    """A feature as its statistics describe it.

    Attributes:
        name: The feature.
        parts: What the values are divided into, in words; empty if only presence can be compared.
        counts: Values in each part.
        missing: The share of rows without a value.
        edges: For numbers, the bounds between parts: a part holds what is above the bound before it and
            not above its own. None for other features.
        values: For strings, the value of each part but the last, which has all others.
    """

    name: str
    parts: tuple[str, ...]
    counts: tuple[float, ...]
    missing: float
    edges: tuple[float, ...] | None = None
    values: tuple[bytes, ...] = ()


def reference_of(feature: statistics_pb2.FeatureNameStatistics) -> FeatureReference | None:
    """Return a feature's reference; None for a struct.

    Numbers are divided at the quantiles of the statistics (deciles by default), strings by their most
    frequent values. Long texts, identifiers and bytes, of which statistics count no values, are compared by
    presence alone.

    Args:
        feature: Statistics of the feature.
    """
    name = feature.name or ".".join(feature.path.step)
    kind = feature.WhichOneof("stats")
    if kind is None or kind == "struct_stats":
        return None
    common = getattr(feature, kind).common_stats
    rows = common.num_non_missing + common.num_missing
    missing = common.num_missing / rows if rows else 0.0
    if kind == "num_stats":
        return _of_numbers(name, feature.num_stats, missing)
    if kind == "string_stats" and feature.string_stats.rank_histogram.buckets:
        return _of_strings(name, feature.string_stats, missing)
    return FeatureReference(name, (), (), missing)


def _of_numbers(
    name: str, statistics: statistics_pb2.NumericStatistics, missing: float
) -> FeatureReference:
    found = [each for each in statistics.histograms if each.type == each.QUANTILES]
    buckets = [b for each in found[:1] for b in each.buckets if np.isfinite(b.high_value)]
    edges = sorted({bucket.high_value for bucket in buckets})[:-1]
    # One value has no bound inside: then everything else is told apart from it.
    if not edges and buckets:
        only = buckets[0].high_value
        edges = [float(np.nextafter(only, -np.inf)), only]
    if not edges:
        return FeatureReference(name, (), (), missing)
    counts = np.zeros(len(edges) + 1)
    for bucket in buckets:
        counts[np.searchsorted(edges, bucket.high_value)] += bucket.sample_count
    return FeatureReference(
        name, _ranges(edges), tuple(map(float, counts)), missing, edges=tuple(edges)
    )


def _ranges(edges: Sequence[float]) -> tuple[str, ...]:
    middle = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    return (f"up to {edges[0]:.4g}", *middle, f"above {edges[-1]:.4g}")


def _of_strings(
    name: str, statistics: statistics_pb2.StringStatistics, missing: float
) -> FeatureReference:
    buckets = statistics.rank_histogram.buckets[:MOST_VALUES]
    labels = [bucket.label for bucket in buckets]
    counts = [float(bucket.sample_count) for bucket in buckets]
    others = max(0.0, statistics.common_stats.tot_num_values - sum(counts))
    return FeatureReference(
        name,
        (*labels, OTHER),
        (*counts, others),
        missing,
        values=tuple(label.encode() for label in labels),
    )
