import math
import pickle

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation import StatsOptions, statistics_of_record_batches
from penstock.data_validation.per_feature_stats import PerFeatureStatsConfig
from penstock.data_validation.statistics import value_counts
from penstock.data_validation.statistics.dataset import DatasetStatistics

STANDARD, QUANTILES = statistics_pb2.Histogram.STANDARD, statistics_pb2.Histogram.QUANTILES


def feature(batch, name=None, **options):
    schema = options.pop("schema", None)
    if isinstance(schema, str):
        schema = text_format.Parse(schema, schema_pb2.Schema())
    batches = batch if isinstance(batch, list) else [batch]
    result = statistics_of_record_batches(batches, StatsOptions(schema=schema, **options))
    features = {f.path.step[-1]: f for f in result.datasets[0].features}
    return features[name] if name else next(iter(features.values()))


def floats(values):
    return pa.record_batch({"x": pa.array([[v] for v in values], pa.list_(pa.float32()))})


def test_numbers():
    stats = feature(floats([0.0, 1.0, 2.0, 3.0])).num_stats
    assert (stats.mean, stats.min, stats.max, stats.median, stats.num_zeros) == (1.5, 0, 3, 2, 1)
    assert stats.std_dev == pytest.approx(np.std([0, 1, 2, 3]))
    assert [h.type for h in stats.histograms] == [STANDARD, QUANTILES]
    assert len(stats.histograms[0].buckets) == 10
    assert sum(b.sample_count for b in stats.histograms[0].buckets) == pytest.approx(4, abs=1e-4)
    assert sum(b.sample_count for b in stats.histograms[1].buckets) == pytest.approx(4)


def test_nan_is_counted_apart_and_infinities_have_buckets():
    inf = math.inf
    stats = feature(floats([1.0, math.nan, inf, 2.0, -inf, -inf])).num_stats
    assert (stats.min, stats.max) == (-inf, inf)
    standard = stats.histograms[0]
    assert standard.num_nan == 1
    assert (standard.buckets[0].high_value, standard.buckets[0].sample_count) == (-inf, 2)
    assert (standard.buckets[-1].low_value, standard.buckets[-1].sample_count) == (inf, 1)
    only_nan = feature(floats([math.nan, math.nan])).num_stats
    assert [(h.type, h.num_nan) for h in only_nan.histograms] == [(STANDARD, 2), (QUANTILES, 2)]
    assert only_nan.mean == only_nan.max == 0


@pytest.mark.parametrize("values", [[1.0, math.inf], [math.inf, 1.0], [math.inf, math.inf]])
def test_moments_of_infinities_are_nan_in_any_order(values):
    stats = feature([floats(values[:1]), floats(values[1:])]).num_stats
    assert math.isnan(stats.mean)
    assert math.isnan(stats.std_dev)


@pytest.mark.parametrize("values", [[math.inf], [math.inf, -math.inf], [5.0], [3.4e38, -3.4e38]])
def test_extreme_columns_have_statistics(values):
    stats = feature(floats(values)).num_stats
    assert (stats.min, stats.max) == (min(values), max(values)) or max(values) > 1e38


def test_integers_at_the_limits():
    batch = pa.record_batch({"x": [[2**63 - 1], [-(2**63)], [0]]})
    stats = feature(batch)
    assert stats.type == stats.INT
    assert (stats.num_stats.min, stats.num_stats.max) == (-(2.0**63), 2.0**63)
    assert stats.num_stats.num_zeros == 1


def test_missing_is_null_and_an_empty_list_is_present():
    common = feature(pa.record_batch({"x": [[1, 2], None, [], [3]]})).num_stats.common_stats
    assert (common.num_non_missing, common.num_missing) == (3, 1)
    assert (common.min_num_values, common.max_num_values, common.tot_num_values) == (0, 2, 3)
    assert common.avg_num_values == 1


def test_a_feature_without_values_is_a_string():
    stats = feature(pa.record_batch({"x": pa.nulls(3)}))
    assert stats.type == stats.STRING
    assert stats.string_stats.common_stats.num_missing == 3


def test_a_feature_that_comes_later_was_missing_before():
    batches = [pa.record_batch({"a": [[1], [1]]}), pa.record_batch({"b": [[1]]})]
    assert feature(batches, "a").num_stats.common_stats.num_missing == 1
    assert feature(batches, "b").num_stats.common_stats.num_missing == 2


