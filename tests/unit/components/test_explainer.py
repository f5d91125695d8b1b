"""The Explainer on a small model of a table: importances, pictures, and what is refused."""

import json
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pytest

from penstock.artifacts import Examples, Model
from penstock.cards import artifact_page
from penstock.components import Explainer
from penstock.io import ExamplesWriter
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component
from penstock.training import export_model

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model whose class depends on `used` alone, with the rows that it knows."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    root = tmp_path_factory.mktemp("trained")
    draw = np.random.default_rng(0)
    used, unused = draw.normal(size=(2, 200)).astype(np.float32)
    label = (used > 0).astype(np.int64)
    columns = {"used": used, "unused": unused, "label": label}
    with ExamplesWriter(str(root / "examples"), ["eval"]) as writer:
        writer.write(
            "eval",
            pa.record_batch(
                {name: [[v] for v in values.tolist()] for name, values in columns.items()}
            ),
        )
    examples = Examples(str(root / "examples"))
    examples.splits = ["eval"]
    inputs = {name: keras.Input((1,), name=name) for name in ("used", "unused")}
    score = keras.layers.Dense(1, activation="sigmoid")(
        keras.layers.Concatenate()(list(inputs.values()))
    )
    model = keras.Model(inputs, score)
    model.layers[-1].set_weights([np.array([[6.0], [0.0]]), np.zeros(1)])
    schema = schema_pb2.Schema(
        feature=[
            {
                "name": name,
                "type": kind,
                "presence": {"min_fraction": 1.0},
                "shape": {"dim": [{"size": 1}]},
            }
            for name, kind in (("used", "FLOAT"), ("unused", "FLOAT"), ("label", "INT"))
        ]
    )
    export_model(model, str(root / "model" / "Format-Serving"), schema=schema, label_key="label")
    return {"model": Model(str(root / "model")), "examples": examples}


def test_the_contract(trained, tmp_path):
    component = Explainer(**trained, methods=["permutation"], label_key="label")
    check_component(component, tmp_path / "work")


def test_each_method_finds_the_feature_that_counts(trained, tmp_path):
    pytest.importorskip("shap")
    methods = ["permutation", "shap", "integrated_gradients"]
    component = Explainer(**trained, methods=methods, label_key="label", metric="auc", max_rows=100)
    explanation = run_component(component, tmp_path)["explanation"]
    folder = Path(explanation.uri)
    found = json.loads((folder / "explanation.json").read_text("utf-8"))
    assert list(found) == sorted(methods)
    for method in methods:
        importances = found[method]["importances"]
        assert importances["unused"] == pytest.approx(0, abs=1e-6), method
        assert importances["used"] > 0.1, method
        assert (folder / f"{method}.png").read_bytes().startswith(b"\x89PNG")
    assert found["permutation"]["whole"] == 1
    assert "Importance of features" in artifact_page(explanation).html
    assert "data:image/png" in (folder / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"methods": ["lime"]}, "'permutation' or 'shap'"),
        ({"methods": []}, "needs a method"),
        ({"methods": ["permutation"]}, "label_key is what"),
        ({"methods": ["attention"], "label_key": "label"}, "label_key is what"),
        ({"label_key": "label", "layer": "conv"}, "layer is read by grad_cam"),
        ({"label_key": "label", "metric": "acuracy"}, "Did you mean 'accuracy'"),
        ({"label_key": "label", "max_rows": 0}, "max_rows must be 1 or more"),
    ],
)
def test_what_has_no_effect_is_refused(trained, arguments, message):
    with pytest.raises(ValueError, match=message):
        Explainer(**trained, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"methods": ["attention"]}, "need a MultiHeadAttention"),
        ({"methods": ["saliency"]}, "Say in image_key which input is the image"),
        ({"label_key": "labl"}, "no feature 'labl'"),
        (
            {"label_key": "label", "features": ["usd"]},
            "reads no feature 'usd'. Did you mean 'used'",
        ),
        ({"label_key": "label", "split": "evl"}, "no split 'evl'. Did you mean 'eval'"),
    ],
)
def test_what_does_not_fit_is_told(trained, tmp_path, arguments, message):
    with pytest.raises(ComponentFailed, match=message):
        run_component(Explainer(**trained, **arguments), tmp_path)
