"""Keras's metrics and losses that are means of a value a row.

Definitions follow Keras 3.15, keras/src/losses/losses.py and keras/src/metrics, computed in float64. A
loss is its weighted mean over the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.sums import WeightedMean
from penstock.evaluation.metrics.registry import Computation, metric

Array = npt.NDArray[Any]
RowFunction = Callable[[Array, Array], Array]

EPSILON = 1e-7
"""Keras's fuzz factor."""


def mean_or_zero(state: Any) -> float:
    """Keras's mean: 0 without weight."""
    return float(state[0] / state[1]) if state[1] != 0 else 0.0


@dataclass(frozen=True)
class OfRows:
    """What `WeightedMean` asks for: a function of labels and predictions, both `[rows, values]`."""

    class_name: str
    function: RowFunction

    def __call__(self, inputs: MetricInputs) -> Array:
        """Return a value a row."""
        labels, predictions = same_shape(self.class_name, inputs)
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.function(labels, predictions)


def same_shape(class_name: str, inputs: MetricInputs) -> tuple[Array, Array]:
    """Return labels and predictions as float64; class ids become one-hot rows.

    Raises:
        ValueError: If they do not have the same shape.
    """
    labels, predictions = inputs.dense_labels, inputs.predictions.astype(np.float64)
    if labels.shape != predictions.shape:
        raise ValueError(
            f"{class_name} needs a label for each prediction. Received: labels of shape "
            f"{list(labels.shape)} and predictions of shape {list(predictions.shape)}"
        )
    return labels, predictions


def _signed(labels: Array) -> Array:
    """Return the labels of a hinge loss: 0 is -1."""
    return np.where(labels == 0, -1.0, labels)


def _hinge(labels: Array, predictions: Array) -> Array:
    return np.asarray(np.maximum(1.0 - _signed(labels) * predictions, 0.0).mean(axis=1))


def _squared_hinge(labels: Array, predictions: Array) -> Array:
    return np.asarray(np.square(np.maximum(1.0 - _signed(labels) * predictions, 0.0)).mean(axis=1))


def _categorical_hinge(labels: Array, predictions: Array) -> Array:
    positive = (labels * predictions).sum(axis=1)
    negative = ((1.0 - labels) * predictions).max(axis=1)
    return np.asarray(np.maximum(negative - positive + 1.0, 0.0))


def _kl_divergence(labels: Array, predictions: Array) -> Array:
    labels, predictions = np.clip(labels, EPSILON, 1), np.clip(predictions, EPSILON, 1)
    return np.asarray((labels * np.log(labels / predictions)).sum(axis=1))


def _log_cosh(labels: Array, predictions: Array) -> Array:
    errors = predictions - labels
    return np.asarray((errors + np.logaddexp(0.0, -2.0 * errors) - np.log(2.0)).mean(axis=1))


def _poisson(labels: Array, predictions: Array) -> Array:
    return np.asarray((predictions - labels * np.log(predictions + EPSILON)).mean(axis=1))


def _unit(values: Array) -> Array:
    inverse = 1.0 / np.sqrt(np.square(values).sum(axis=1, keepdims=True))
    return np.asarray(values * np.minimum(inverse, 1.0 / EPSILON))


def _cosine_similarity(labels: Array, predictions: Array) -> Array:
    return np.asarray((_unit(labels) * _unit(predictions)).sum(axis=1))


def _negative_cosine_similarity(labels: Array, predictions: Array) -> Array:
    return -_cosine_similarity(labels, predictions)


def _pearson_correlation(labels: Array, predictions: Array) -> Array:
    centred = [part - part.mean(axis=1, keepdims=True) for part in (labels, predictions)]
    first, second = (part / part.std(axis=1, keepdims=True) for part in centred)
    return np.asarray((first * second).mean(axis=1))


def _concordance_correlation(labels: Array, predictions: Array) -> Array:
    label_mean, mean = labels.mean(axis=1, keepdims=True), predictions.mean(axis=1, keepdims=True)
    spread = labels.var(axis=1, keepdims=True) + predictions.var(axis=1, keepdims=True)
    covariance = (labels - mean) * (predictions - mean)
    return np.asarray(
        (2 * covariance / (spread + np.square(label_mean - mean) + EPSILON)).mean(axis=1)
    )


