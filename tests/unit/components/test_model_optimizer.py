"""Models made smaller: what each technique does to a small model, and what is refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from penstock.artifacts import Examples, Model
from penstock.cards.artifact_pages.page import artifact_page
from penstock.components import ModelOptimizer
from penstock.io import ExamplesWriter
from penstock.model_optimization import Distillation, Pruning, Quantization
from penstock.testing import ComponentFailed, run_component

pytestmark = pytest.mark.tensorflow

MODULE = '''
import keras

from penstock.training import export_model
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

SCHEMA = """
feature { name: "x" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 4 } } }
feature { name: "label" type: INT presence { min_fraction: 1 } shape { dim { size: 1 } } }
"""


def build(units):
    x = keras.Input((4,), name="x")
    hidden = keras.layers.Dense(units, activation="relu", name="wide")(x)
    hidden = keras.layers.Dense(units, activation="relu", name="deep")(hidden)
    return keras.Model(x, keras.layers.Dense(3, activation="softmax", name="scores")(hidden))


def export_fn(model, serving_model_dir, transform_graph_path):
    assert transform_graph_path is None
    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    export_model(model, serving_model_dir, schema=schema, label_key="label")


def student_fn(teacher):
    return build(8)


def other_shape(teacher):
    x = keras.Input((4,), name="x")
    return keras.Model(x, keras.layers.Dense(2, activation="softmax")(x))
'''


def rows(count, seed):
    """Which of three numbers is the largest, of four; the last one says nothing."""
    x = np.random.default_rng(seed).normal(size=(count, 4)).astype("float32")
    return x, np.argmax(x[:, :3], axis=1)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The module, a trained model of it, and examples."""
    import keras

    root = tmp_path_factory.mktemp("optimizer")
    (root / "widened.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root)
        import widened

        keras.utils.set_random_seed(3)
        model = widened.build(80)
        model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
        x, label = rows(768, 1)
        model.fit(x, label, epochs=4, batch_size=64, verbose=0)
        widened.export_fn(model, f"{root}/model/Format-Serving", None)
        examples = Examples(str(root / "examples"))
        with ExamplesWriter(examples.uri, ["train", "eval"]) as writer:
            for split, (x, label) in {"train": rows(768, 1), "eval": rows(300, 2)}.items():
                columns = {
                    "x": pa.array(list(x), pa.large_list(pa.float32())),
                    "label": pa.array([[each] for each in label], pa.large_list(pa.int64())),
                }
                writer.write(
                    split, pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
                )
        examples.splits = ["train", "eval"]
        yield root, Model(str(root / "model"), id=3), examples


def optimizer(project, technique, **options):
    _, model, examples = project
    if not isinstance(technique, Quantization):
        options.setdefault("module_file", "widened.py")
    return ModelOptimizer(
        model=model,
        examples=examples,
        label_key="label",
        metric="accuracy",
        technique=technique,
        requests=20,
        **options,
    )


def run(project, technique, folder, **options):
    return run_component(optimizer(project, technique, **options), folder, project_root=project[0])


RATIOS = {"float16": 0.75, "dynamic_range": 0.75, "int8": 0.75, "int16x8": 0.75}


@pytest.mark.parametrize("mode", RATIOS)
def test_quantized_in_each_mode(project, tmp_path, mode):
    found = run(
        project, Quantization(mode), tmp_path, max_size_ratio=RATIOS[mode], max_metric_loss=0.02
    )
    report = found["report"].value
    assert report["ok"], report["judged"]
    assert report["original"]["metric"] > 0.9
    model = found["optimized_model"]
    assert set(model.forms) == {"Format-TFLite"}
    from penstock.evaluation.models.lite_model import tflite_interpreter

    runner = tflite_interpreter(
        f"{model.uri}/Format-TFLite/model_{mode}.tflite"
    ).get_signature_runner()
    x, label = rows(300, 2)
    (scores,) = runner(x=x).values()
    assert np.mean(np.argmax(scores, axis=1) == label) == pytest.approx(
        report["optimized"]["metric"]
    )
    assert found["blessing"].blessed


def test_pruned_and_trained_on(project, tmp_path):
    import keras

    technique = Pruning(sparsity=0.8, layer_sparsity={"scores": 0.0}, epochs=3, learning_rate=0.003)
    found = run(project, technique, tmp_path, max_size_ratio=0.6, max_metric_loss=0.03)
    report = found["report"].value
    model = keras.saving.load_model(f"{found['optimized_model'].uri}/Format-Keras/model.keras")
    kernel, whole = (model.get_layer(name).kernel.numpy() for name in ("deep", "scores"))
    assert np.mean(kernel == 0) == pytest.approx(0.8, abs=0.01)
    assert np.all(whole != 0)
    assert report["details"]["sparsity"] == {
        "wide": pytest.approx(0.8, abs=0.01),
        "deep": pytest.approx(0.8, abs=0.01),
    }
    assert report["optimized"]["gzip_bytes"] < report["original"]["gzip_bytes"]
    # The schedule and the masks cost little, once the model was trained on.
    loss = next(each for each in report["judged"] if each["name"] == "metric loss")
    assert loss["value"] <= 0.03
    from penstock.serving import load_model

    assert (
        len(load_model(found["optimized_model"].serving_uri).predict({"x": [1.0, 0.0, 0.0, 0.0]}))
        == 1
    )


def test_distilled(project, tmp_path):
    found = run(project, Distillation(epochs=15, learning_rate=0.02), tmp_path, max_metric_loss=0.1)
    report = found["report"].value
    assert report["details"]["parameters"] == {"teacher": 7123, "student": 139}
    assert report["ok"], report
    assert "7123" in artifact_page(found["report"]).html
    assert list(tmp_path.rglob("pictures/latency.png"))


def test_a_bound_that_is_not_kept(project, tmp_path):
    found = run(project, Quantization("float16"), tmp_path, max_size_ratio=0.01)
    assert not found["report"].value["ok"]
    assert not found["blessing"].blessed
    assert "at most 0.01 is allowed" in found["blessing"].custom_properties["reasons"][0]


def test_what_has_no_effect_is_refused(project):
    with pytest.raises(ValueError, match="measures no ranges"):
        Quantization("float16", representative_rows=100)
    with pytest.raises(ValueError, match="Did you mean 'int8'"):
        Quantization("int4")
    with pytest.raises(ValueError, match="prunes nothing"):
        Pruning(sparsity=0.0)
    with pytest.raises(ValueError, match="teacher would not count"):
        Distillation(hard_weight=1.0)
    for wrong, options in {
        "Nothing is judged": {"max_size_ratio": None, "max_metric_loss": None},
        "knows no metric": {"metric": "acuracy"},
        "must be above 0": {"max_size_ratio": 0.0},
    }.items():
        with pytest.raises(ValueError, match=wrong):
            ModelOptimizer(
                model=project[1],
                examples=project[2],
                label_key="label",
                technique=Quantization(),
                **{"metric": "accuracy", **options},
            )
    with pytest.raises(ValueError, match="needs a module_file"):
        optimizer(project, Pruning(), module_file="")
    with pytest.raises(ValueError, match="did not learn from"):
        optimizer(project, Pruning(), eval_split="train")


@pytest.mark.parametrize(
    ("technique", "message"),
    [
        (Distillation(student_fn="studnt_fn"), "Did you mean 'student_fn'"),
        (Distillation(student_fn="other_shape"), "must be the same"),
        (Pruning(layer_sparsity={"wid": 0.5}), "Did you mean 'wide'"),
    ],
)
def test_what_does_not_fit_is_said(project, tmp_path, technique, message):
    with pytest.raises(ComponentFailed, match=message):
        run(project, technique, tmp_path)
