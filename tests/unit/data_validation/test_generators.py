"""Statistics beyond the common ones, computed in one piece and in parts."""

import gzip
import pickle
import struct

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation import (
    CombinerFeatureStatsGenerator,
    CombinerStatsGenerator,
    CrossFeatureStats,
    FeatureValueSlicer,
    ImageStats,
    LiftStats,
    MutualInformation,
    StatsOptions,
    get_feature_value_slicer,
    infer_schema,
    statistics_of_record_batches,
    validate_statistics,
)
from penstock.data_validation.statistics.generate import SlicedStatistics
from penstock.data_validation.statistics.generators.domains import image_size
from penstock.data_validation.statistics.generators.empty_values import EmptyValueCounter


def schema_of(text):
    return text_format.Parse(text, schema_pb2.Schema())


def compute(batch, **options):
    """Computes statistics in one piece and in parts that travel, which must agree."""
    options = StatsOptions(**options)
    whole = statistics_of_record_batches([batch], options)
    kernels = []
    cut = batch.num_rows // 3
    for part in (batch.slice(cut), batch.slice(0, cut)):
        kernel = SlicedStatistics(options)
        kernel.add(part)
        kernels.append(pickle.loads(pickle.dumps(kernel)))
    kernels[0].merge(kernels[1])
    merged = kernels[0].result()
    for dataset in (*whole.datasets, *merged.datasets):
        for feature in dataset.features:
            feature.ClearField("num_stats")
    assert [d.name for d in merged.datasets] == [d.name for d in whole.datasets]
    for ours, theirs in zip(merged.datasets, whole.datasets, strict=True):
        for a, b in zip(ours.features, theirs.features, strict=True):
            assert list(a.custom_stats) == list(b.custom_stats)
    return whole


def custom(statistics, name):
    dataset = statistics.datasets[0]
    feature = next(f for f in dataset.features if list(f.path.step) == [name])
    return {
        stat.name: getattr(stat, stat.WhichOneof("val") or "num") for stat in feature.custom_stats
    }


def ranks(histogram):
    return {bucket.label: bucket.sample_count for bucket in histogram.buckets}


def lists(values, kind=None):
    kind = kind or pa.int64()
    return pa.array(values, pa.list_(kind))


SPARSE = """sparse_feature { name: "s" index_feature { name: "i" } index_feature { name: "j" }
            value_feature { name: "v" } }"""


def test_sparse_features():
    batch = pa.record_batch(
        {
            "v": lists([[1, 2], None, [1], None]),
            "i": lists([[1, 2], [1], [1, 2, 3], None]),
            "j": lists([[1], None, [1], None]),
        }
    )
    found = compute(batch, schema=schema_of(SPARSE))
    stats = custom(found, "s")
    assert stats["missing_value"] == 1
    assert ranks(stats["missing_index"]) == {"i": 0, "j": 1}
    assert ranks(stats["max_length_diff"]) == {"i": 2, "j": 0}
    assert ranks(stats["min_length_diff"]) == {"i": 0, "j": -1}
    anomalies = validate_statistics(found, schema_of(SPARSE))
    kinds = {
        anomalies.anomaly_info["s"].Type.Name(r.type) for r in anomalies.anomaly_info["s"].reason
    }
    assert kinds == {
        "SPARSE_FEATURE_MISSING_VALUE",
        "SPARSE_FEATURE_MISSING_INDEX",
        "SPARSE_FEATURE_LENGTH_MISMATCH",
    }


def test_weighted_features():
    schema = schema_of(
        """weighted_feature { name: "w" feature { step: "v" } weight_feature { step: "g" } }"""
    )
    batch = pa.record_batch(
        {"v": lists([[1, 2], None, [1], None]), "g": lists([[1], [2], None, None])}
    )
    assert custom(compute(batch, schema=schema), "w") == {
        "missing_weight": 1,
        "missing_value": 1,
        "min_weight_length_diff": -1,
        "max_weight_length_diff": 1,
    }


def test_parts_that_are_absent_altogether():
    batch = pa.record_batch({"i": lists([[1]])})
    stats = custom(compute(batch, schema=schema_of(SPARSE)), "s")
    assert stats["missing_value"] == 1
    assert ranks(stats["missing_index"]) == {"i": 0, "j": 1}


