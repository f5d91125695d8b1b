from pathlib import Path

import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.artifacts import Examples, Schema
from penstock.components import StatisticsGen
from penstock.data_validation import StatsOptions, load_stats_binary, write_schema_text
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component

GOLDEN = Path(__file__).resolve().parents[2] / "golden/penguin/pipeline_root"


@pytest.fixture
def examples():
    artifact = Examples(
        str(GOLDEN / "CsvExampleGen/examples/1"),
        custom_properties={
            "file_format": "tfrecords_gzip",
            "payload_format": "FORMAT_TF_EXAMPLE",
            "span": 3,
        },
    )
    artifact.splits = ["train", "eval"]
    return artifact


def statistics_of(artifact, split):
    return load_stats_binary(f"{artifact.split_uri(split)}/FeatureStats.pb")


def test_the_contract(examples, tmp_path):
    check_component(StatisticsGen(examples=examples), tmp_path)


def test_every_split_has_the_statistics_of_tfx(examples, tmp_path):
    found = run_component(StatisticsGen(examples=examples), tmp_path)["statistics"]
    assert found.splits == ["train", "eval"]
    assert found.properties["span"] == 3
    assert found.custom_properties["sample_rate_by_split"] == '{"train": 1.0, "eval": 1.0}'
    for split in found.splits:
        golden = GOLDEN / f"StatisticsGen/statistics/3/Split-{split}/FeatureStats.pb"
        assert statistics_of(found, split) == load_stats_binary(str(golden))


def test_options_schema_and_excluded_splits(examples, tmp_path):
    schema = schema_pb2.Schema()
    feature = schema.feature.add(name="species", type=schema_pb2.INT)
    feature.int_domain.is_categorical = True
    write_schema_text(schema, str(tmp_path / "schema/schema.pbtxt"))
    component = StatisticsGen(
        examples=examples,
        schema=Schema(str(tmp_path / "schema")),
        stats_options=StatsOptions(feature_allowlist=["species"], num_top_values=2),
        exclude_splits=["eval"],
    )
    found = run_component(component, tmp_path)["statistics"]
    assert found.splits == ["train"]
    (species,) = statistics_of(found, "train").datasets[0].features
    assert len(species.string_stats.top_values) == 2


def test_an_unknown_split_is_named(examples, tmp_path):
    component = StatisticsGen(examples=examples, exclude_splits=["test"])
    with pytest.raises(ComponentFailed, match=r"names \['test'\].*Splits: \['train', 'eval'\]"):
        run_component(component, tmp_path)
    component = StatisticsGen(examples=examples, exclude_splits=["train", "eval"])
    with pytest.raises(ComponentFailed, match="No split of Examples"):
        run_component(component, tmp_path)


def test_two_schemas_are_refused(examples):
    options = StatsOptions(schema=schema_pb2.Schema())
    with pytest.raises(ValueError, match="Received: both"):
        StatisticsGen(examples=examples, schema=Schema("x"), stats_options=options)
    with pytest.raises(ValueError, match="experimental_slice_functions"):
        code = StatsOptions(experimental_slice_functions=[lambda batch: []])
        StatisticsGen(examples=examples, stats_options=code)
