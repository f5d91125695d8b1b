"""Counts, regression errors and calibration.

Definitions follow TensorFlow Model Analysis 0.52: example_count.py, mean_regression_error.py,
calibration.py, squared_pearson_correlation.py and tjur_discrimination.py of
tensorflow_model_analysis/metrics.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.kernels.sums import Count, LabelPredictionSums, PairMean, PredictionSums
from penstock.evaluation.metrics.registry import Computation, metric

FloatArray = npt.NDArray[np.float64]


@metric("ExampleCount", "WeightedExampleCount")
def example_count() -> Computation:
    """Return the number of examples, or the sum of their weights where weights apply."""
    return Computation((Count, ()), lambda s: float(s[0]), labels="rows")


def mean(state: Any) -> float:
    """Return the mean from a sum and a weight, NaN without weight."""
    return float(state[0] / state[1]) if state[1] != 0 else float("nan")


def _absolute(labels: FloatArray, predictions: FloatArray) -> FloatArray:
    return np.abs(labels - predictions)


def _squared(labels: FloatArray, predictions: FloatArray) -> FloatArray:
    return np.square(labels - predictions)


def _absolute_percentage(labels: FloatArray, predictions: FloatArray) -> FloatArray:
    missing = np.full(labels.shape, np.nan)
    errors = np.divide(labels - predictions, labels, out=missing, where=labels != 0)
    return np.asarray(100.0 * np.abs(errors))


def _squared_logarithmic(labels: FloatArray, predictions: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        result: FloatArray = (np.log1p(labels) - np.log1p(predictions)) ** 2
    return result


_ERRORS: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "MeanAbsoluteError": _absolute,
    "MeanSquaredError": _squared,
    "MeanAbsolutePercentageError": _absolute_percentage,
    "MeanSquaredLogarithmicError": _squared_logarithmic,
}


def _register(class_name: str, error: Callable[[FloatArray, FloatArray], FloatArray]) -> None:
    @metric(class_name)
    def build() -> Computation:
        return Computation((PairMean, error), mean)


for _class_name, _error in _ERRORS.items():
    _register(_class_name, _error)


@metric("RootMeanSquaredError")
def root_mean_squared_error() -> Computation:
    """Return the root of the mean squared error, as Keras computes it."""
    return Computation((PairMean, _squared), lambda s: float(np.sqrt(mean(s))))


def _quotient(numerator: float, denominator: float) -> float:
    return float("nan") if np.isclose(denominator, 0.0) else float(numerator / denominator)


@metric("MeanLabel")
def mean_label() -> Computation:
    """Return the weighted mean of the labels."""
    return Computation((LabelPredictionSums, ()), lambda s: _quotient(s[0], s[2]))


@metric("MeanPrediction")
def mean_prediction() -> Computation:
    """Return the weighted mean of the predictions."""
    return Computation((PredictionSums, ()), lambda s: _quotient(s[0], s[1]), labels="none")


@metric("Calibration")
def calibration() -> Computation:
    """Return the predictions' sum over the labels' sum."""
    return Computation((LabelPredictionSums, ()), lambda s: _quotient(s[1], s[0]))


@metric("SquaredPearsonCorrelation")
def squared_pearson_correlation() -> Computation:
    """Return the squared correlation of labels and predictions."""

    def value(s: FloatArray) -> float:
        labels, predictions, weight, labels2, predictions2, products = s
        if weight == 0:
            return float("nan")
        covariance = products - labels * predictions / weight
        spread = (labels2 - labels**2 / weight) * (predictions2 - predictions**2 / weight)
        return float(covariance**2 / spread) if spread > 0 else float("nan")

    return Computation((LabelPredictionSums, ()), value)


def _means_by_label(s: FloatArray) -> tuple[float, float]:
    """Return the predictions' means of the positive and of the negative examples."""
    labels, predictions, weight, _, _, products = s
    if labels == 0 or labels == weight:
        return float("nan"), float("nan")
    return products / labels, (predictions - products) / (weight - labels)


@metric("CoefficientOfDiscrimination")
def coefficient_of_discrimination() -> Computation:
    """Return how much higher the mean prediction of positives is than that of negatives."""

    def value(s: FloatArray) -> float:
        positive, negative = _means_by_label(s)
        return float(positive - negative)

    return Computation((LabelPredictionSums, ()), value, labels="binary")


@metric("RelativeCoefficientOfDiscrimination")
def relative_coefficient_of_discrimination() -> Computation:
    """Return the mean prediction of positives over that of negatives."""

    def value(s: FloatArray) -> float:
        positive, negative = _means_by_label(s)
        return float(positive / negative) if negative else float("nan")

    return Computation((LabelPredictionSums, ()), value, labels="binary")