def test_strings():
    stats = feature(pa.record_batch({"x": [["a", "b"], ["ccc"], ["b"]]})).string_stats
    assert stats.unique == 3
    assert stats.avg_length == 1.5
    assert [(t.value, t.frequency) for t in stats.top_values] == [("b", 2), ("ccc", 1), ("a", 1)]
    ranks = [
        (b.low_rank, b.high_rank, b.label, b.sample_count) for b in stats.rank_histogram.buckets
    ]
    assert ranks == [(0, 0, "b", 2), (1, 1, "ccc", 1), (2, 2, "a", 1)]
    few = feature(
        pa.record_batch({"x": [["a"], ["b"], ["b"]]}), num_top_values=1, frequency_threshold=2
    )
    assert [t.value for t in few.string_stats.top_values] == ["b"]
    assert len(few.string_stats.rank_histogram.buckets) == 1


def test_invalid_utf8_has_a_placeholder():
    stats = feature(pa.record_batch({"x": [[b"\xff"], [b"ok"]]})).string_stats
    assert stats.invalid_utf8_count == 1
    assert {t.value for t in stats.top_values} == {"__BYTES_VALUE__", "ok"}


def test_long_values_are_counted():
    stats = feature(pa.record_batch({"x": [[b"x" * (10 << 20)], [b"y"]]})).string_stats
    assert stats.unique == 2
    assert stats.avg_length == ((10 << 20) + 1) / 2


def test_claims_of_a_schema():
    numbers = pa.record_batch({"x": [[1], [2], [2]]})
    categorical = 'feature { name: "x" type: INT int_domain { is_categorical: true } }'
    stats = feature(numbers, schema=categorical)
    assert stats.type == stats.INT
    assert [t.value for t in stats.string_stats.top_values] == ["2", "1"]
    image = 'feature { name: "x" type: BYTES image_domain {} }'
    stats = feature(pa.record_batch({"x": [[b"abc"], [b"d"]]}), schema=image)
    assert stats.type == stats.BYTES
    assert (stats.bytes_stats.min_num_bytes, stats.bytes_stats.max_num_bytes_int) == (1, 3)
    text = 'feature { name: "x" type: BYTES string_domain { is_categorical: CATEGORICAL_NO } }'
    stats = feature(pa.record_batch({"x": [["a"], ["b"]]}), schema=text)
    assert not stats.string_stats.top_values
    assert stats.string_stats.avg_length == 1


def test_integers_of_several_widths_are_one_feature():
    batches = [
        pa.record_batch({"x": pa.array([[7]], pa.list_(t))}) for t in (pa.int32(), pa.int64())
    ]
    categorical = 'feature { name: "x" type: INT int_domain { is_categorical: true } }'
    assert feature(batches, schema=categorical).string_stats.top_values[0].frequency == 2
    assert feature(batches).num_stats.max == 7


def test_nested_lists_and_structs():
    batch = pa.record_batch({"x": [[[1, 2], None, []], None, [[3]]]})
    stats = feature(batch)
    levels = stats.num_stats.common_stats.presence_and_valency_stats
    assert [(s.num_missing, s.num_non_missing, s.tot_num_values) for s in levels] == [
        (1, 2, 4),
        (1, 3, 3),
    ]
    assert [s.name for s in stats.custom_stats] == [
        "level_2_value_list_length_quantiles",
        "level_2_value_list_length_standard",
    ]
    struct = pa.array([[{"a": [1]}, {"a": None}], [], None])
    result = statistics_of_record_batches([pa.record_batch({"s": struct})]).datasets[0]
    assert [list(f.path.step) for f in result.features] == [["s"], ["s", "a"]]
    parent, child = result.features
    assert parent.type == parent.STRUCT
    assert parent.struct_stats.common_stats.num_missing == 1
    assert child.num_stats.common_stats.num_missing == 1


def test_weights():
    batch = pa.record_batch(
        {"x": [[1.0], [2.0], None], "s": [["a"], ["b"], ["b"]], "w": [[1.0], [3.0], [6.0]]}
    )
    result = statistics_of_record_batches([batch], StatsOptions(weight_feature="w")).datasets[0]
    assert result.weighted_num_examples == 10
    assert [f.path.step[0] for f in result.features] == ["s", "w", "x"]
    strings, weights, numbers = result.features
    assert weights.num_stats.weighted_numeric_stats.mean == 4.6
    common = numbers.num_stats.common_stats.weighted_common_stats
    assert (common.num_non_missing, common.num_missing) == (4, 6)
    assert numbers.num_stats.weighted_numeric_stats.mean == 1.75
    assert numbers.num_stats.mean == 1.5
    weighted = strings.string_stats.weighted_string_stats
    assert [(t.value, t.frequency) for t in weighted.top_values] == [("b", 9), ("a", 1)]


@pytest.mark.parametrize("weights", [[[1.0], None], [[1.0], [1.0, 2.0]], [["a"], ["b"]]])
def test_faulty_weights_are_refused(weights):
    batch = pa.record_batch({"x": [[1], [2]], "w": weights})
    with pytest.raises(ValueError, match="'w' must have exactly one number in every row"):
        statistics_of_record_batches([batch], StatsOptions(weight_feature="w"))


