"""Metrics that a Keras model was compiled with are read from its file, and computed."""

import json
import zipfile

import numpy as np
import pytest

from penstock.evaluation import evaluate
from penstock.evaluation.config import as_eval_config
from penstock.evaluation.saved_metrics import with_saved_metrics

KERAS_AUC = {
    "module": "keras.metrics",
    "class_name": "AUC",
    "config": {"name": "area", "dtype": "float32", "num_thresholds": 200, "num_labels": None},
    "registered_name": None,
}


@pytest.fixture
def saved(tmp_path):
    """Write a `.keras` file's configuration; return the folder of the SavedModel beside it."""

    def save(**compiled):
        folder = tmp_path / "Format-Keras"
        folder.mkdir(exist_ok=True)
        with zipfile.ZipFile(folder / "model.keras", "w") as archive:
            archive.writestr("config.json", json.dumps({"compile_config": compiled or None}))
        return str(tmp_path / "Format-Serving")

    return save


def added(path, **model_spec):
    config = as_eval_config(
        {
            "model_specs": [{"label_key": "y", **model_spec}],
            "options": {"include_default_metrics": True},
        }
    )
    return [
        (m.class_name, m.module, json.loads(m.config or "{}").get("name"), weights.weighted)
        for spec in with_saved_metrics(config, {"": path}).metrics_specs
        for weights in [spec.example_weights]
        for m in spec.metrics
    ]


def test_names_and_classes_are_found_with_their_weights(saved):
    path = saved(
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy", KERAS_AUC, "mae"],
        weighted_metrics=["acc"],
    )
    assert added(path, example_weight_key="w") == [
        ("SparseCategoricalCrossentropy", "keras.losses", "loss", True),
        ("SparseCategoricalAccuracy", "keras.metrics", "acc", True),
        ("SparseCategoricalAccuracy", "keras.metrics", "accuracy", False),
        ("AUC", "keras.metrics", "area", False),
        ("MeanAbsoluteError", "keras.metrics", "mae", False),
    ]
    assert not any(weighted for *_, weighted in added(path))


def test_what_cannot_be_taken_over_is_said(saved, tmp_path):
    with pytest.raises(
        ValueError, match="only a .keras file keeps the metrics .* There is no .keras"
    ):
        added(str(tmp_path / "elsewhere" / "model"))
    with pytest.raises(ValueError, match="was saved without a loss and metrics"):
        added(saved())
    with pytest.raises(ValueError, match="has metrics by output. Name them in metrics_specs"):
        added(saved(loss="mse", metrics={"a": ["mae"]}))
    with pytest.raises(ValueError, match="was compiled with 'my_metric', which is no metric here"):
        added(saved(loss="mse", metrics=["my_metric"]))
    with pytest.raises(ValueError, match="has losses by output"):
        added(saved(loss=["mse", "mae"]))


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_they_equal_what_keras_says(files, columns, tmp_path):
    import keras

    inputs = keras.Input((1,), name="x")
    model = keras.Model({"x": inputs}, keras.layers.Dense(1, activation="sigmoid")(inputs))
    model.compile("sgd", keras.losses.BinaryCrossentropy(label_smoothing=0.1), metrics=["accuracy"])
    model.save(tmp_path / "model.keras")
    config = {
        "model_specs": [{"label_key": "positive"}],
        "options": {"include_default_metrics": True},
    }
    found = evaluate(files, model=str(tmp_path / "model.keras"), eval_config=config).metrics()
    x, y = (np.array(columns[name], np.float32) for name in ("x", "positive"))
    expected = model.evaluate({"x": x}, y, batch_size=len(x), verbose=0, return_dict=True)
    assert found == {name: pytest.approx(value, abs=1e-6) for name, value in expected.items()}
