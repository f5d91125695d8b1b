import pyarrow as pa
import pytest

from penstock.artifacts import ExampleStatistics
from penstock.components import ImportSchemaGen, SchemaGen
from penstock.data_validation import (
    load_schema_text,
    statistics_of_record_batches,
    write_schema_text,
    write_stats_binary,
)
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component


@pytest.fixture
def statistics(tmp_path):
    artifact = ExampleStatistics(str(tmp_path / "statistics"))
    artifact.splits = ["train", "eval"]
    for split, values in (("train", ["a", "b"]), ("eval", ["c", "b"])):
        batch = pa.record_batch({"s": [[value] for value in values], "n": [[5], [6]]})
        stats = statistics_of_record_batches([batch])
        write_stats_binary(stats, f"{artifact.split_uri(split)}/FeatureStats.pb")
    return artifact


def schema_of(component, root):
    return load_schema_text(run_component(component, root)["schema"].uri + "/schema.pbtxt")


def test_the_contract(statistics, tmp_path):
    outputs = check_component(SchemaGen(statistics=statistics), tmp_path / "one")
    schema_file = outputs["schema"].uri + "/schema.pbtxt"
    check_component(ImportSchemaGen(schema_file=schema_file), tmp_path / "two")


def test_the_schema_accepts_every_split(statistics, tmp_path):
    schema = schema_of(SchemaGen(statistics=statistics), tmp_path)
    assert [feature.name for feature in schema.feature] == ["n", "s"]
    assert list(schema.string_domain[0].value) == ["a", "b", "c"]
    assert schema.feature[0].HasField("shape")


def test_splits_are_excluded_and_shapes_left_out(statistics, tmp_path):
    component = SchemaGen(statistics=statistics, infer_feature_shape=False, exclude_splits=["eval"])
    schema = schema_of(component, tmp_path)
    assert list(schema.string_domain[0].value) == ["a", "b"]
    assert schema.feature[0].value_count.max == 1


def test_a_schema_is_imported(statistics, tmp_path):
    schema = schema_of(SchemaGen(statistics=statistics), tmp_path / "first")
    write_schema_text(schema, str(tmp_path / "mine.pbtxt"))
    component = ImportSchemaGen(schema_file="mine.pbtxt")
    outputs = run_component(component, tmp_path / "second", project_root=tmp_path)
    assert load_schema_text(outputs["schema"].uri + "/schema.pbtxt") == schema


def test_a_faulty_schema_file_is_named(tmp_path):
    (tmp_path / "mine.pbtxt").write_text("feature: 7")
    with pytest.raises(ComponentFailed, match=r"mine\.pbtxt: not a Schema text proto"):
        run_component(ImportSchemaGen(schema_file=str(tmp_path / "mine.pbtxt")), tmp_path / "root")
