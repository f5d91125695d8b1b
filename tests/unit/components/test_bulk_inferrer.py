import json

import pytest

from penstock.artifacts import Examples, Model, ModelBlessing
from penstock.bulk_inference import (
    DataSpec,
    ModelSpec,
    OutputColumnsSpec,
    OutputExampleSpec,
    PredictOutput,
    PredictOutputCol,
)
from penstock.components import BulkInferrer
from penstock.io import ExamplesSplit, ExamplesWriter
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component

TWICE = OutputExampleSpec(
    [OutputColumnsSpec(predict_output=PredictOutput([PredictOutputCol("twice", "prediction")]))]
)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    import tensorflow as tf

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples):
        row = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], tf.float32)})
        return {"twice": 2 * row["x"]}

    root = tmp_path_factory.mktemp("model")
    tf.saved_model.save(module, str(root / "Format-Serving"), {"serving_default": serve})
    return Model(str(root))


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> Examples:
    import pyarrow as pa

    root = tmp_path_factory.mktemp("examples")
    found = Examples(str(root), custom_properties={"span": 3})
    found.splits = ["train", "eval"]
    with ExamplesWriter(str(root), found.splits) as writer:
        for split, rows in (("train", 5), ("eval", 2)):
            writer.write(
                split, pa.record_batch({"x": pa.array(map(float, range(rows)), pa.float32())})
            )
    return found


def blessing(folder, blessed, reasons=()):
    folder.mkdir()
    (folder / ("BLESSED" if blessed else "NOT_BLESSED")).touch()
    return ModelBlessing(str(folder), custom_properties={"reasons": list(reasons)})


@pytest.mark.tensorflow
def test_the_contract(examples, model, tmp_path):
    component = BulkInferrer(examples=examples, model=model, output_example_spec=TWICE)
    found = check_component(component, tmp_path)["output_examples"]
    assert found.splits == ["train", "eval"]
    assert found.properties["span"] == 3
    values = [
        v
        for batch in ExamplesSplit.of(found, "train").batches()
        for v in batch["prediction"].to_pylist()
    ]
    assert values == [[0.0], [2.0], [4.0], [6.0], [8.0]]


@pytest.mark.tensorflow
def test_some_splits_of_several_artifacts(examples, model, tmp_path):
    component = BulkInferrer(
        examples=[examples, examples],
        model=model,
        model_blessing=blessing(tmp_path / "blessing", True),
        data_spec=DataSpec(["eval"]),
        output_example_spec=TWICE,
        output_file_format="parquet",
    )
    found = run_component(component, tmp_path)["output_examples"]
    assert found.file_format == "parquet"
    assert ExamplesSplit.of(found, "eval").row_count == 4
    assert sum(batch.num_rows for batch in ExamplesSplit.of(found, "eval").batches()) == 4


def test_one_of_two_outputs(examples, model):
    assert list(BulkInferrer(examples=examples, model=model).outputs) == ["inference_result"]
    asked = BulkInferrer(examples=examples, model=model, output_example_spec=TWICE)
    assert list(asked.outputs) == ["output_examples"]


@pytest.mark.parametrize("spec", [None, TWICE], ids=["logs", "examples"])
def test_a_model_that_is_not_blessed(examples, model, tmp_path, spec):
    component = BulkInferrer(
        examples=examples,
        model=model,
        model_blessing=blessing(tmp_path / "blessing", False, ["AUC 0.4 < 0.5"]),
        output_example_spec=spec,
    )
    (found,) = run_component(component, tmp_path).values()
    because = found.custom_properties["not_inferred_because"]
    assert because == "The model is not blessed: AUC 0.4 < 0.5"
    if spec is not None:
        assert json.loads(found.properties["split_names"]) == []


@pytest.mark.tensorflow
def test_a_split_that_does_not_exist(examples, model, tmp_path):
    component = BulkInferrer(examples=examples, model=model, data_spec=DataSpec(["evl"]))
    with pytest.raises(ComponentFailed, match="have no split 'evl'. Did you mean 'eval'?"):
        run_component(component, tmp_path)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"output_file_format": "parquet"}, "has no effect without output_example_spec"),
        ({"output_file_format": "csv"}, "must be one of"),
        ({"batch_size": 0}, "batch_size must be 1 or more. Received: 0"),
        ({"batch_bytes": -1}, "batch_bytes must be 1 or more. Received: -1"),
        (
            {"model_spec": ModelSpec(["a", "b"]), "output_example_spec": TWICE},
            "is for the signature 'serving_default', which is not called. Called: a, b",
        ),
    ],
)
def test_what_is_wrong_is_named_at_the_definition(examples, model, parameters, message):
    with pytest.raises(ValueError, match=message):
        BulkInferrer(examples=examples, model=model, **parameters)