@pytest.mark.parametrize(
    ("value", "domain"),
    [
        ("2018-11-30", "time_domain {string_format: '%Y-%m-%d'}"),
        ("11/30/2018 23:59", "time_domain {string_format: '%m/%d/%Y %H:%M'}"),
        ("30-November-2018T23:59:58.1", "time_domain {string_format: '%d-%B-%YT%H:%M:%S.%f'}"),
        ("the quick brown fox", "natural_language_domain {}"),
        ("onlyoneword", None),
        ("2018-13-30", None),
    ],
)
def test_meanings_of_strings(value, domain):
    batch = pa.record_batch({"x": [[value]] * 100})
    stats = custom(compute(batch, enable_semantic_domain_stats=True), "x")
    assert stats.get("domain_info") == domain
    few = pa.record_batch({"x": [[value]] * 99})
    assert custom(compute(few, enable_semantic_domain_stats=True), "x") == {}
    assert custom(compute(batch), "x") == {}


@pytest.mark.parametrize(("unit", "number"), [(1, 1), (10**3, 2), (10**6, 3), (10**9, 4)])
def test_times_in_integers(unit, number):
    assert schema_pb2.TimeDomain.UNIX_SECONDS == 1
    batch = pa.record_batch({"x": lists([[1_500_000_000 * unit]] * 80 + [[7]] * 20)})
    stats = custom(compute(batch, enable_semantic_domain_stats=True), "x")
    assert stats["domain_info"] == f"time_domain {{integer_format: {number}}}"
    assert stats["time_match_ratio"] == 0.8
    fewer = pa.record_batch({"x": lists([[1_500_000_000 * unit]] * 79 + [[7]] * 21)})
    assert custom(compute(fewer, enable_semantic_domain_stats=True), "x") == {}


def test_the_schema_takes_meanings_up():
    batch = pa.record_batch({"x": [["the quick brown fox"]] * 100})
    schema = infer_schema(compute(batch, enable_semantic_domain_stats=True))
    assert schema.feature[0].HasField("natural_language_domain")


PNG = b"\x89PNG\r\n\x1a\n" + bytes(8) + struct.pack(">II", 30, 20)
GIF = b"GIF89a" + struct.pack("<HH", 3, 4)
BMP = b"BM" + bytes(16) + struct.pack("<ii", 5, -6)
JPEG = (
    b"\xff\xd8\xff\xe0" + struct.pack(">H", 4) + b"ab" + struct.pack(">HHBHH", 0xFFC0, 11, 8, 9, 8)
)


def test_images():
    batch = pa.record_batch(
        {"x": lists([[PNG], [GIF], [BMP], [JPEG]] * 20 + [[b"?"]] * 20, pa.binary())}
    )
    stats = custom(compute(batch, generators=[ImageStats(enable_size_stats=True)]), "x")
    assert stats["domain_info"] == "image_domain {}"
    assert ranks(stats["image_format_histogram"]) == {
        "UNKNOWN": 20,
        "bmp": 20,
        "gif": 20,
        "jpeg": 20,
        "png": 20,
    }
    assert (stats["image_max_width"], stats["image_max_height"]) == (30, 20)
    fewer = batch.slice(0, 79)
    assert custom(compute(fewer, generators=[ImageStats()]), "x") == {}


@pytest.mark.parametrize(
    ("kind", "content", "size"),
    [
        ("png", PNG, (30, 20)),
        ("gif", GIF, (3, 4)),
        ("bmp", BMP, (5, 6)),
        ("jpeg", JPEG, (8, 9)),
        ("jpeg", JPEG[:9], (0, 0)),
        ("png", PNG[:20], (0, 0)),
    ],
)
def test_sizes_of_images(kind, content, size):
    assert image_size(kind, content) == size


LANGUAGE = """feature { name: "x" type: BYTES natural_language_domain {
  vocabulary: "words"
  coverage { excluded_string_tokens: "PAD" oov_string_tokens: "OOV" }
  token_constraints { string_value: "a" } token_constraints { int_value: 1 }
  sequence_length_constraints { excluded_string_value: "PAD" } } }"""


