"""Statistics of parts against the whole, for any cut into batches, any shards and any order.

Counts, extremes, zeros, missing and distinct values are equal; means and deviations to 1e-9; quantiles
within the sketch's error; values that fit are listed exactly.
"""

import itertools
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import statistics_pb2

from penstock.data_validation import StatsOptions, statistics_of_record_batches
from penstock.data_validation.statistics.generate import SlicedStatistics

NAN, INF = math.nan, math.inf
BIG, SMALL = 2**63 - 1, -(2**63)

FLOATS = st.floats(width=32, allow_subnormal=False) | st.sampled_from([NAN, INF, -INF, 0.0, -0.0])
INTEGERS = st.integers(SMALL, BIG) | st.sampled_from([BIG, SMALL, 0, 1])
BYTES = st.binary(max_size=6) | st.sampled_from([b"", b"\xff\xfe", b"a", "\u00e9".encode()])


def column(values, kind):
    rows = st.lists(st.none() | st.lists(values, max_size=3), min_size=12, max_size=12)
    return rows.map(lambda found: pa.array(found, pa.list_(kind)))


@st.composite
def tables(draw):
    return pa.record_batch(
        {
            "f": draw(column(FLOATS, pa.float32())),
            "d": draw(column(st.floats(-1e6, 1e6) | st.just(NAN), pa.float64())),
            "i": draw(column(INTEGERS, pa.int64())),
            "b": draw(column(BYTES, pa.large_binary())),
            "nested": draw(column(st.lists(st.integers(0, 3), max_size=2), pa.list_(pa.int64()))),
            "gone": pa.array([None] * 12, pa.list_(pa.int64())),
            "null": pa.nulls(12),
            "w": pa.array([[1.5]] * 12, pa.list_(pa.float32())),
        }
    )


CUTS = st.lists(st.integers(0, 12), max_size=5)
ORDERS = st.randoms(use_true_random=False)


def parts_of(table, cuts):
    bounds = sorted({0, table.num_rows, *cuts})
    return [table.slice(a, b - a) for a, b in itertools.pairwise(bounds)]


def merged(table, cuts, random, options):
    """Computes each part by itself, in shards that are merged in some order, as a tree."""
    kernels = []
    for part in parts_of(table, cuts):
        if kernels and random.random() < 0.4:
            random.choice(kernels).add(part)
        else:
            kernel = SlicedStatistics(options)
            kernel.add(part)
            kernels.append(kernel)
    random.shuffle(kernels)
    while len(kernels) > 1:
        other = kernels.pop(random.randrange(1, len(kernels)))
        kernels[0].merge(other)
    return kernels[0].result()


def close(a, b):
    return (math.isnan(a) and math.isnan(b)) or a == pytest.approx(b, rel=1e-9, abs=1e-9)


def same_numbers(ours, theirs, scale):
    for name in ("num_zeros", "min", "max"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert close(ours.mean / scale, theirs.mean / scale)
    assert close(ours.std_dev / scale, theirs.std_dev / scale)
    assert [h.type for h in ours.histograms] == [h.type for h in theirs.histograms]
    for mine, other in zip(ours.histograms, theirs.histograms, strict=True):
        assert mine.num_nan == other.num_nan
        assert [bool(b.sample_count < 0) for b in mine.buckets] == [False] * len(mine.buckets)
        assert sum(b.sample_count for b in mine.buckets) == pytest.approx(
            sum(b.sample_count for b in other.buckets), rel=1e-4, abs=1e-4
        )


def same(ours, theirs):
    assert (ours.num_examples, ours.weighted_num_examples) == (
        theirs.num_examples,
        theirs.weighted_num_examples,
    )
    assert [list(f.path.step) for f in ours.features] == [
        list(f.path.step) for f in theirs.features
    ]
    for mine, other in zip(ours.features, theirs.features, strict=True):
        assert mine.type == other.type
        kind = other.WhichOneof("stats")
        assert mine.WhichOneof("stats") == kind
        a, b = getattr(mine, kind), getattr(other, kind)
        for common in (a.common_stats, b.common_stats):
            common.ClearField("num_values_histogram")
        assert a.common_stats == b.common_stats
        if kind == "num_stats":
            scale = max(1.0, *(abs(v) for v in (b.min, b.max) if math.isfinite(v)), 1.0)
            same_numbers(a, b, scale)
            if b.HasField("weighted_numeric_stats"):
                weighted, theirs_weighted = a.weighted_numeric_stats, b.weighted_numeric_stats
                assert close(weighted.mean / scale, theirs_weighted.mean / scale)
                assert close(weighted.std_dev / scale, theirs_weighted.std_dev / scale)
        elif kind == "string_stats":
            assert a == b


@settings(max_examples=120, deadline=None)
@given(tables(), CUTS, ORDERS)
def test_parts_are_as_good_as_the_whole(table, cuts, random):
    options = StatsOptions()
    whole = statistics_of_record_batches([table], options)
    same(merged(table, cuts, random, options).datasets[0], whole.datasets[0])


@settings(max_examples=40, deadline=None)
@given(tables(), CUTS, ORDERS)
def test_so_are_weighted_parts_and_slices(table, cuts, random):
    options = StatsOptions(weight_feature="w", slicing_config=[{"i": None}])
    whole = statistics_of_record_batches([table], options)
    found = merged(table, cuts, random, options)
    assert [d.name for d in found.datasets] == [d.name for d in whole.datasets]
    for ours, theirs in zip(found.datasets, whole.datasets, strict=True):
        same(ours, theirs)


SHAPES = {
    "normal": lambda random: random.normal(size=3000),
    "few values": lambda random: random.integers(0, 7, 3000),
    "heavy tail": lambda random: random.pareto(0.5, 3000),
}


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(SHAPES)),
    st.integers(0, 1000),
    st.lists(st.integers(0, 3000), max_size=6),
    ORDERS,
)
def test_quantiles_are_within_the_error_of_the_sketch(shape, seed, cuts, random):
    values = SHAPES[shape](np.random.default_rng(seed)).astype(float)
    table = pa.record_batch({"x": pa.array([[v] for v in values], pa.list_(pa.float64()))})
    (feature,) = merged(table, cuts, random, StatsOptions()).datasets[0].features
    ordered = np.sort(values)
    histogram = next(
        h for h in feature.num_stats.histograms if h.type == statistics_pb2.Histogram.QUANTILES
    )
    for place, bucket in enumerate(histogram.buckets, start=1):
        wanted = place / len(histogram.buckets)
        low = np.searchsorted(ordered, bucket.high_value, side="left") / len(ordered)
        high = np.searchsorted(ordered, bucket.high_value, side="right") / len(ordered)
        assert low - 0.011 <= wanted <= high + 0.011
    median = feature.num_stats.median
    assert np.searchsorted(ordered, median, side="left") / len(ordered) <= 0.511
    assert np.searchsorted(ordered, median, side="right") / len(ordered) >= 0.489


@pytest.mark.parametrize("parts", [1, 2])
def test_long_strings(parts):
    long = b"x" * 10_000_000
    table = pa.record_batch(
        {"s": pa.array([[long], [b"short"], [long + b"y"]], pa.list_(pa.large_binary()))}
    )
    kernels = []
    for part in parts_of(table, [1] if parts == 2 else []):
        kernels.append(SlicedStatistics(StatsOptions()))
        kernels[-1].add(part)
    for other in kernels[1:]:
        kernels[0].merge(other)
    stats = kernels[0].result().datasets[0].features[0].string_stats
    assert stats.unique == 3
    assert stats.avg_length == pytest.approx((20_000_001 + 5) / 3)
