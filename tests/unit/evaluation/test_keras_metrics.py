"""Keras's metrics and losses by name equal what the installed Keras computes."""

import inspect
import warnings

import numpy as np
import pytest

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.sums import View
from penstock.evaluation.metrics.declarations import CATALOG, REFUSED
from penstock.evaluation.metrics.registry import build_metric
from penstock.evaluation.slices.slicing import Membership

pytestmark = pytest.mark.tensorflow

RANDOM = np.random.default_rng(3)
ROWS = 64
WEIGHTS = RANDOM.integers(0, 4, ROWS).astype(np.float64)
SCORES = RANDOM.dirichlet(np.ones(4), ROWS).astype(np.float32)
CLASSES = RANDOM.integers(0, 4, ROWS)
DATA = {
    "probabilities": (np.eye(4)[CLASSES], SCORES),
    "class ids": (CLASSES, SCORES),
    "binary": (RANDOM.integers(0, 2, ROWS), RANDOM.uniform(0.01, 0.99, ROWS).astype(np.float32)),
    "values": (
        RANDOM.normal(size=(ROWS, 3)) + 2,
        RANDOM.uniform(0.1, 4, (ROWS, 3)).astype(np.float32),
    ),
    "ids": (CLASSES, RANDOM.integers(0, 4, ROWS).astype(np.float32)),
}
METRICS = [
    ("Hinge", {}, "binary"),
    ("SquaredHinge", {}, "binary"),
    ("CategoricalHinge", {}, "probabilities"),
    ("KLDivergence", {}, "probabilities"),
    ("LogCoshError", {}, "values"),
    ("Poisson", {}, "values"),
    ("CosineSimilarity", {}, "values"),
    ("PearsonCorrelation", {}, "values"),
    ("ConcordanceCorrelation", {}, "values"),
    ("R2Score", {}, "values"),
    ("R2Score", {"class_aggregation": "variance_weighted_average"}, "values"),
    ("R2Score", {"num_regressors": 2}, "values"),
    ("FBetaScore", {}, "probabilities"),
    ("FBetaScore", {"average": "micro", "beta": 2.0}, "probabilities"),
    ("FBetaScore", {"average": "macro", "beta": 0.5, "threshold": 0.3}, "probabilities"),
    ("FBetaScore", {"average": "weighted"}, "probabilities"),
    ("MeanIoU", {"num_classes": 4}, "ids"),
    ("MeanIoU", {"num_classes": 4, "sparse_y_pred": False}, "class ids"),
    ("IoU", {"num_classes": 4, "target_class_ids": [0, 2], "ignore_class": 1}, "ids"),
    ("BinaryIoU", {"threshold": 0.3}, "binary"),
    ("BinaryIoU", {"target_class_ids": [1]}, "binary"),
    ("OneHotIoU", {"num_classes": 4, "target_class_ids": [1, 3]}, "probabilities"),
    ("OneHotMeanIoU", {"num_classes": 4}, "probabilities"),
    ("MeanAbsoluteError", {}, "values"),
    ("MeanSquaredError", {}, "values"),
    ("RootMeanSquaredError", {}, "values"),
    ("CategoricalAccuracy", {}, "probabilities"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.1}, "probabilities"),
    ("SparseCategoricalCrossentropy", {}, "class ids"),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, "binary"),
]
LOSSES = [
    ("Huber", {"delta": 0.7}, "values"),
    ("LogCosh", {}, "values"),
    ("CosineSimilarity", {}, "values"),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.3}, "binary"),
    ("BinaryFocalCrossentropy", {"label_smoothing": 0.1, "gamma": 3.0}, "binary"),
    ("BinaryFocalCrossentropy", {"from_logits": True}, "binary"),
    ("CategoricalFocalCrossentropy", {"label_smoothing": 0.1}, "probabilities"),
    ("CategoricalFocalCrossentropy", {"from_logits": True}, "probabilities"),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, "class ids"),
    ("Hinge", {}, "binary"),
    ("KLDivergence", {}, "probabilities"),
    ("Poisson", {}, "values"),
]


def ours(key, config, data, weights=None):
    labels, predictions = DATA[data]
    _, computation = build_metric(key, config)
    kernel_class, params = computation.kernel
    total = kernel_class(params, View(weighted=weights is not None))
    # In three batches, of which one is merged: the result does not depend on the cut.
    for rows in (slice(0, 10), slice(10, 40), slice(40, None)):
        part = kernel_class(params, View(weighted=weights is not None))
        chosen = None if weights is None else weights[rows]
        inputs = MetricInputs(labels[rows], predictions[rows], chosen)
        count = len(inputs.predictions)
        part.add(inputs, Membership(np.arange(count), np.zeros(count, np.int64), 1))
        total.merge(part, [0])
    return computation.value(total.state(0))


def shaped(data):
    labels, predictions = DATA[data]
    labels = labels.astype(np.float32)
    if predictions.ndim == 1:
        return labels[:, None], predictions[:, None]
    return labels, predictions


@pytest.mark.parametrize(("name", "config", "data"), METRICS)
@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_equal_kerass(name, config, data, weighted):
    import keras

    metric = getattr(keras.metrics, name)(**config)
    weights = WEIGHTS if weighted else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metric.update_state(*shaped(data), sample_weight=weights)
        expected = np.asarray(metric.result())
    np.testing.assert_allclose(ours(name, config, data, weights), expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "config", "data"), LOSSES)
def test_losses_equal_kerass_with_each_row_weighted(name, config, data):
    import keras

    loss = getattr(keras.losses, name)(**config, reduction=None)
    labels, predictions = shaped(data)
    rows = np.asarray(loss(labels, predictions))
    key = "losses.CosineSimilarity" if name == "CosineSimilarity" else name
    found = ours(key, config, data)
    np.testing.assert_allclose(found, rows.mean(), rtol=2e-6, atol=1e-6)
    found = ours(key, config, data, WEIGHTS)
    np.testing.assert_allclose(found, np.average(rows, weights=WEIGHTS), rtol=2e-6, atol=1e-6)


def test_every_metric_and_loss_of_keras_is_computed_or_refused_with_its_arguments():
    import keras

    for kind in ("metrics", "losses"):
        module = getattr(keras, kind)
        classes = {name: c for name, c in vars(module).items() if inspect.isclass(c)}
        for name in classes:
            key = f"losses.{name}" if f"losses.{name}" in CATALOG and kind == "losses" else name
            assert key in CATALOG or f"keras.{kind}.{name}" in REFUSED, name
    assert {key.split(".")[2] for key in REFUSED if key.startswith("keras.")} <= {
        *vars(keras.metrics),
        *vars(keras.losses),
    }
