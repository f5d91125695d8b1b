"""Plots: curves over all thresholds, calibration, and the multi-class confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.keyed_kernels import ClassMatrix, Histogram
from penstock.evaluation.metrics.matrices import (
    NUM_BUCKETS,
    Matrices,
    bucket_starts,
    interpolated_thresholds,
    matrices_from_histogram,
)
from penstock.evaluation.metrics.multiclass import ClassMatrices, class_matrices
from penstock.evaluation.metrics.registry import Computation, metric


@dataclass(frozen=True)
class MatrixPlot:
    """Confusion matrices over equidistant thresholds, for ROC and precision-recall curves."""

    matrices: Matrices

    def to_plot(self, message: Any) -> None:
        """Fill a `PlotData` message."""
        self.matrices.fill(message.confusion_matrix_at_thresholds)


@dataclass(frozen=True)
class CalibrationPlot:
    """Weighted labels, predictions and examples by bucket of the prediction."""

    edges: npt.NDArray[np.float64]
    labels: npt.NDArray[np.float64]
    predictions: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]

    def to_plot(self, message: Any) -> None:
        """Fill a `PlotData` message."""
        histogram = message.calibration_histogram_buckets
        for i in range(len(self.weights)):
            histogram.buckets.add(
                lower_threshold_inclusive=self.edges[i],
                upper_threshold_exclusive=self.edges[i + 1],
                total_weighted_label={"value": self.labels[i]},
                total_weighted_refined_prediction={"value": self.predictions[i]},
                num_weighted_examples={"value": self.weights[i]},
            )


@dataclass(frozen=True)
class ClassMatrixPlot:
    """Multi-class confusion matrices."""

    matrices: ClassMatrices

    def to_plot(self, message: Any) -> None:
        """Fill a `PlotData` message."""
        self.matrices.fill(message.multi_class_confusion_matrix_at_thresholds)


@metric("ConfusionMatrixPlot")
def confusion_matrix_plot(num_thresholds: int = 1000) -> Computation:
    """Confusion matrices at `num_thresholds` equidistant thresholds."""
    thresholds = np.array([-1e-6, *(i / num_thresholds for i in range(num_thresholds + 1))])
    return Computation(
        (Histogram, (NUM_BUCKETS, 0.0, 1.0)),
        lambda state: MatrixPlot(matrices_from_histogram(thresholds, state)),
        is_plot=True,
        labels="binary",
    )


@metric("CalibrationPlot")
def calibration_plot(num_buckets: int = 1000, left: float = 0.0, right: float = 1.0) -> Computation:
    """Labels against predictions, by `num_buckets` buckets of the prediction."""
    inner = left + np.arange(num_buckets + 1) * (right - left) / num_buckets
    lower = np.concatenate([[-np.inf], inner])

    def value(state: Any) -> CalibrationPlot:
        buckets, sums = state
        starts = bucket_starts(buckets, NUM_BUCKETS, left, right)
        index = np.searchsorted(lower[1:], starts, side="right")
        labels, predictions, weights = (
            np.bincount(index, sums[:, i], minlength=len(lower)).astype(np.float64)
            for i in range(3)
        )
        edges = np.concatenate([lower, [np.inf]])
        return CalibrationPlot(edges, labels, predictions, weights)

    return Computation((Histogram, (NUM_BUCKETS, left, right)), value, is_plot=True)


@metric("MultiClassConfusionMatrixPlot")
def multi_class_confusion_matrix_plot(
    thresholds: list[float] | None = None, num_thresholds: int | None = None
) -> Computation:
    """Count by actual and predicted class, at thresholds (0 when none is given)."""
    values = tuple(thresholds or [0.0])
    if num_thresholds is not None:
        values = tuple(interpolated_thresholds(num_thresholds))
    return Computation(
        (ClassMatrix, values),
        lambda state: ClassMatrixPlot(class_matrices(values, state)),
        is_plot=True,
    )
