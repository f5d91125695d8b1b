"""Our statistics, schema and anomalies against what TFX 1.21 wrote for the same examples."""

from pathlib import Path

import pytest

from penstock.data_validation import (
    infer_schema,
    load_anomalies_binary,
    load_schema_text,
    load_stats_binary,
    statistics_of_record_batches,
    update_schema,
    validate_statistics,
    write_schema_text,
)
from penstock.io import read_record_batches, split_files

GOLDEN = Path(__file__).resolve().parents[2] / "golden/penguin/pipeline_root"
SPLITS = ("train", "eval")


def examples(folder, *splits):
    files = [file for split in splits for file in split_files(str(GOLDEN / folder), split)]
    return read_record_batches(files)


def stats(path):
    return load_stats_binary(str(GOLDEN / path / "FeatureStats.pb"))


@pytest.mark.parametrize("split", SPLITS)
def test_statistics_are_equal_to_the_last_bit(split):
    ours = statistics_of_record_batches(examples("CsvExampleGen/examples/1", split))
    assert ours == stats(f"StatisticsGen/statistics/3/Split-{split}")


@pytest.mark.parametrize(
    ("folder", "splits", "statistics"),
    [
        ("CsvExampleGen/examples/1", ["train"], "Transform/pre_transform_stats/6"),
        ("Transform/transformed_examples/6", SPLITS, "Transform/post_transform_stats/6"),
    ],
)
def test_transforms_statistics_are_equal(folder, splits, statistics):
    assert statistics_of_record_batches(examples(folder, *splits)) == stats(statistics)


def test_the_schema_is_equal_as_text(tmp_path):
    schema = infer_schema(stats("StatisticsGen/statistics/3/Split-train"))
    schema = update_schema(schema, stats("StatisticsGen/statistics/3/Split-eval"))
    write_schema_text(schema, str(tmp_path / "schema.pbtxt"))
    golden = GOLDEN / "SchemaGen/schema/4/schema.pbtxt"
    assert (tmp_path / "schema.pbtxt").read_text() == golden.read_text()


@pytest.mark.parametrize("split", SPLITS)
def test_anomalies_are_equal(split):
    schema = load_schema_text(str(GOLDEN / "SchemaGen/schema/4/schema.pbtxt"))
    found = validate_statistics(stats(f"StatisticsGen/statistics/3/Split-{split}"), schema)
    path = GOLDEN / f"ExampleValidator/anomalies/5/Split-{split}/SchemaDiff.pb"
    assert found == load_anomalies_binary(str(path))


def test_transforms_anomalies_are_equal():
    schema = load_schema_text(str(GOLDEN / "Transform/post_transform_schema/6/schema.pbtxt"))
    found = validate_statistics(stats("Transform/post_transform_stats/6"), schema)
    path = GOLDEN / "Transform/post_transform_anomalies/6/SchemaDiff.pb"
    assert found == load_anomalies_binary(str(path))
