"""The same predictions in every form of a model give the same metrics."""

import json
import zipfile

import numpy as np
import pyarrow as pa
import pytest

from penstock.evaluation import evaluate
from penstock.evaluation.models.keras_model import KerasModel
from penstock.evaluation.models.keras_objects import unknown_objects
from penstock.io import ExamplesWriter, split_files

pytestmark = [
    pytest.mark.tensorflow,
    # Keras's own, when it saves.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

ROWS = 50
METRICS = [{"class_name": name} for name in ("AUC", "BinaryAccuracy", "MeanPrediction")]


def config(**spec):
    return {
        "model_specs": [{"label_key": "y", **spec}],
        "slicing_specs": [{}, {"feature_keys": ["kind"]}],
        "metrics_specs": [{"metrics": METRICS}],
    }


@pytest.fixture(scope="module")
def keras_model():
    import keras

    keras.utils.set_random_seed(3)
    inputs = {name: keras.Input((1,), name=name) for name in ("a", "b")}
    both = keras.layers.Concatenate()(list(inputs.values()))
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", name="score")(both))


@pytest.fixture(scope="module")
def files(keras_model, tmp_path_factory):
    """Examples whose column `p` is what the model predicts, and `q` another prediction."""
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, ROWS, 1)).astype(np.float32)
    columns = {
        "a": a,
        "b": b,
        "p": np.asarray(keras_model.predict({"a": a, "b": b}, verbose=0)),
        "q": random.random((ROWS, 1), np.float32),
        "y": random.integers(0, 2, (ROWS, 1)),
        "kind": random.integers(0, 3, (ROWS, 1)),
    }
    lists = {name: pa.array(values.tolist(), list_type(values)) for name, values in columns.items()}
    folder = str(tmp_path_factory.mktemp("examples"))
    with ExamplesWriter(folder, ["eval"]) as writer:
        writer.write("eval", pa.RecordBatch.from_pydict(lists))
    return split_files(folder, "eval")


def list_type(values):
    return pa.large_list(pa.float32() if values.dtype.kind == "f" else pa.int64())


@pytest.fixture(scope="module")
def forms(keras_model, tmp_path_factory):
    """The folders of an artifact: a SavedModel, a `.keras` file and a TFLite file."""
    import tensorflow as tf

    root = tmp_path_factory.mktemp("model")
    keras_model.export(str(root / "Format-Serving"), verbose=False)
    (root / "Format-Keras").mkdir()
    keras_model.save(str(root / "Format-Keras" / "model.keras"))
    (root / "Format-TFLite").mkdir()
    converter = tf.lite.TFLiteConverter.from_saved_model(str(root / "Format-Serving"))
    (root / "Format-TFLite" / "model.tflite").write_bytes(converter.convert())
    return root


def values(evaluation):
    return {result.key: evaluation.metrics(result.key) for result in evaluation.slices}


@pytest.fixture(scope="module")
def expected(files, forms):
    return values(evaluate(files, model=str(forms / "Format-Serving"), eval_config=config()))


@pytest.mark.parametrize(
    ("place", "spec"),
    [
        ("Format-Keras/model.keras", {}),
        ("Format-Keras", {}),
        ("Format-Serving", {"model_type": "keras"}),
        ("Format-TFLite/model.tflite", {}),
        ("Format-Serving", {"model_type": "tf_lite"}),
        (None, {"prediction_key": "p"}),
    ],
)
def test_every_form_gives_the_same_metrics(files, forms, expected, place, spec):
    path = None if place is None else str(forms / place)
    found = values(evaluate(files, model=path, eval_config=config(**spec), batch_size=7))
    assert list(found) == list(expected)
    for key, metrics in found.items():
        assert metrics == pytest.approx(expected[key], rel=1e-5)


def test_columns_are_compared_with_columns(files):
    both = config()
    both["model_specs"] = [
        {"name": "new", "label_key": "y", "prediction_key": "p"},
        {"name": "old", "label_key": "y", "prediction_key": "q", "is_baseline": True},
    ]
    threshold = {"change_threshold": {"absolute": -2, "direction": "HIGHER_IS_BETTER"}}
    both["metrics_specs"] = [{"metrics": [{"class_name": "AUC", "threshold": threshold}]}]
    found = evaluate(files, model=None, eval_config=both)
    new, old = (found.metrics(model_name=name)["auc"] for name in ("new", "old"))
    (difference,) = (v for k, v in found.slices[0].metrics.items() if k.is_diff)
    assert difference == pytest.approx(new - old)
    assert found.validation.ok


def test_what_there_is_no_model_of(files, tmp_path):
    with pytest.raises(ValueError, match=r"predictions are columns of the examples: name them"):
        evaluate(files, model=None, eval_config=config())
    with pytest.raises(ValueError, match=r"prediction_key|names 'score'|'score' is not"):
        evaluate(files, model=None, eval_config=config(prediction_key="score"))
    with pytest.raises(FileNotFoundError, match=r"There is no \.tflite file in"):
        evaluate(files, model=str(tmp_path), eval_config=config(model_type="tf_lite"))
    (tmp_path / "model.keras").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"does not load the model at .*model\.keras"):
        evaluate(files, model=str(tmp_path / "model.keras"), eval_config=config())


def test_classes_and_functions_that_keras_does_not_know_are_named(tmp_path):
    def layer(module, class_name, registered_name, **config):
        named = {"module": module, "class_name": class_name, "registered_name": registered_name}
        return named | {"config": config}

    wiggle = {
        "module": "builtins",
        "class_name": "function",
        "config": "wiggle",
        "registered_name": "function",
    }
    layers = [
        layer("keras.layers", "Dense", None, units=2, activation=wiggle),
        layer(None, "Doubling", "shop>Doubling"),
        layer(None, "Doubling", "shop>Doubling"),
        layer("no.such.module", "Halving", "Halving"),
        layer("collections", "OrderedDict", None),
    ]
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "config.json", json.dumps(layer("keras", "Sequential", None, layers=layers))
        )
    with pytest.raises(ValueError, match="needs what is not known here") as caught:
        KerasModel(str(path))
    assert (
        "it needs what is not known here: the function 'wiggle' and the class 'Doubling' (registered as "
        "'shop>Doubling') and the class 'Halving'. What is your own must be registered"
    ) in str(caught.value)
    assert unknown_objects(str(tmp_path)) == []
