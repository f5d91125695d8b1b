"""What cannot be evaluated is named before the first batch.

Each with what there is instead. `predicted` counts the calls of the models, to see that none was asked.
"""

from pathlib import Path

import pyarrow as pa
import pytest

from penstock.artifacts import Examples, Model
from penstock.components import Evaluator
from penstock.evaluation import evaluate
from penstock.evaluation.models.signature_model import SignatureModel
from penstock.evaluation.worst_rows import WorstRowsRequest
from penstock.io import ExamplesWriter, split_files
from penstock.testing import ComponentFailed, run_component

ACCURACY = {"class_name": "SparseCategoricalAccuracy"}


@pytest.fixture
def predicted(monkeypatch):
    """The signatures that were called."""
    called = []
    call = SignatureModel.call

    def counted(self, name, *arguments, **more):
        called.append(name)
        return call(self, name, *arguments, **more)

    monkeypatch.setattr(SignatureModel, "call", counted)
    return called


@pytest.fixture(scope="module")
def other_model(tmp_path_factory):
    """Returns four scores, as `scores`, or under another name."""
    import tensorflow as tf

    def make(**outputs: int) -> str:
        spec = {"x": tf.io.FixedLenFeature([1], tf.float32)}

        def serve(examples):
            x = tf.io.parse_example(examples, spec)["x"]
            return {name: tf.nn.softmax(tf.tile(x, [1, n])) for name, n in outputs.items()}

        signature = [tf.TensorSpec([None], tf.string, name="examples")]
        path = tmp_path_factory.mktemp("other") / "_".join(outputs)
        function = tf.function(serve, signature).get_concrete_function()
        tf.saved_model.save(tf.Module(), str(path), {"serving_default": function})
        return str(path)

    return make


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"model_specs": [{"label_key": "lable", "prediction_key": "probabilities"}]},
            "The label 'lable' is not a feature of the examples. Did you mean 'label'?",
        ),
        (
            {"slicing_specs": [{"feature_keys": ["sizes"]}]},
            "The slicing feature 'sizes' is not a feature of the examples. Did you mean 'size'?",
        ),
        (
            {"slicing_specs": [{"feature_values": {"knd": "k1"}}]},
            "The slicing feature 'knd' is not a feature of the examples. Did you mean 'kind'?",
        ),
        (
            {"model_specs": [{"label_key": "label", "prediction_key": "probabilities",
                              "example_weight_key": "wieght"}]},
            "The example weight 'wieght' is not a feature of the examples. Did you mean 'weight'?",
        ),
        (
            {"model_specs": [{"label_key": "label", "signature_name": "serving_defualt"}]},
            "has no signature 'serving_defualt', which its ModelSpec names. "
            "Did you mean 'serving_default'? Signatures: serving_default, transform_features",
        ),
        (
            {"model_specs": [{"label_key": "label", "prediction_key": "probability"}]},
            "returns no 'probability'. Did you mean 'probabilities'? "
            "It returns: positive, probabilities, value",
        ),
        (
            {"model_specs": [{"label_key": "label"}],
             "metrics_specs": [{"metrics": [ACCURACY], "output_names": ["positve"]}]},
            "returns no 'positve'. Did you mean 'positive'?",
        ),
    ],
)  # fmt: skip
def test_it_is_named_before_any_model_is_asked(files, model, by_class, predicted, change, message):
    with pytest.raises(ValueError, match=".") as told:
        evaluate(files, model=model, eval_config={**by_class(ACCURACY), **change})
    assert message in str(told.value)
    assert predicted == []


@pytest.mark.tensorflow
def test_an_id_that_is_no_feature_is_named_before_any_model_is_asked(
    files, model, by_class, predicted
):
    request = WorstRowsRequest(3, "idd")
    with pytest.raises(ValueError, match="The id_key 'idd' is not a feature of the examples"):
        evaluate(files, model=model, eval_config=by_class(ACCURACY), worst_rows=request)
    assert predicted == []


@pytest.mark.tensorflow
def test_a_baseline_with_other_outputs_is_named_before_any_model_is_asked(
    files, model, by_class, other_model, predicted
):
    config = by_class(ACCURACY)
    renamed = other_model(probabilties=3, value=1)
    with pytest.raises(ValueError, match=".") as told:
        evaluate(files, model=model, baseline=renamed, eval_config=config)
    assert str(told.value) == (
        f"The baseline at {renamed}: The model's signature returns no 'probabilities'. "
        "Did you mean 'probabilties'? It returns: probabilties, value"
    )
    larger = other_model(probabilities=4)
    with pytest.raises(ValueError, match=".") as told:
        evaluate(files, model=model, baseline=larger, eval_config=config)
    assert f"The model at {model} returns 3 values" in str(told.value)
    assert f"the baseline at {larger} 4 in" in str(told.value)
    assert predicted == []


@pytest.mark.tensorflow
def test_a_feature_that_is_rare_is_found_in_later_blocks(model, by_class, tmp_path):
    with ExamplesWriter(str(tmp_path), ["eval"]) as writer:
        for part in range(3):
            columns = {
                "x": pa.array([[0.5]] * 4, pa.large_list(pa.float32())),
                "label": pa.array([[1]] * 4, pa.large_list(pa.int64())),
            }
            if part == 2:
                columns["rare"] = pa.array([[7]] * 4, pa.large_list(pa.int64()))
            writer.write("eval", pa.RecordBatch.from_arrays(list(columns.values()), list(columns)))
    config = by_class(ACCURACY, slicing_specs=[{}, {"feature_keys": ["rare"]}])
    found = evaluate(
        split_files(str(tmp_path), "eval"), model=model, eval_config=config, batch_size=2
    )
    assert [each.key for each in found.slices] == [(), (("rare", 7),)]


@pytest.mark.tensorflow
def test_no_examples_are_still_said_to_be_none(model, by_class, tmp_path):
    with ExamplesWriter(str(tmp_path), ["eval"]):
        pass
    with pytest.raises(ValueError, match="There is nothing to evaluate: no examples"):
        evaluate(split_files(str(tmp_path), "eval"), model=model, eval_config=by_class(ACCURACY))


@pytest.mark.tensorflow
def test_a_component_fails_with_the_sentence(files, model, by_class, tmp_path):
    examples = Examples(str(Path(files[0]).parents[1]))
    examples.splits = ["eval"]
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "Format-Serving").symlink_to(model)
    config = by_class(ACCURACY, slicing_specs=[{"feature_keys": ["knd"]}])
    evaluator = Evaluator(examples=examples, model=Model(str(folder)), eval_config=config)
    with pytest.raises(ComponentFailed, match="'knd' is not a feature .* Did you mean 'kind'"):
        run_component(evaluator, tmp_path / "out")