def test_slices():
    batch = pa.record_batch({"x": [[1], [2], [3]]})

    def small(rows):
        yield "small", rows.slice(0, 2)

    options = StatsOptions(experimental_slice_functions=[small])
    datasets = statistics_of_record_batches([batch], options).datasets
    assert [(d.name, d.num_examples) for d in datasets] == [("All Examples", 3), ("small", 2)]


def test_sampling_takes_about_the_rate():
    batch = pa.record_batch({"x": list(range(10_000))})
    options = StatsOptions(sample_rate=0.3)
    rows = statistics_of_record_batches([batch], options).datasets[0].num_examples
    assert 2_800 < rows < 3_200


def test_types_must_not_change():
    batches = [pa.record_batch({"x": [[1]]}), pa.record_batch({"x": [["a"]]})]
    with pytest.raises(TypeError, match="'x' has values of type STRING here and INT before"):
        statistics_of_record_batches(batches)
    with pytest.raises(TypeError, match="'x' holds values of type duration"):
        statistics_of_record_batches(
            [pa.record_batch({"x": pa.array([[0]], pa.list_(pa.duration("s")))})]
        )


def test_many_distinct_values_go_into_sketches(monkeypatch):
    monkeypatch.setattr(value_counts, "EXACT_VALUES", 3000)
    monkeypatch.setattr(value_counts, "_PENDING_ROWS", 1000)
    values = [f"v{i}" for i in range(10_000)] + ["often"] * 5_000
    batches = [
        pa.record_batch({"x": [[v] for v in values[i : i + 500]]}) for i in range(0, 15_000, 500)
    ]
    stats = feature(batches).string_stats
    assert stats.unique == pytest.approx(10_001, rel=0.03)
    assert stats.top_values[0].value == "often"
    assert stats.top_values[0].frequency == pytest.approx(5_000, abs=15_000 / 1_024)


@pytest.mark.parametrize("exact", [2, 1000])
@pytest.mark.parametrize("weight", [None, "w"])
def test_kernels_travel_between_processes(monkeypatch, exact, weight):
    monkeypatch.setattr(value_counts, "EXACT_VALUES", exact)
    batch = pa.record_batch(
        {"f": [[1.5], [2.5], None], "s": [["a"], ["b"], ["c"]], "w": [[1.0], [2.0], [3.0]]}
    )
    kernel = DatasetStatistics(StatsOptions(weight_feature=weight))
    kernel.add(batch)
    copy = pickle.loads(pickle.dumps(kernel))
    assert copy.result() == kernel.result()


def test_values_of_nested_lists_are_the_innermost_ones():
    rows = [[[1, 2], [], None], [[3, 4, 5]], [], None]
    common = feature(pa.record_batch({"x": rows})).num_stats.common_stats
    assert (common.num_non_missing, common.num_missing) == (3, 1)
    counts = (common.min_num_values, common.max_num_values, common.tot_num_values)
    assert counts == (0, 3, 5)
    assert common.avg_num_values == pytest.approx(5 / 3)


def test_lists_of_unknown_type_are_a_level_of_their_own_until_it_is_known():
    unknown = pa.record_batch({"x": pa.array([[None, None], None, []], pa.list_(pa.null()))})
    stats = feature(unknown)
    common = stats.string_stats.common_stats
    assert (common.num_non_missing, common.num_missing, common.tot_num_values) == (2, 1, 0)
    assert (common.min_num_values, common.max_num_values) == (0, 0)
    levels = [(s.num_non_missing, s.num_missing) for s in common.presence_and_valency_stats]
    assert levels == [(2, 1), (0, 2)]
    known = pa.record_batch({"x": pa.array([[1, 2, 3]], pa.list_(pa.int64()))})
    for batches in ([unknown, known], [known, unknown]):
        common = feature(batches).num_stats.common_stats
        assert not common.presence_and_valency_stats
        assert (common.num_non_missing, common.min_num_values, common.max_num_values) == (3, 0, 3)
    kernels = [DatasetStatistics(StatsOptions()) for _ in range(2)]
    for kernel, batch in zip(kernels, (unknown, known), strict=True):
        kernel.add(batch)
    kernels[0].merge(kernels[1])
    assert kernels[0].result().features[0].num_stats.common_stats == common


def test_innermost_lists_of_unknown_type_hold_no_values():
    kinds = (pa.null(), pa.list_(pa.int64()))
    batches = [
        pa.record_batch({"x": pa.array(cells, pa.list_(pa.list_(kind)))})
        for cells, kind in zip(([[[None, None], None, []]], [[[[1, 2], [3]]]]), kinds, strict=True)
    ]
    common = feature(batches).num_stats.common_stats
    assert (common.min_num_values, common.max_num_values, common.tot_num_values) == (0, 3, 3)


