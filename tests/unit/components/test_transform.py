"""Transform as a component: its outputs against TFX's, its parameters, its failures."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pyarrow as pa
import pytest

from penstock.artifacts import Examples, Schema, TransformCache
from penstock.components.transform import StatsType, Transform
from penstock.data_validation import (
    load_anomalies_binary,
    load_schema_text,
    load_stats_binary,
    write_schema_text,
)
from penstock.io import ExamplesSplit, ExamplesWriter
from penstock.testing import check_component, run_component
from penstock.transform import SplitsConfig

GOLDEN = Path(__file__).resolve().parents[2] / "golden/penguin/pipeline_root"

STATISTICS = {
    "pre_transform_schema",
    "pre_transform_stats",
    "post_transform_schema",
    "post_transform_stats",
    "post_transform_anomalies",
}

PENGUIN_MODULE = """
    import tensorflow_transform as tft

    MEASUREMENTS = ("culmen_length_mm", "culmen_depth_mm", "flipper_length_mm", "body_mass_g")

    def preprocessing_fn(inputs):
        outputs = {f"{name}_xf": tft.scale_to_z_score(inputs[name]) for name in MEASUREMENTS}
        return outputs | {"species_xf": inputs["species"]}
"""

SCALE_MODULE = """
    import tensorflow_transform as tft

    def preprocessing_fn(inputs, custom_config):
        return {custom_config["name"]: tft.scale_to_0_1(inputs["x"])}

    def stats_options_updater_fn(stats_type, stats_options):
        stats_options.num_histogram_buckets = 2 + stats_type.value
        return stats_options
