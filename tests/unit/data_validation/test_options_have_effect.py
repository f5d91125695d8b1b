"""Every parameter of StatsOptions changes the statistics, or is said to be without effect."""

import inspect
import logging

import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock import data_validation as dv
from penstock.data_validation.option_checks import WITHOUT_EFFECT

ROWS = 400
BATCH = pa.record_batch(
    {
        "n": pa.array([[i % 17 + 3] for i in range(ROWS)]),
        "f": pa.array([[i * i / 7] for i in range(ROWS)]),
        "s": [[f"value {i % 50}"] for i in range(ROWS)],
        "day": [[f"2024-01-{i % 28 + 1:02}"] for i in range(ROWS)],
        "w": pa.array([[1.0 + i % 3] for i in range(ROWS)]),
        "many": [["x"] * (i % 5) for i in range(ROWS)],
    }
)
SCHEMA = text_format.Parse(
    """feature { name: "n" type: INT int_domain { is_categorical: true } }
    feature { name: "s" type: BYTES natural_language_domain { vocabulary: "words" } }
    feature { name: "day" type: BYTES }""",
    schema_pb2.Schema(),
)


class Nothing(dv.CombinerFeatureStatsGenerator):
    def create_accumulator(self):
        return 0

    def add_input(self, accumulator, path, array):
        return accumulator + len(array)

    def merge_accumulators(self, accumulators):
        return sum(accumulators)

    def extract_output(self, accumulator):
        from tensorflow_metadata.proto.v0 import statistics_pb2

        result = statistics_pb2.FeatureNameStatistics()
        result.custom_stats.add(name="rows", num=accumulator)
        return result


@pytest.fixture
def vocabulary(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("value\n1\n")
    return {"words": str(path)}


# A value, and other options that it needs.
EFFECTS = {
    "weight_feature": ("w", {}),
    "per_feature_weight_override": ({"n": "w"}, {}),
    "experimental_slice_functions": ([lambda batch: [("half", batch.slice(0, 200))]], {}),
    "slice_functions": ([lambda batch: [("half", batch.slice(0, 200))]], {}),
    "slicing_config": ([{"n": None}], {}),
    "sample_rate": (0.5, {}),
    "num_top_values": (3, {}),
    "frequency_threshold": (9, {}),
    "weighted_frequency_threshold": (17.0, {"weight_feature": "w"}),
    "num_rank_histogram_buckets": (4, {}),
    "num_values_histogram_buckets": (3, {}),
    "num_histogram_buckets": (3, {}),
    "num_quantiles_histogram_buckets": (3, {}),
    "feature_allowlist": (["n"], {}),
    "generators": ([Nothing()], {}),
    "add_default_generators": (False, {"generators": [Nothing()]}),
    "enable_semantic_domain_stats": (True, {}),
    "per_feature_stats_config": (dv.PerFeatureStatsConfig(["f"], "exclude"), {}),
}
NEED_A_SCHEMA = {"schema", "label_feature", "vocab_paths"}
# The same statistics within the error (`epsilon`), in other portions, or of CSV files only.
ELSEWHERE = {"epsilon", "desired_batch_size", "infer_type_from_schema"}
SAID = {*WITHOUT_EFFECT, "experimental_use_sketch_based_topk_uniques"}


def statistics(**options):
    return dv.statistics_of_record_batches([BATCH], dv.StatsOptions(**options))


def test_every_parameter_is_looked_at():
    parameters = set(inspect.signature(dv.StatsOptions).parameters)
    assert parameters == {*EFFECTS, *NEED_A_SCHEMA, *ELSEWHERE, *SAID}


@pytest.mark.parametrize("name", EFFECTS)
def test_it_changes_the_statistics(name, caplog):
    value, others = EFFECTS[name]
    with caplog.at_level(logging.WARNING):
        assert statistics(**others, **{name: value}) != statistics(**others)
    assert caplog.messages == []


def test_with_a_schema(vocabulary, caplog):
    with caplog.at_level(logging.WARNING):
        plain = statistics(schema=SCHEMA, vocab_paths=vocabulary)
        assert plain != statistics()
        assert plain != statistics(schema=SCHEMA, vocab_paths=vocabulary, label_feature="day")
    with pytest.raises(ValueError, match="vocabulary 'words'"):
        statistics(schema=SCHEMA)
    assert caplog.messages == []


def test_epsilon_bounds_the_error():
    batch = pa.record_batch({"f": pa.array([[i * i / 7] for i in range(30_000)])})

    def median(epsilon):
        options = dv.StatsOptions(epsilon=epsilon)
        return (
            dv.statistics_of_record_batches([batch], options)
            .datasets[0]
            .features[0]
            .num_stats.median
        )

    assert median(0.0001) == pytest.approx(15_000**2 / 7, rel=0.001)
    assert median(0.4) != median(0.0001)


def test_batches_have_the_desired_size(tmp_path, monkeypatch):
    path = tmp_path / "x.parquet"
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": list(range(10))}), path)
    sizes = []

    def names(batch):
        sizes.append(batch.num_rows)
        return []

    options = dv.StatsOptions(desired_batch_size=4, experimental_slice_functions=[names])
    dv.generate_statistics_from_parquet(str(path), stats_options=options)
    dv.generate_statistics_from_dataframe(pq.read_table(path).to_pandas(), options)
    assert sizes == [4, 4, 2] * 2


@pytest.mark.parametrize("name", sorted(SAID))
def test_what_has_no_effect_is_said(name, caplog):
    value = {"semantic_domain_stats_sample_rate": 0.5}.get(
        name, 2 if "partitions" in name else True
    )
    with caplog.at_level(logging.WARNING):
        options = dv.StatsOptions(**{name: value})
        assert caplog.messages[0].startswith(f"StatsOptions({name}={value}) has no effect: ")
        options.replaced(num_top_values=3)
        dv.StatsOptions()
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"feature_allowlist": ["n", "typo"]}, "feature_allowlist names the feature 'typo'"),
        (
            {"per_feature_weight_override": {"typo": "w"}},
            "per_feature_weight_override names the feature 'typo'",
        ),
        (
            {"per_feature_stats_config": dv.PerFeatureStatsConfig(["typo"], "include")},
            "per_feature_stats_config names",
        ),
        ({"slicing_config": [{"typo": None}]}, "slicing_config names the feature 'typo'"),
        ({"label_feature": "s"}, "label_feature='s' needs a schema"),
        ({"vocab_paths": {"other": "x"}}, "vocab_paths has the vocabulary 'other'"),
    ],
)
def test_names_that_the_data_lacks_are_said(options, message, caplog):
    with caplog.at_level(logging.WARNING):
        statistics(**options)
    assert len(caplog.messages) == 1
    assert message in caplog.messages[0]


