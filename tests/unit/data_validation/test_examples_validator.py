import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.data_validation import (
    StatsOptions,
    identify_anomalous_examples,
    load_stats_binary,
    validate_examples_in_csv,
    validate_examples_in_tfrecord,
    validate_instance,
)
from penstock.io import ExamplesWriter

SCHEMA = """
    feature { name: "age" type: INT int_domain { min: 0 max: 120 } presence { min_count: 1 } }
    feature {
      name: "city" type: BYTES string_domain { value: "Bern" value: "Oslo" }
      presence { min_fraction: 0.5 }
    }
"""


def options(text=SCHEMA, **others):
    return StatsOptions(schema=text_format.Parse(text, schema_pb2.Schema()), **others)


def batch(ages, cities):
    return pa.record_batch(
        {
            "age": pa.array([None if a is None else [a] for a in ages], pa.list_(pa.int64())),
            "city": pa.array([None if c is None else [c] for c in cities], pa.list_(pa.string())),
        }
    )


def test_an_instance_is_checked_without_what_holds_of_data_sets():
    found = validate_instance(batch([130], ["Bern"]), options())
    assert found.anomaly_info["age"].short_description == "Out-of-range values"
    low_presence = batch([1, 2, 3], [None, None, "Bern"])
    assert not validate_instance(low_presence, options()).anomaly_info
    both = validate_instance(batch([1, 2, 3], [None, None, "Rom"]), options())
    (reason,) = both.anomaly_info["city"].reason
    assert both.anomaly_info["city"].short_description == "Unexpected string values"
    assert both.anomaly_info["city"].description == reason.description


def test_tables_are_instances_too():
    table = pa.Table.from_batches([batch([1], ["Bern"]), batch([-1], ["Bern"])])
    assert list(validate_instance(table, options()).anomaly_info) == ["age"]


def test_options_must_have_a_schema():
    with pytest.raises(ValueError, match="Received: schema=None"):
        validate_instance(batch([1], ["Bern"]), StatsOptions())
    with pytest.raises(ValueError, match="must be a StatsOptions object. Received: str"):
        validate_instance(batch([1], ["Bern"]), "schema.pbtxt")


def test_anomalous_rows_are_found_one_by_one():
    ages = [20] * 100
    ages[17], ages[60], ages[61] = -1, 130, None
    cities = ["Bern"] * 100
    cities[60] = "Rom"
    found = identify_anomalous_examples([batch(ages, cities)], options(), 5)
    rows = {dataset.name: dataset.num_examples for dataset in found.statistics.datasets}
    assert rows == {
        "age_INT_TYPE_BIG_INT": 1,
        "age_INT_TYPE_SMALL_INT": 1,
        "age_SCHEMA_MISSING_COLUMN": 1,
        "city_ENUM_TYPE_UNEXPECTED_STRING_VALUES": 1,
    }
    (row,) = found.samples["city_ENUM_TYPE_UNEXPECTED_STRING_VALUES"]
    assert row.to_pylist() == [{"age": [130], "city": ["Rom"]}]


def test_fractions_are_limits_of_each_row():
    text = """feature { name: "city" type: BYTES string_domain { value: "Bern" }
              distribution_constraints { min_domain_mass: 0.5 } }
              feature { name: "age" type: INT }"""
    rows = batch([1] * 4, ["Bern", "Bern", "Bern", "Rom"])
    assert not validate_instance(rows, options(text)).anomaly_info
    found = identify_anomalous_examples([rows], options(text), 1)
    assert [
        row.to_pylist() for row in found.samples["city_ENUM_TYPE_UNEXPECTED_STRING_VALUES"]
    ] == [[{"age": [1], "city": ["Rom"]}]]


def test_tfrecords_and_csv(tmp_path):
    rows = batch([1, -1, None], ["Bern", "Oslo", "Oslo"])
    with ExamplesWriter(str(tmp_path), ["a"], missing="absent") as writer:
        writer.write("a", rows)
    output = str(tmp_path / "out" / "stats.pb")
    shards = str(tmp_path / "Split-a/*")
    found = validate_examples_in_tfrecord(shards, options(), output)
    assert load_stats_binary(output) == found
    reasons = ["age_INT_TYPE_SMALL_INT", "age_SCHEMA_MISSING_COLUMN"]
    assert [d.name for d in found.datasets] == reasons
    again, samples = validate_examples_in_tfrecord(shards, options(), num_sampled_examples=2)
    assert again == found
    assert list(samples) == reasons
    (example,) = samples["age_INT_TYPE_SMALL_INT"]
    assert list(example.features.feature["age"].int64_list.value) == [-1]
    csv = tmp_path / "data.csv"
    csv.write_text("age,city\n1,Bern\n-1,Oslo\n,Oslo\n")
    _, samples = validate_examples_in_csv(str(csv), options(), num_sampled_examples=1)
    assert list(samples) == ["age_INT_TYPE_SMALL_INT"]
    assert samples["age_INT_TYPE_SMALL_INT"].to_dict("list") == {"age": [-1], "city": [b"Oslo"]}
    csv.write_text("1,Bern\n")
    found = validate_examples_in_csv(str(csv), options(), column_names=["age", "city"])
    assert not found.datasets


def test_a_pipeline_is_refused_in_words():
    with pytest.raises(ValueError, match="map validate_instance over RecordBatches of one row"):
        validate_examples_in_tfrecord("x", options(), pipeline_options="--runner=DataflowRunner")
