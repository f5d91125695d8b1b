import pyarrow as pa
import pytest

from penstock.artifacts import Examples
from penstock.components import ExampleDiff
from penstock.components.example_diff import ExampleDiffConfig, PairedExampleSkew
from penstock.data_validation.skew.messages import message_class
from penstock.io import ExamplesWriter, read_tfrecords
from penstock.io.examples.messages import example_class
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component


def examples(folder, xs, file_format="tfrecords_gzip"):
    with ExamplesWriter(str(folder), ["all"], file_format=file_format, missing="absent") as writer:
        batch = pa.record_batch({"id": [[i] for i in range(len(xs))], "x": [[x] for x in xs]})
        writer.write("all", batch)
    artifact = Examples(str(folder), custom_properties={"file_format": file_format})
    artifact.splits = ["all"]
    return artifact


CONFIG = ExampleDiffConfig(PairedExampleSkew(["id"], skew_sample_size=5))


def read(found, name, kind):
    path = f"{found.uri}/SplitPair-all_all/{name}-00000-of-00001"
    return [message_class(kind).FromString(record) for record in read_tfrecords(path)]


@pytest.fixture
def inputs(tmp_path):
    return {
        "examples_test": examples(tmp_path / "test", [1, 2, 9]),
        "examples_base": examples(tmp_path / "base", [1, 2, 3, 4]),
        "config": CONFIG,
    }


def test_the_contract(inputs, tmp_path):
    check_component(ExampleDiff(**inputs), tmp_path / "work")


def test_what_differs_is_written(inputs, tmp_path):
    found = run_component(ExampleDiff(**inputs), tmp_path)["example_diff_result"]
    (skew,) = read(found, "skew_stats", "FeatureSkew")
    assert (skew.feature_name, skew.match_count, skew.mismatch_count) == ("x", 2, 1)
    (pair,) = read(found, "sample_pairs", "SkewPair")
    values = (example_class().FromString(example) for example in (pair.base, pair.test))
    assert [list(v.features.feature["x"].int64_list.value) for v in values] == [[3], [9]]
    (stats,) = read(found, "match_stats", "MatchStats")
    assert (stats.matching_pairs_count, stats.ids_missing_in_test_count) == (3, 1)
    assert read(found, "confusion", "ConfusionCount") == []


def test_parquet_is_compared_with_tfrecords(tmp_path):
    component = ExampleDiff(
        examples_test=examples(tmp_path / "test", [1, 2], "parquet"),
        examples_base=examples(tmp_path / "base", [1, 3]),
        config=CONFIG,
    )
    found = run_component(component, tmp_path)["example_diff_result"]
    (skew,) = read(found, "skew_stats", "FeatureSkew")
    assert (skew.match_count, skew.mismatch_count) == (1, 1)


def test_unknown_pairs_are_named(inputs, tmp_path):
    wrong = ExampleDiff(**inputs, include_split_pairs=[["train", "all"]])
    with pytest.raises(ComponentFailed, match=r"\('train', 'all'\)"):
        run_component(wrong, tmp_path)


def test_identifiers_are_needed():
    with pytest.raises(ValueError, match="needs identifier_features"):
        PairedExampleSkew([])