@pytest.mark.parametrize("compressed", [False, True])
def test_tokens(tmp_path, compressed):
    path = tmp_path / "vocab.txt"
    content = b"a\nbcd\nOOV\n"
    path.write_bytes(gzip.compress(content) if compressed else content)
    rows = [["a", "bcd", "PAD", "PAD"], ["a", "a", "OOV", "PAD"], None]
    batch = pa.record_batch({"x": lists(rows, pa.string())})
    options = {"schema": schema_of(LANGUAGE), "vocab_paths": {"words": str(path)}}
    found = statistics_pb2.NaturalLanguageStatistics()
    assert custom(compute(batch, **options), "x")["nl_statistics"].Unpack(found)
    assert found.feature_coverage == pytest.approx(4 / 5)
    assert found.avg_token_length == pytest.approx(6 / 4)
    assert (found.min_sequence_length, found.max_sequence_length) == (2, 3)
    assert ranks(found.rank_histogram) == {"a": 3, "bcd": 1}
    tokens = {t.string_token or t.int_token: t for t in found.token_statistics}
    assert tokens["a"].frequency == 3
    assert tokens["a"].fraction_of_sequences == 1
    assert (tokens["a"].per_sequence_min_frequency, tokens["a"].per_sequence_max_frequency) == (
        1,
        2,
    )
    assert tokens[1].frequency == 1
    assert tokens[1].fraction_of_sequences == 0.5
    assert sum(b.sample_count for b in tokens["a"].positions.buckets) == 3
    # By coverage, then by length of the known tokens; PAD is a known word here.
    first, second = str(rows[1]), str(rows[0])
    assert list(found.reported_sequences) == [first, second, first, second]


def test_a_vocabulary_without_a_file_is_named():
    batch = pa.record_batch({"x": [["a"]]})
    with pytest.raises(ValueError, match=r"vocabulary 'words'; vocab_paths has \[\]"):
        compute(batch, schema=schema_of(LANGUAGE))


def test_pairs_of_numbers():
    random = np.random.default_rng(0)
    x = random.normal(size=60) + 1e6
    y = 2 * x + random.normal(size=60)
    batch = pa.record_batch({"x": [[v] for v in x], "y": [[v] for v in y], "s": [["a"]] * 60})
    (cross,) = compute(batch, generators=[CrossFeatureStats()]).datasets[0].cross_features
    assert (cross.path_x.step, cross.path_y.step, cross.count) == (["x"], ["y"], 60)
    assert cross.num_cross_stats.covariance == pytest.approx(
        np.cov(x, y, bias=True)[0, 1], rel=1e-5
    )
    assert cross.num_cross_stats.correlation == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-5)


def test_pairs_need_one_number_in_each():
    batch = pa.record_batch(
        {
            "x": lists([[1.0], [2.0], [3.0, 4.0], None, [float("nan")]], pa.float64()),
            "y": lists([[1], [2], [3], [4], [5]]),
        }
    )
    pairs = [("x", "y"), ("x", "absent")]
    crosses = compute(batch, generators=[CrossFeatureStats(pairs)]).datasets[0].cross_features
    assert {cross.path_y.step[0]: cross.count for cross in crosses} == {"y": 2}


def lift_of(found, y):
    (cross,) = found.datasets[0].cross_features
    series = cross.categorical_cross_stats.lift.lift_series
    chosen = next(s for s in series if y in (s.y_string, s.y_int))
    return {value.x_string: value.lift for value in chosen.lift_values}, chosen


def test_lift():
    schema = schema_of('feature { name: "x" type: BYTES } feature { name: "y" type: BYTES }')
    batch = pa.record_batch(
        {
            "x": lists([["a"], ["a", "a"], ["b"], ["b", "c"], None], pa.string()),
            "y": lists([["t"], ["f"], ["t"], ["t"], ["t"]], pa.string()),
        }
    )
    found = compute(batch, schema=schema, label_feature="y")
    lifts, series = lift_of(found, "t")
    assert lifts == pytest.approx({"a": 0.5 / 0.8, "b": 1 / 0.8, "c": 1 / 0.8})
    assert list(lifts) == ["b", "c", "a"]
    assert series.y_count == 4
    assert lift_of(found, "f")[0] == pytest.approx({"a": 2.5, "b": 0, "c": 0})
    assert ranks(custom(found, "x")["Lift (Y=f)"]) == pytest.approx({"a": 2.5, "b": 0, "c": 0})