def test_an_image_feature_may_be_null_in_some_batches():
    batches = [
        pa.record_batch({"x": pa.array([[b"abc"], None], pa.list_(pa.binary()))}),
        pa.record_batch({"x": pa.nulls(2)}),
    ]
    schema = 'feature { name: "x" type: BYTES image_domain {} }'
    stats = feature(batches, schema=schema).bytes_stats
    assert (stats.common_stats.num_non_missing, stats.common_stats.num_missing) == (1, 3)
    assert (stats.avg_num_bytes, stats.max_num_bytes_int) == (3, 3)


def test_a_categorical_float_is_as_long_as_its_double():
    batch = pa.record_batch({"x": pa.array([[0.1], [1.5]], pa.list_(pa.float32()))})
    schema = 'feature { name: "x" type: FLOAT float_domain { is_categorical: true } }'
    stats = feature(batch, schema=schema).string_stats
    assert stats.avg_length == (len(repr(float(np.float32(0.1)))) + len("1.5")) / 2


def test_categorical_floats_are_counted():
    schema = 'feature { name: "x" type: FLOAT float_domain { is_categorical: true } }'
    stats = feature(floats([1.0, 0.5, 1.0]), schema=schema)
    assert stats.type == stats.FLOAT
    assert [(t.value, t.frequency) for t in stats.string_stats.top_values] == [
        ("1.0", 2),
        ("0.5", 1),
    ]
    assert stats.string_stats.avg_length == 3


def test_features_within_structs_have_weights_of_their_own():
    struct = pa.array([[{"a": [1.0], "b": [1.0]}], [{"a": [3.0], "b": [3.0]}]])
    batch = pa.record_batch({"s": struct, "w": [[1.0], [3.0]]})
    options = StatsOptions(per_feature_weight_override={("s", "a"): "w"})
    features = statistics_of_record_batches([batch], options).datasets[0].features
    stats = {tuple(f.path.step): f for f in features}
    assert stats["s", "a"].num_stats.weighted_numeric_stats.mean == 2.5
    assert not stats["s", "b"].num_stats.HasField("weighted_numeric_stats")


def test_histograms_can_be_left_out():
    config = PerFeatureStatsConfig(["x"], "exclude")
    stats = feature(floats([1.0, 2.0]), per_feature_stats_config=config).num_stats
    assert (stats.mean, len(stats.histograms)) == (1.5, 0)
    assert math.isnan(stats.median)
    assert not stats.common_stats.HasField("num_values_histogram")
    kept = PerFeatureStatsConfig(["x"], "include")
    assert len(feature(floats([1.0]), per_feature_stats_config=kept).num_stats.histograms) == 2
    with pytest.raises(ValueError, match="histogram_mode='all'"):
        PerFeatureStatsConfig([], "all")


CELLS = {
    "i": (st.integers(-(2**40), 2**40), pa.int64()),
    # Adding 0.0 makes 0.0 of -0.0: which of the two is the minimum depends on the order.
    "f": (st.floats(width=32).map(lambda value: value + 0.0), pa.float32()),
    "s": (st.binary(max_size=3), pa.binary()),
}


@settings(deadline=None, max_examples=60)
@given(
    kind=st.sampled_from(sorted(CELLS)),
    data=st.data(),
    weighted=st.booleans(),
)
def test_parts_merge_to_the_whole(kind, data, weighted):
    values, value_type = CELLS[kind]
    cells = data.draw(st.lists(st.none() | st.lists(values, max_size=4), min_size=1, max_size=30))
    weights = data.draw(st.lists(st.integers(1, 9), min_size=len(cells), max_size=len(cells)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(cells)), max_size=4)))
    batch = pa.record_batch(
        {"x": pa.array(cells, pa.large_list(value_type)), "w": [[float(w)] for w in weights]}
    )
    options = StatsOptions(weight_feature="w" if weighted else None)
    whole = DatasetStatistics(options)
    whole.add(batch)
    parts = []
    for start, end in zip([0, *cuts], [*cuts, len(cells)], strict=True):
        part = DatasetStatistics(options)
        part.add(batch.slice(start, end - start))
        parts.append(part)
    order = data.draw(st.permutations(parts))
    merged = order[0]
    for part in order[1:]:
        merged.merge(part)
    assert_close(merged.result(), whole.result())


def assert_close(a, b):
    assert type(a) is type(b)
    if hasattr(a, "DESCRIPTOR"):
        assert [f.name for f, _ in a.ListFields()] == [f.name for f, _ in b.ListFields()]
        for (_, x), (_, y) in zip(a.ListFields(), b.ListFields(), strict=True):
            assert_close(x, y)
    elif isinstance(a, float):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-9, nan_ok=True)
    elif isinstance(a, (str, int)):
        assert a == b
    else:
        for x, y in zip(a, b, strict=True):
            assert_close(x, y)
