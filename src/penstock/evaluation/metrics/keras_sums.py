"""Keras's metrics of sums over the rows: R2, F-beta and the intersections over unions.

Definitions follow Keras 3.15: keras/src/metrics/regression_metrics.py, f_score_metrics.py and
iou_metrics.py. An intersection over union counts with the weights as they are, as in Keras 2; Keras 3
rounds them down to whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.sums import RowSums
from penstock.evaluation.metrics.keras_rows import EPSILON, same_shape
from penstock.evaluation.metrics.registry import Computation, MetricValue, metric

Array = npt.NDArray[Any]


def _number(values: Array) -> MetricValue:
    return float(values.reshape(())) if values.size == 1 else values


def _r2_terms(inputs: MetricInputs, weights: Array) -> Array:
    labels, predictions = same_shape("R2Score", inputs)
    weighted = weights[:, None]
    errors = np.square(labels - predictions) * weighted
    parts = (
        labels * weighted,
        labels**2 * weighted,
        errors,
        np.broadcast_to(weighted, labels.shape),
    )
    count = np.full((len(labels), 1), float(labels.shape[1]))
    return np.column_stack([*parts, count])


@metric("R2Score")
def r2_score(class_aggregation: str = "uniform_average", num_regressors: int = 0) -> Computation:
    """Return the share of the labels' variance that the predictions explain."""

    def value(sums: Array) -> MetricValue:
        if not len(sums):
            return float("nan")
        labels, squares, errors, weights = sums[:-1].reshape(4, -1)
        count = sums[-1]
        spread = squares - labels * labels / weights
        scores = 1 - errors / spread
        scores = np.where(np.isinf(scores), 0.0, scores)
        if class_aggregation == "variance_weighted_average":
            score = (spread * scores).sum() / spread.sum()
        else:
            score = scores.mean()
        if 0 < num_regressors < count - 1:
            score = 1 - (1 - score) * (count - 1) / (count - num_regressors - 1)
        return float(score)

    return Computation((RowSums, _r2_terms), value)


@metric("FBetaScore")
def f_beta_score(
    average: str | None = None, beta: float = 1.0, threshold: float | None = None
) -> Computation:
    """Return Keras's F-beta score: for each class, or averaged over the classes."""
    if beta <= 0:
        raise ValueError(f"FBetaScore's beta must be positive. Received: {beta}")

    def value(sums: Array) -> MetricValue:
        counts = sums.reshape(3, -1)
        if average == "micro":
            counts = counts.sum(axis=1, keepdims=True)
        found, wrong, missed = counts
        precision = found / (found + wrong + EPSILON)
        recall = found / (found + missed + EPSILON)
        weighted = beta**2 * precision + recall + EPSILON
        scores = precision * recall / weighted * (1 + beta**2)
        if average == "weighted":
            actual = found + missed
            return float((scores * actual / (actual.sum() + EPSILON)).sum())
        return float(scores.mean()) if average else _number(scores)

    return Computation((RowSums, _Hits(threshold)), value)


@dataclass(frozen=True)
class _Hits:
    """True positives, false positives and false negatives, class by class."""

    threshold: float | None

    def __call__(self, inputs: MetricInputs, weights: Array) -> Array:
        labels, predictions = same_shape("FBetaScore", inputs)
        if self.threshold is None:
            best = predictions >= predictions.max(axis=1, keepdims=True)
            chosen = best & (np.abs(predictions) > 1e-9)
        else:
            chosen = predictions > self.threshold
        parts = (chosen * labels, chosen * (1 - labels), ~chosen * labels)
        return np.column_stack([part * weights[:, None] for part in parts])