def test_lift_reaches_into_structs():
    docs = [[{"d": ["a", "b"]}, None, {"d": ["a"]}, {"d": ["c"]}], None, [{"d": ["a", "b"]}], []]
    marks = [[{"m": "t"}], [{"m": "f"}], [{"m": "f"}], [{"m": "f"}, {"m": None}]]
    batch = pa.record_batch({"docs": pa.array(docs), "marks": pa.array(marks)})
    schema = schema_of(
        """feature { name: "docs" type: STRUCT struct_domain { feature { name: "d" type: BYTES } } }
           feature { name: "marks" type: STRUCT struct_domain { feature { name: "m" type: BYTES } } }"""
    )
    for chosen in ({"schema": schema}, {"x_features": [("docs", "d")]}):
        found = compute(batch, generators=[LiftStats(("marks", "m"), **chosen)])
        (cross,) = found.datasets[0].cross_features
        assert list(cross.path_x.step) == ["docs", "d"]
        assert list(cross.path_y.step) == ["marks", "m"]
        lifts, series = lift_of(found, "f")
        assert lifts == pytest.approx({"a": 0.5 / 0.75, "b": 0.5 / 0.75, "c": 0})
        assert series.y_count == 3
    absent = compute(batch, generators=[LiftStats(("marks", "m"), x_features=[("docs", "no")])])
    assert not absent.datasets[0].cross_features


def test_lift_of_buckets_by_weight_and_limited():
    batch = pa.record_batch(
        {
            "x": lists([["a"], ["b"], ["c"], ["c"]], pa.string()),
            "y": lists([[0.5], [1.5], [1.5], [2.5]], pa.float64()),
            "w": lists([[1.0], [3.0], [2.0], [2.0]], pa.float64()),
        }
    )
    generator = LiftStats(
        "y",
        x_features=["x"],
        boundaries=[1.0, 2.0],
        weight_feature="w",
        top_k_per_y=1,
        bottom_k_per_y=1,
    )
    found = compute(batch, generators=[generator])
    (cross,) = found.datasets[0].cross_features
    middle = cross.categorical_cross_stats.lift.lift_series[1]
    assert (middle.y_bucket.low_value, middle.y_bucket.high_value) == (1, 2)
    assert middle.weighted_y_count == 5
    assert [(v.x_string, v.weighted_x_count) for v in middle.lift_values] == [("b", 3), ("a", 1)]
    assert middle.lift_values[0].lift == pytest.approx(8 / 5)
    with pytest.raises(TypeError, match="for floats, give boundaries"):
        compute(batch, generators=[LiftStats("y", x_features=["x"])])
    with pytest.raises(ValueError, match="needs x_features or a schema"):
        LiftStats("y")


def test_mutual_information():
    random = np.random.default_rng(1)
    label = random.integers(0, 2, 4000)
    batch = pa.record_batch(
        {
            "y": lists([[v] for v in label.tolist()]),
            "same": [[f"v{v}"] for v in label],
            "near": [[float(v)] for v in label + random.normal(size=4000) / 4],
            "noise": [[float(v)] for v in random.normal(size=4000)],
            "gone": pa.nulls(4000),
        }
    )
    options = StatsOptions(generators=[MutualInformation("y")])
    found = statistics_of_record_batches([batch], options)
    values = {
        n: custom(found, n)["adjusted_mutual_information"]
        for n in ("same", "near", "noise", "gone")
    }
    assert values["same"] == pytest.approx(1, abs=0.01)
    assert 0.6 < values["near"] < 1
    assert values["noise"] < 0.01
    assert values["gone"] == 0
    with pytest.raises(ValueError, match="label feature 'z' is not in the data"):
        statistics_of_record_batches([batch], StatsOptions(generators=[MutualInformation("z")]))


def test_slices_of_values():
    batch = pa.record_batch(
        {
            "c": lists([["ch"], ["fr"], ["ch", "fr"], None], pa.string()),
            "n": lists([[1], [2], [2], [2]]),
        }
    )
    found = compute(batch, slicing_config=[{"c": None}, {"n": [2], "c": ["ch"]}])
    assert {d.name: d.num_examples for d in found.datasets} == {
        "All Examples": 4,
        "c_ch": 2,
        "c_ch_n_2": 1,
        "c_fr": 2,
    }
    same = compute(batch, experimental_slice_functions=[get_feature_value_slicer({"c": None})])
    assert [d.name for d in same.datasets] == ["All Examples", "c_ch", "c_fr"]
    options = StatsOptions(slicing_config=[{"c": None}])
    assert StatsOptions.from_json(options.to_json()) == options
    with pytest.raises(ValueError, match="needs a feature"):
        FeatureValueSlicer({})
    with pytest.raises(TypeError, match="strings or integers"):
        list(FeatureValueSlicer({"x": None})(pa.record_batch({"x": [[1.5]]})))