def test_a_label_that_the_data_lacks_is_said(vocabulary, caplog):
    with caplog.at_level(logging.WARNING):
        statistics(schema=SCHEMA, vocab_paths=vocabulary, label_feature="typo")
    assert "label_feature='typo': no lift was computed" in caplog.messages[0]


def test_types_of_a_schema_are_for_files_that_have_none(tmp_path, caplog):
    import pandas as pd

    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    schema = text_format.Parse("feature { name: 'a' type: BYTES }", schema_pb2.Schema())
    options = dv.StatsOptions(schema=schema, infer_type_from_schema=True)
    with caplog.at_level(logging.WARNING):
        found = dv.generate_statistics_from_csv(str(tmp_path / "x.csv"), stats_options=options)
        (feature,) = found.datasets[0].features
        assert feature.type == feature.STRING
        assert "left out, as in TFDV: ['b']" in caplog.messages[0]
        dv.generate_statistics_from_dataframe(pd.DataFrame({"a": [1]}), options)
    assert "these columns already have types" in caplog.messages[1]
    schema.feature[0].type = schema_pb2.STRUCT
    with pytest.raises(ValueError, match="feature 'a' of the schema has the type STRUCT"):
        dv.generate_statistics_from_csv(str(tmp_path / "x.csv"), stats_options=options)


def test_two_schemas_are_one_too_many():
    other = schema_pb2.Schema()
    with pytest.raises(ValueError, match="two different ones"):
        dv.statistics_of_record_batches([BATCH], dv.StatsOptions(schema=SCHEMA), other)


def test_numbers_of_buckets_are_whole():
    with pytest.raises(TypeError, match="num_top_values must be a whole number"):
        dv.StatsOptions(num_top_values=2.5)


def test_an_instance_is_a_table():
    with pytest.raises(TypeError, match=r"must be a pyarrow Table.* Received: dict"):
        dv.validate_instance({"a": 1}, dv.StatsOptions(schema=schema_pb2.Schema()))
