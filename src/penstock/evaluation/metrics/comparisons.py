"""Metrics that compare the predictions of two models, row by row: the model's and the baseline's.

Definitions follow TensorFlow Model Analysis 0.52: flip_metrics.py, prediction_difference_metrics.py and
model_cosine_similarity.py of tensorflow_model_analysis/metrics. Where a row has several scores, each class
counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.sums import FloatArray, Sums, View
from penstock.evaluation.metrics.registry import Computation, metric

_EPSILON = 1e-7


class _Compared(Sums):
    """Sums over pairs of predictions of the baseline and of the model."""

    def predictions(self, inputs: MetricInputs) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the baseline's predictions, the model's, and the baseline's weights, `[rows, classes]`."""
        source, view = inputs.source, self.view
        assert source is not None
        assert view.baseline is not None
        other = source.of_model(view.baseline, view.output_name)
        for each in (inputs, other):
            each.check_predictions()
        if inputs.predictions.shape != other.predictions.shape:
            raise ValueError(
                "The model and its baseline must predict the same. Received: predictions of shape "
                f"{list(inputs.predictions.shape)} and {list(other.predictions.shape)}"
            )
        weights = other.row_weights(view.weighted)[:, None]
        before, after = (_scores(each, view).astype(np.float64) for each in (other, inputs))
        return before, after, np.broadcast_to(weights, after.shape)


def _scores(inputs: MetricInputs, view: View) -> npt.NDArray[Any]:
    key = view.sub_key
    if key is None:
        return inputs.predictions
    if key.class_id is not None and not key.class_id < inputs.predictions.shape[1]:
        raise ValueError(
            f"A metric is for {key}, but the model has {inputs.predictions.shape[1]} classes."
        )
    if key.class_id is not None:
        return inputs.predictions[:, [key.class_id]]
    ranked = -np.sort(-inputs.predictions, axis=1)
    return ranked[:, key.k - 1 : key.k] if key.k is not None else ranked[:, : key.top_k]


class Flips(_Compared):
    """Weights of the pairs: all, negative twice, flipped up, flipped down, positive twice.

    Params: the threshold above which a prediction is positive.
    """

    WIDTH = 5

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Return the five sums of each row."""
        before, after, weights = self.predictions(inputs)
        was, is_now = before > self.params, after > self.params
        kinds = (np.ones_like(was), ~was & ~is_now, ~was & is_now, was & ~is_now, was & is_now)
        return np.column_stack([(weights * kind).sum(axis=1) for kind in kinds])


class Differences(_Compared):
    """Weighted symmetric differences, and the weights. Params: none."""

    WIDTH = 2

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Return both sums of each row."""
        before, after, weights = self.predictions(inputs)
        numerator, denominator = 2 * np.abs(before - after), np.abs(before + after)
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.where(
                (numerator < _EPSILON) & (denominator < _EPSILON), 0.0, numerator / denominator
            )
        return np.column_stack([(values * weights).sum(axis=1), weights.sum(axis=1)])


class Cosines(_Compared):
    """Cosines of the angle between two predictions, and the rows. Params: none."""

    WIDTH = 2

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Return each row's cosine and one."""
        before, after, _ = self.predictions(inputs)
        with np.errstate(invalid="ignore", divide="ignore"):
            lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
            cosines = (before * after).sum(axis=1) / lengths
        return np.column_stack([cosines, np.ones(len(cosines))])


def _share(state: FloatArray, kinds: tuple[int, ...]) -> float:
    return float(state[list(kinds)].sum() / state[0]) if state[0] else float("nan")


_FLIPS: dict[str, tuple[str, tuple[int, ...]]] = {
    "SymmetricFlipRate": ("flip_rate_name", (2, 3)),
    "NegToNegFlipRate": ("neg_to_neg_flip_rate_name", (1,)),
    "NegToPosFlipRate": ("neg_to_pos_flip_rate_name", (2,)),
    "PosToNegFlipRate": ("pos_to_neg_flip_rate_name", (3,)),
    "PosToPosFlipRate": ("pos_to_pos_flip_rate_name", (4,)),
}


def _flip(kinds: tuple[int, ...], threshold: float) -> Computation:
    return Computation((Flips, threshold), lambda state: _share(state, kinds), labels="none")


def _register(class_name: str, kinds: tuple[int, ...]) -> None:
    @metric(class_name)
    def build(threshold: float = 0.5) -> Computation:
        return _flip(kinds, threshold)


for _class_name, (_, _kinds) in _FLIPS.items():
    _register(_class_name, _kinds)


@metric("BooleanFlipRates")
def boolean_flip_rates(threshold: float = 0.5) -> Computation:
    """Return all five rates at which predictions change sides of a threshold, or do not."""
    parts = {name: _flip(kinds, threshold) for name, kinds in _FLIPS.values()}
    return Computation((Flips, threshold), parts["flip_rate_name"].value, parts=parts)


def _mean(state: FloatArray) -> float:
    return float(state[0] / state[1]) if state[1] else float("nan")


@metric("SymmetricPredictionDifference")
def symmetric_prediction_difference() -> Computation:
    """Return the mean of the predictions' difference over their mean."""
    return Computation((Differences, ()), _mean, labels="none")


@metric("ModelCosineSimilarity")
def model_cosine_similarity() -> Computation:
    """Return the mean cosine of the angle between the predictions of a row; weights do not count."""
    return Computation((Cosines, ()), _mean, labels="none")