class RowsWithout(CombinerStatsGenerator):
    def create_accumulator(self):
        return 0

    def add_input(self, accumulator, batch):
        return accumulator + batch.column("x").null_count

    def merge_accumulators(self, accumulators):
        return sum(accumulators)

    def extract_output(self, accumulator):
        result = statistics_pb2.DatasetFeatureStatistics()
        result.features.add(path={"step": ["x"]}).custom_stats.add(name="without", num=accumulator)
        return result


class Longest(CombinerFeatureStatsGenerator):
    def create_accumulator(self):
        return 0

    def add_input(self, accumulator, path, array):
        assert isinstance(path, tuple)
        return max([accumulator, *(len(row or ()) for row in array.to_pylist())])

    def merge_accumulators(self, accumulators):
        return max(accumulators)

    def extract_output(self, accumulator):
        result = statistics_pb2.FeatureNameStatistics()
        result.custom_stats.add(name="longest", num=accumulator)
        return result


def test_generators_of_ones_own():
    batch = pa.record_batch({"x": lists([[1, 2, 3], None, [1]])})
    found = compute(batch, generators=[RowsWithout(), Longest()])
    assert custom(found, "x") == {"without": 1, "longest": 3}
    alone = compute(batch, generators=[RowsWithout(), Longest()], add_default_generators=False)
    (feature,) = alone.datasets[0].features
    assert feature.WhichOneof("stats") is None
    assert {stat.name: stat.num for stat in feature.custom_stats} == {"without": 1, "longest": 3}
    assert not alone.datasets[0].num_examples
    with pytest.raises(ValueError, match="generators cannot be written as JSON"):
        StatsOptions(generators=[Longest()]).to_json()


def test_generators_of_features_see_the_leaves_of_structs_alone():
    batch = pa.record_batch({"s": pa.array([[{"x": [1, 2]}, {"x": None}], None])})
    found = compute(batch, generators=[Longest()]).datasets[0]
    longest = {tuple(f.path.step): [c.num for c in f.custom_stats] for f in found.features}
    assert longest == {("s",): [], ("s", "x"): [2]}


def test_domains_are_recognized_without_the_default_generators():
    batch = pa.record_batch({"t": pa.array([["2020-01-02"]] * 100)})
    found = compute(batch, add_default_generators=False, enable_semantic_domain_stats=True)
    (feature,) = found.datasets[0].features
    assert feature.WhichOneof("stats") is None
    assert custom(found, "t")["domain_info"].startswith("time_domain")


def test_sparse_features_within_structs():
    schema = text_format.Parse(
        """feature { name: "s" type: STRUCT struct_domain {
             sparse_feature { name: "sparse" value_feature { name: "v" } index_feature { name: "i" } }
           } }""",
        schema_pb2.Schema(),
    )
    cells = [[{"v": [1, 2], "i": [0]}, {"v": None, "i": [1]}], [{"v": None, "i": None}], None]
    found = compute(pa.record_batch({"s": pa.array(cells)}), schema=schema).datasets[0]
    (sparse,) = (f for f in found.features if list(f.path.step) == ["s", "sparse"])
    stats = {each.name: each for each in sparse.custom_stats}
    assert stats["missing_value"].num == 1
    least = stats["min_length_diff"].rank_histogram.buckets[0]
    assert (least.label, least.sample_count) == ("i", -1)
    assert stats["max_length_diff"].rank_histogram.buckets[0].sample_count == 1


def test_empty_values_are_counted():
    batch = pa.record_batch(
        {"n": [[-1, 2], [-1]], "s": [["", "a"], None], "l": [[[], [1]], [[]]], "f": [[0.5], [1.0]]}
    )
    options = StatsOptions(generators=[EmptyValueCounter()], add_default_generators=False)
    features = statistics_of_record_batches([batch, batch], options).datasets[0].features
    found = {f.path.step[0]: {c.name: c.num for c in f.custom_stats} for f in features}
    assert found == {"n": {"int_-1": 4}, "s": {"str_empty": 2}, "l": {"list_empty": 4}}
