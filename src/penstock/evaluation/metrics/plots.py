"""Plots: curves over all thresholds, calibration, and the multi-class confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.kernels.keyed import ClassMatrix, Histogram, LabelMatrix, ScoreBuckets
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
        buckets = message.calibration_histogram_buckets.buckets
        edges = self.edges.tolist()
        columns = (self.labels, self.predictions, self.weights)
        # A thousand buckets in each slice: fields are set one by one, which is twice as fast as dicts.
        for lower, upper, label, prediction, weight in zip(
            edges, edges[1:], *(column.tolist() for column in columns), strict=False
        ):
            bucket = buckets.add(lower_threshold_inclusive=lower, upper_threshold_exclusive=upper)
            bucket.total_weighted_label.value = label
            bucket.total_weighted_refined_prediction.value = prediction
            bucket.num_weighted_examples.value = weight


@dataclass(frozen=True)
class ScorePlot:
    """Weights of the scores above and below thresholds."""

    matrices: Matrices

    def to_plot(self, message: Any) -> None:
        """Fill a `PlotData` message as TFMA does.

        It is a confusion matrix whose labels are the scores themselves; what lies above a threshold is then
        put together as true positives, and what lies below as true negatives.
        """
        filled = message.confusion_matrix_at_thresholds
        self.matrices.fill(filled)
        for matrix in filled.matrices:
            matrix.true_negatives += matrix.false_negatives
            matrix.true_positives += matrix.false_positives
            matrix.false_negatives = matrix.false_positives = 0.0
            matrix.precision = matrix.recall = 0.0


@dataclass(frozen=True)
class LabelMatrixPlot:
    """Weights by threshold, actual class and class: false and true negatives and positives."""

    cells: dict[float, dict[tuple[int, int], npt.NDArray[np.float64]]]

    @classmethod
    def of(cls, thresholds: tuple[float, ...], state: Any) -> LabelMatrixPlot:
        """Read a `LabelMatrix` kernel's state."""
        cells: dict[float, dict[tuple[int, int], npt.NDArray[np.float64]]] = {}
        for key, sums in zip(*state, strict=True):
            if not sums.any():
                # No row has this actual class.
                continue
            key, predicted = divmod(int(key), LabelMatrix.CLASSES)
            index, actual = divmod(key, LabelMatrix.CLASSES)
            cells.setdefault(thresholds[index], {})[actual, predicted] = sums
        return cls(cells)

    def to_plot(self, message: Any) -> None:
        """Fill a `PlotData` message."""
        filled = message.multi_label_confusion_matrix_at_thresholds
        names = ("false_negatives", "true_negatives", "false_positives", "true_positives")
        for threshold, cells in sorted(self.cells.items()):
            matrix = filled.matrices.add(threshold=min(max(threshold, 0.0), 1.0))
            for (actual, predicted), sums in sorted(cells.items()):
                counts = dict(zip(names, sums.tolist(), strict=True))
                matrix.entries.add(actual_class_id=actual, predicted_class_id=predicted, **counts)


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


@metric("ScoreDistributionPlot")
def score_distribution_plot(num_thresholds: int = 1000) -> Computation:
    """Return how many scores lie above and below `num_thresholds` thresholds, whatever the labels."""
    thresholds = (-1e-6, *(i / num_thresholds for i in range(num_thresholds + 1)))

    def value(state: Any) -> ScorePlot:
        buckets, sums = state
        # Bucket i lies above the first i thresholds.
        counts = np.zeros((len(thresholds) + 1, 2))
        counts[buckets] = sums
        below = np.cumsum(counts, axis=0)[:-1]
        above = counts.sum(axis=0) - below
        tp, fp = above[:, 0], above[:, 1] - above[:, 0]
        fn, tn = below[:, 0], below[:, 1] - below[:, 0]
        return ScorePlot(Matrices(np.array(thresholds), tp, tn, fp, fn))

    return Computation((ScoreBuckets, thresholds), value, is_plot=True, labels="none")


@metric("MultiLabelConfusionMatrixPlot")
def multi_label_confusion_matrix_plot(
    thresholds: list[float] | None = None, num_thresholds: int | None = None
) -> Computation:
    """Return, for each actual class, a confusion matrix of each class; several may be true at once."""
    values = tuple(thresholds or [0.5])
    if num_thresholds is not None:
        values = tuple(interpolated_thresholds(num_thresholds))
    return Computation(
        (LabelMatrix, values), lambda state: LabelMatrixPlot.of(values, state), is_plot=True
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
