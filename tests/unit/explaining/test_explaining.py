"""Explanations of models whose reasons are known: what they must find, and what must add up."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from penstock.explaining import (
    attention_scores,
    grad_cam,
    integrated_gradients,
    permutation_importance,
    saliency,
    shap_values,
)
from penstock.explaining.contributions import contributions_by_feature
from penstock.explaining.explained_model import ExplainedModel
from penstock.explaining.pictures import KerasExplanations
from penstock.explaining.report import ExplanationReport
from penstock.training.layers import TransformerEncoder

pytestmark = pytest.mark.tensorflow


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(3)


def table_model():
    """Two numbers, of which the first counts most, and a category in an embedding."""
    a, b = (keras.Input((1,), name=name) for name in "ab")
    kind = keras.Input((1,), name="kind", dtype="int64")
    vector = keras.layers.Flatten()(keras.layers.Embedding(4, 2)(kind))
    hidden = keras.layers.Concatenate()([3 * a, 0.3 * b, vector])
    hidden = keras.layers.Dense(8, activation="tanh")(hidden)
    return keras.Model({"a": a, "b": b, "kind": kind}, keras.layers.Dense(1)(hidden))


def table_inputs(rows=20):
    draw = np.random.default_rng(1)
    return {
        "a": tf.constant(draw.normal(size=(rows, 1)), tf.float32),
        "b": tf.constant(draw.normal(size=(rows, 1)), tf.float32),
        "kind": tf.constant(draw.integers(0, 4, (rows, 1))),
    }


def test_contributions_add_up_to_the_difference_of_the_scores():
    model, inputs = table_model(), table_inputs()
    found = integrated_gradients(model, inputs, start="zero", steps=64)
    assert {name: each.shape for name, each in found.items()} == {
        "a": (20, 1),
        "b": (20, 1),
        "kind": (20, 1),
    }
    total = sum(each.reshape(20, -1).sum(axis=1) for each in found.values())
    embedding = next(layer for layer in model.layers if isinstance(layer, keras.layers.Embedding))
    table = embedding.get_weights()[0]
    whole = np.asarray(model(inputs))[:, 0]
    embedding.set_weights([np.zeros_like(table)])
    zeros = {**inputs, "a": tf.zeros((20, 1)), "b": tf.zeros((20, 1))}
    nothing = np.asarray(model(zeros))[:, 0]
    assert total == pytest.approx(whole - nothing, abs=1e-3)


def test_the_feature_that_counts_most_comes_first():
    found = contributions_by_feature(integrated_gradients(table_model(), table_inputs()))
    assert next(iter(found)) == "a"


def test_layers_are_as_before_afterwards():
    model, inputs = table_model(), table_inputs()
    before = np.asarray(model(inputs))
    integrated_gradients(model, inputs, steps=2)
    assert np.array_equal(np.asarray(model(inputs)), before)
    assert not any("call" in vars(layer) for layer in model._flatten_layers())


def image_model(nested=False):
    """Its score is how bright the left half of the image is."""
    image = keras.Input((8, 8, 1), name="image")
    layer = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones", name="look")
    maps = keras.Sequential([keras.Input((8, 8, 1)), layer])(image) if nested else layer(image)
    left = keras.layers.Cropping2D(((0, 0), (0, 4)))(maps)
    score = keras.layers.GlobalAveragePooling2D()(left)
    return keras.Model(image, score)


@pytest.mark.parametrize("nested", [False, True])
def test_saliency_and_grad_cam_find_the_half_that_counts(nested):
    images = {"image": tf.constant(np.random.default_rng(0).random((3, 8, 8, 1)), tf.float32)}
    model = image_model(nested)
    slopes = saliency(model, images, "image")
    assert slopes.shape == (3, 8, 8)
    assert (slopes[:, :, :4] > 0).all()
    assert (slopes[:, :, 4:] == 0).all()
    heat = grad_cam(model, images)
    assert heat.shape == (3, 8, 8)
    assert heat.max() == pytest.approx(1.0)
    bright = {"image": tf.concat([images["image"][:, :, :4] * 0, images["image"][:, :, 4:]], 2)}
    assert grad_cam(model, bright)[:, :, :4].max() == 0


def test_grad_cam_without_a_convolution_and_with_a_wrong_name():
    images = {"image": tf.zeros((1, 8, 8, 1))}
    with pytest.raises(ValueError, match="no convolution 'lok'. Did you mean 'look'?"):
        grad_cam(image_model(), images, layer="lok")
    with pytest.raises(ValueError, match="The model has none"):
        grad_cam(table_model(), table_inputs())


def test_attention_of_each_layer_adds_up_to_one():
    tokens = keras.Input((5, 8), name="tokens")
    hidden = TransformerEncoder(num_heads=2, units=16, name="first")(tokens)
    hidden = TransformerEncoder(num_heads=4, units=16, name="second")(hidden)
    model = keras.Model(tokens, keras.layers.GlobalAveragePooling1D()(hidden))
    found = attention_scores(model, {"tokens": tf.random.normal((3, 5, 8))})
    assert [each.shape for each in found.values()] == [(3, 2, 5, 5), (3, 4, 5, 5)]
    for scores in found.values():
        assert scores.sum(axis=-1) == pytest.approx(np.ones(scores.shape[:-1]), abs=1e-5)
    with pytest.raises(ValueError, match="need a MultiHeadAttention"):
        attention_scores(table_model(), table_inputs())


def test_shuffling_costs_what_the_feature_is_worth():
    draw = np.random.default_rng(2)
    columns = {name: draw.normal(size=500) for name in ("used", "unused")}
    right = columns["used"].copy()

    def score(given):
        return -float(np.mean((given["used"] - right) ** 2))

    whole, found = permutation_importance(score, columns)
    assert whole == 0
    assert list(found) == ["used", "unused"]
    assert found["used"].mean == pytest.approx(2, abs=0.3)
    assert found["unused"].mean == 0


def test_shap_values_of_a_sum_are_its_parts():
    pytest.importorskip("shap")
    draw = np.random.default_rng(2)
    columns = {
        "x": draw.normal(size=60),
        "town": np.array([[b"near", b"far"][each] for each in draw.integers(0, 2, 60)], object),
    }

    def predict(given):
        return 2 * given["x"] + np.where(given["town"] == b"far", 1.0, 0.0)

    values, base = shap_values(predict, columns, rows=10, background=60)
    assert values["x"] + values["town"] + base == pytest.approx(predict(columns)[:10])
    assert values["x"] == pytest.approx(2 * (columns["x"][:10] - columns["x"].mean()), abs=1e-6)


def test_inputs_are_named_where_they_do_not_fit():
    explained = ExplainedModel(table_model())
    columns = {"a": np.zeros(3), "kind": np.zeros(3, np.int64)}
    with pytest.raises(ValueError, match="The model reads 'b', which the examples do not have"):
        explained.inputs_of(columns)
    with pytest.raises(ValueError, match=r"'b' has the shape \(1,\). Received: 2 values a row"):
        explained.inputs_of({**columns, "b": np.zeros((3, 2))})


def test_pictures_of_images_and_of_attention():
    images = {"image": tf.constant(np.random.default_rng(0).random((3, 8, 8, 1)), tf.float32)}
    report = ExplanationReport()
    of_images = KerasExplanations(image_model(), images, "", None, 2)
    of_images.add_saliency(report, "")
    of_images.add_grad_cam(report, "image", "look")
    assert list(report.figures) == ["saliency-0", "saliency-1", "grad_cam-0", "grad_cam-1"]
    assert report.numbers["grad_cam"]["classes"] == [0, 0]
    with pytest.raises(ValueError, match="such inputs: image"):
        of_images.add_saliency(report, "pixels")
    tokens = keras.Input((5, 8), name="tokens")
    hidden = TransformerEncoder(num_heads=2, units=16, name="encoder")(tokens)
    model = keras.Model(tokens, keras.layers.GlobalAveragePooling1D()(hidden))
    inputs = {"tokens": tf.random.normal((3, 5, 8))}
    KerasExplanations(model, inputs, "", None, 2).add_attention(report)
    assert "attention-0" in report.figures
    (focus,) = report.numbers["attention"]["places_looked_at"].values()
    assert 1 <= focus <= 5