@dataclass(frozen=True)
class _Cells:
    """The cells of a confusion matrix of `num_classes` classes."""

    num_classes: int
    ignore_class: int | None
    sparse_y_true: bool
    sparse_y_pred: bool
    threshold: float | None = None

    def __call__(self, inputs: MetricInputs, weights: Array) -> Array:
        predictions = inputs.predictions
        if self.threshold is not None:
            predictions = predictions >= np.float32(self.threshold)
        elif not self.sparse_y_pred:
            predictions = np.argmax(predictions, axis=1)[:, None]
        labels = inputs.labels
        if not self.sparse_y_true:
            labels = inputs.class_ids[:, None]
        if labels.shape != predictions.shape:
            raise ValueError(
                "An intersection over union needs one predicted class for each label. Received: labels of "
                f"shape {list(labels.shape)} and predictions of shape {list(predictions.shape)}. For one "
                "score per class set sparse_y_pred to false, and sparse_y_true for one-hot labels."
            )
        actual, predicted = labels.astype(np.int64), predictions.astype(np.int64)
        inside = (actual >= 0) & (actual < self.num_classes)
        inside &= (predicted >= 0) & (predicted < self.num_classes)
        if self.ignore_class is not None:
            inside &= actual != self.ignore_class
        cell = np.where(inside, actual * self.num_classes + predicted, 0)
        rows = np.arange(len(cell))[:, None]
        terms = np.zeros((len(cell), self.num_classes**2))
        np.add.at(terms, (rows, cell), inside * weights[:, None])
        return terms


def _iou(cells: _Cells, targets: Sequence[int] | None) -> Computation:
    wanted = list(range(cells.num_classes) if targets is None else targets)
    if not wanted or not 0 <= min(wanted) <= max(wanted) < cells.num_classes:
        raise ValueError(
            f"target_class_ids must be classes from 0 to {cells.num_classes - 1}. Received: {wanted}"
        )

    def value(sums: Array) -> MetricValue:
        if not len(sums):
            return 0.0
        matrix = sums.reshape(cells.num_classes, cells.num_classes)
        hits = matrix.diagonal()[wanted]
        union = (matrix.sum(axis=0) + matrix.sum(axis=1) - matrix.diagonal())[wanted]
        met = union > 1e-9
        quotients = np.where(met, hits / (union + EPSILON), 0.0)
        return float(quotients.sum() / (met.sum() + EPSILON))

    return Computation((RowSums, cells), value)


@metric("BinaryIoU")
def binary_iou(target_class_ids: Sequence[int] = (0, 1), threshold: float = 0.5) -> Computation:
    """Return the mean intersection over union of two classes."""
    return _iou(_Cells(2, None, True, True, threshold), target_class_ids)


@metric("IoU")
def iou(
    num_classes: int,
    target_class_ids: Sequence[int],
    ignore_class: int | None = None,
    sparse_y_true: bool = True,
    sparse_y_pred: bool = True,
) -> Computation:
    """Return the mean intersection over union of some classes."""
    cells = _Cells(num_classes, ignore_class, sparse_y_true, sparse_y_pred)
    return _iou(cells, target_class_ids)


@metric("MeanIoU")
def mean_iou(
    num_classes: int,
    ignore_class: int | None = None,
    sparse_y_true: bool = True,
    sparse_y_pred: bool = True,
) -> Computation:
    """Return the mean intersection over union of all classes."""
    return _iou(_Cells(num_classes, ignore_class, sparse_y_true, sparse_y_pred), None)


@metric("OneHotIoU")
def one_hot_iou(
    num_classes: int,
    target_class_ids: Sequence[int],
    ignore_class: int | None = None,
    sparse_y_pred: bool = False,
) -> Computation:
    """Return the mean intersection over union of some classes, of one-hot labels."""
    return _iou(_Cells(num_classes, ignore_class, False, sparse_y_pred), target_class_ids)


@metric("OneHotMeanIoU")
def one_hot_mean_iou(
    num_classes: int, ignore_class: int | None = None, sparse_y_pred: bool = False
) -> Computation:
    """Return the mean intersection over union of all classes, of one-hot labels."""
    return _iou(_Cells(num_classes, ignore_class, False, sparse_y_pred), None)