"""


def module(folder: Path, text: str, name: str) -> str:
    (folder / f"{name}.py").write_text(textwrap.dedent(text))
    return f"{name}.py"


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.fixture
def numbers(tmp_path):
    from tensorflow_metadata.proto.v0 import schema_pb2

    uri = str(tmp_path / "numbers")
    with ExamplesWriter(uri, ["train", "eval"]) as writer:
        writer.write("train", pa.record_batch({"x": pa.array([1.0, 2.0, 3.0], pa.float32())}))
        writer.write("eval", pa.record_batch({"x": pa.array([5.0], pa.float32())}))
    examples = Examples(uri)
    examples.splits = ["train", "eval"]
    schema = schema_pb2.Schema()
    feature = schema.feature.add(name="x", type=schema_pb2.FLOAT)
    feature.presence.min_fraction = 1
    feature.shape.dim.add(size=1)
    write_schema_text(schema, str(tmp_path / "schema/schema.pbtxt"))
    return {"examples": examples, "schema": Schema(str(tmp_path / "schema"))}


def double(inputs):
    return {"x": inputs["x"] * 2}


@pytest.mark.tensorflow
def test_golden_penguins(project):
    examples = Examples(str(GOLDEN / "CsvExampleGen/examples/1"))
    examples.splits = ["train", "eval"]
    (schema,) = (GOLDEN / "SchemaGen/schema").iterdir()
    component = Transform(
        examples=examples,
        schema=Schema(str(schema)),
        module_file=module(project, PENGUIN_MODULE, "golden_penguin_module"),
    )
    outputs = run_component(component, project / "out", project_root=project)
    assert set(outputs) == STATISTICS | {
        "transform_graph",
        "transformed_examples",
        "updated_analyzer_cache",
    }
    assert outputs["transformed_examples"].splits == ["train", "eval"]
    golden = GOLDEN / "Transform"
    for key in ("pre_transform_schema", "post_transform_schema"):
        ours = load_schema_text(f"{outputs[key].uri}/schema.pbtxt")
        assert ours == load_schema_text(str(golden / key / "6/schema.pbtxt"))
    anomalies = load_anomalies_binary(f"{outputs['post_transform_anomalies'].uri}/SchemaDiff.pb")
    theirs = load_anomalies_binary(str(golden / "post_transform_anomalies/6/SchemaDiff.pb"))
    assert anomalies.baseline == theirs.baseline
    assert dict(anomalies.anomaly_info) == dict(theirs.anomaly_info) == {}
    for key, rows in (("pre_transform_stats", 234), ("post_transform_stats", 334)):
        (ours,) = load_stats_binary(f"{outputs[key].uri}/FeatureStats.pb").datasets
        (theirs,) = load_stats_binary(str(golden / key / "6/FeatureStats.pb")).datasets
        assert ours.num_examples == theirs.num_examples == rows
        mine = {feature.path.step[0]: feature for feature in ours.features}
        assert set(mine) == {feature.path.step[0] for feature in theirs.features}
        for feature in theirs.features:
            found = mine[feature.path.step[0]]
            assert found.type == feature.type
            for field in ("mean", "std_dev", "min", "max", "median"):
                expected = getattr(feature.num_stats, field)
                assert getattr(found.num_stats, field) == pytest.approx(expected, abs=2e-6)


@pytest.mark.tensorflow
def test_examples_may_be_stored_as_parquet(project, numbers):
    component = Transform(
        **numbers,
        module_file=module(project, SCALE_MODULE, "parquet_module"),
        custom_config={"name": "scaled"},
        output_file_format="parquet",
        disable_statistics=True,
    )
    outputs = run_component(component, project / "out", project_root=project)
    examples = outputs["transformed_examples"]
    assert examples.file_format == "parquet"
    (batch,) = ExamplesSplit.of(examples, "train").batches()
    assert batch.column("scaled").to_pylist() == [[0.0], [0.5], [1.0]]


def test_a_file_format_without_effect_or_meaning_is_refused(numbers):
    given = {**numbers, "preprocessing_fn": double}
    with pytest.raises(ValueError, match=r"'parquet'\]. Received: 'csv'"):
        Transform(**given, output_file_format="csv")
    with pytest.raises(ValueError, match="has no effect with materialize=False"):
        Transform(**given, output_file_format="parquet", materialize=False)


@pytest.mark.tensorflow
def test_contract(project, numbers):
    component = Transform(
        **numbers,
        module_file=module(project, SCALE_MODULE, "contract_module"),
        custom_config={"name": "scaled"},
    )
    check_component(component, project / "contract", project_root=project)


@pytest.mark.tensorflow
def test_module_with_config_and_statistics_options(project, numbers):
    component = Transform(
        **numbers,
        module_file=module(project, SCALE_MODULE, "scale_module"),
        custom_config={"name": "scaled"},
    )
    outputs = run_component(component, project / "out", project_root=project)
    buckets = {}
    for key in ("pre_transform_stats", "post_transform_stats"):
        (data,) = load_stats_binary(f"{outputs[key].uri}/FeatureStats.pb").datasets
        (feature,) = data.features
        buckets[feature.path.step[0]] = len(feature.num_stats.histograms[0].buckets)
    assert buckets == {
        "x": 2 + StatsType.PRE_TRANSFORM.value,
        "scaled": 2 + StatsType.POST_TRANSFORM.value,
    }


@pytest.mark.tensorflow
def test_optional_outputs_are_absent(project, numbers):
    component = Transform(
        **numbers,
        preprocessing_fn=double,
        splits_config=SplitsConfig(analyze=["eval"], transform=["train"]),
        disable_statistics=True,
        disable_analyzer_cache=True,
    )
    assert set(component.outputs) == {"transform_graph", "transformed_examples"}
    outputs = run_component(component, project / "out", project_root=project)
    assert outputs["transformed_examples"].splits == ["train"]

    bare = Transform(**numbers, preprocessing_fn=double, materialize=False)
    assert set(bare.outputs) == STATISTICS | {"transform_graph", "updated_analyzer_cache"}
    outputs = run_component(bare, project / "bare", project_root=project)
    (data,) = load_stats_binary(f"{outputs['post_transform_stats'].uri}/FeatureStats.pb").datasets
    assert data.num_examples == 4


@pytest.mark.tensorflow
def test_cache_of_one_run_serves_the_next(project, numbers):
    arguments = numbers | {"module_file": module(project, SCALE_MODULE, "cached_module")}
    arguments |= {"custom_config": {"name": "scaled"}}
    first = run_component(Transform(**arguments), project / "one", project_root=project)
    cache = TransformCache(first["updated_analyzer_cache"].uri)
    again = run_component(
        Transform(**arguments, analyzer_cache=cache), project / "two", project_root=project
    )
    for key, artifact in first.items():
        assert artifact.fingerprint == again[key].fingerprint, key


@pytest.mark.tensorflow
def test_failure_shows_the_users_line_and_the_features(project, numbers):
    text = "def preprocessing_fn(inputs):\n    return {'y': inputs['xx']}\n"
    component = Transform(**numbers, module_file=module(project, text, "broken_module"))
    with pytest.raises(AssertionError) as failure:
        run_component(component, project / "out", project_root=project)
    message = str(failure.value)
    assert "return {'y': inputs['xx']}" in message
    assert "Did you mean 'x'?" in message
    assert "x: Tensor float32 (None, 1)" in message


@pytest.mark.tensorflow
def test_module_without_the_function(project, numbers):
    component = Transform(**numbers, module_file=module(project, "x = 1", "empty_module"))
    with pytest.raises(AssertionError, match=r"empty_module.py defines no preprocessing_fn"):
        run_component(component, project / "out", project_root=project)


@pytest.mark.tensorflow
def test_unknown_split(project, numbers):
    component = Transform(
        **numbers, preprocessing_fn=double, splits_config=SplitsConfig(["train"], ["test"])
    )
    with pytest.raises(
        AssertionError, match=r"have no split \['test'\]; they have \['train', 'eval"
    ):
        run_component(component, project / "out", project_root=project)


def test_exactly_one_source_of_user_code(numbers):
    with pytest.raises(ValueError, match="exactly one of module_file and preprocessing_fn"):
        Transform(**numbers)
    with pytest.raises(ValueError, match="exactly one of module_file and preprocessing_fn"):
        Transform(**numbers, module_file="module.py", preprocessing_fn=double)


def test_updater_belongs_into_the_module_file(numbers):
    with pytest.raises(ValueError, match="define stats_options_updater_fn in that file"):
        Transform(**numbers, module_file="module.py", stats_options_updater_fn=double)


def test_cache_that_is_given_and_disabled(numbers):
    with pytest.raises(ValueError, match="disable_analyzer_cache=True. Leave one of them out"):
        Transform(
            **numbers,
            preprocessing_fn=double,
            analyzer_cache=TransformCache("cache"),
            disable_analyzer_cache=True,
        )


def test_splits_config_is_checked():
    with pytest.raises(ValueError, match="at least one split to analyze"):
        SplitsConfig(analyze=[])
    with pytest.raises(TypeError, match="lists of split names"):
        SplitsConfig(analyze="train")