_FUNCTIONS: dict[str, RowFunction] = {
    "Hinge": _hinge,
    "SquaredHinge": _squared_hinge,
    "CategoricalHinge": _categorical_hinge,
    "KLDivergence": _kl_divergence,
    "LogCoshError": _log_cosh,
    "LogCosh": _log_cosh,
    "Poisson": _poisson,
    "CosineSimilarity": _cosine_similarity,
    "losses.CosineSimilarity": _negative_cosine_similarity,
    "PearsonCorrelation": _pearson_correlation,
    "ConcordanceCorrelation": _concordance_correlation,
}


def _mean_of(class_name: str, function: RowFunction) -> Computation:
    return Computation((WeightedMean, OfRows(class_name, function)), mean_or_zero)


def _register(class_name: str, function: RowFunction) -> None:
    @metric(class_name)
    def build() -> Computation:
        return _mean_of(class_name, function)


for _class_name, _function in _FUNCTIONS.items():
    _register(_class_name, _function)


@metric("Huber")
def huber(delta: float = 1.0) -> Computation:
    """Return half the squared error where it is below `delta`, and linear above."""
    return _mean_of("Huber", _Huber(delta))


@dataclass(frozen=True)
class _Huber:
    delta: float

    def __call__(self, labels: Array, predictions: Array) -> Array:
        errors = np.abs(predictions - labels)
        linear = self.delta * errors - 0.5 * self.delta**2
        return np.asarray(np.where(errors <= self.delta, 0.5 * errors**2, linear).mean(axis=1))


@metric("BinaryFocalCrossentropy")
def binary_focal_crossentropy(
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Computation:
    """Return a cross entropy in which rows that are predicted well count less."""
    balance = alpha if apply_class_balancing else None
    function = _BinaryFocal(balance, gamma, from_logits, label_smoothing)
    return _mean_of("BinaryFocalCrossentropy", function)


@dataclass(frozen=True)
class _BinaryFocal:
    balance: float | None
    gamma: float
    from_logits: bool
    label_smoothing: float

    def __call__(self, labels: Array, predictions: Array) -> Array:
        labels = labels * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing
        if self.from_logits:
            predictions = 1.0 / (1.0 + np.exp(-predictions))
        clipped = _inside(predictions)
        entropy = -(labels * np.log(clipped) + (1.0 - labels) * np.log(1.0 - clipped))
        certainty = labels * predictions + (1.0 - labels) * (1.0 - predictions)
        entropy = np.power(1.0 - certainty, self.gamma) * entropy
        if self.balance is not None:
            entropy = entropy * (labels * self.balance + (1.0 - labels) * (1.0 - self.balance))
        return np.asarray(entropy.mean(axis=1))


def _inside(scores: Array) -> Array:
    """Return scores clipped as Keras clips them: to float32's neighbours of 0 and 1."""
    epsilon = np.float32(EPSILON)
    clipped = np.clip(scores.astype(np.float32), epsilon, np.float32(1.0) - epsilon)
    return np.asarray(clipped, dtype=np.float64)


@metric("CategoricalFocalCrossentropy")
def categorical_focal_crossentropy(
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Computation:
    """Return a cross entropy over classes in which rows that are predicted well count less."""
    function = _CategoricalFocal(alpha, gamma, from_logits, label_smoothing)
    return _mean_of("CategoricalFocalCrossentropy", function)


@dataclass(frozen=True)
class _CategoricalFocal:
    alpha: float
    gamma: float
    from_logits: bool
    label_smoothing: float

    def __call__(self, labels: Array, predictions: Array) -> Array:
        labels = labels * (1.0 - self.label_smoothing) + self.label_smoothing / labels.shape[1]
        if self.from_logits:
            predictions = np.exp(predictions - predictions.max(axis=1, keepdims=True))
        scores = _inside(predictions / predictions.sum(axis=1, keepdims=True))
        entropy = -labels * np.log(scores) * self.alpha * np.power(1.0 - scores, self.gamma)
        return np.asarray(entropy.sum(axis=1))


@metric("CategoricalGeneralizedCrossEntropy")
def categorical_generalized_crossentropy(q: float = 0.5) -> Computation:
    """Return what lies between a cross entropy (q near 0) and the mean absolute error (q near 1)."""
    return _mean_of("CategoricalGeneralizedCrossEntropy", _Generalized(q))


@dataclass(frozen=True)
class _Generalized:
    q: float

    def __call__(self, labels: Array, predictions: Array) -> Array:
        of_class = (labels * predictions).sum(axis=1)
        return np.asarray((1.0 - np.power(of_class, self.q)) / self.q)
