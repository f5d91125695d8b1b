"""Metrics of one score per class: accuracies, cross entropies, the confusion matrix.

The accuracies and cross entropies are Keras's (what TFMA calls for them), computed in its float32 and
summed in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.keyed import ClassMatrix
from penstock.evaluation.kernels.sums import WeightedMean
from penstock.evaluation.metrics.means import mean
from penstock.evaluation.metrics.registry import Computation, metric

Array = npt.NDArray[Any]

_EPSILON = np.float32(1e-7)


def _mean_or_zero(state: Any) -> float:
    """Keras's mean: 0 without weight."""
    return float(state[0] / state[1]) if state[1] != 0 else 0.0


def _keras_mean(function: Callable[[MetricInputs], Array]) -> Computation:
    return Computation((WeightedMean, function), _mean_or_zero)


@metric("SparseCategoricalAccuracy")
def sparse_categorical_accuracy() -> Computation:
    """Return the share of rows whose class id has the greatest score."""
    return _keras_mean(_sparse_match)


@metric("CategoricalAccuracy")
def categorical_accuracy() -> Computation:
    """Return the share of rows whose greatest label and score are of the same class."""
    return _keras_mean(_dense_match)


@metric("Accuracy")
def accuracy() -> Computation:
    """Return the share of labels that equal the predictions."""
    return _keras_mean(_equal)


def _equal(inputs: MetricInputs) -> Array:
    if inputs.labels.shape[1] != inputs.predictions.shape[1]:
        raise ValueError(
            "Accuracy counts predictions that equal their label. Received: labels of shape "
            f"{list(inputs.labels.shape)} and predictions of shape {list(inputs.predictions.shape)}. For "
            "class ids beside one score per class use SparseCategoricalAccuracy."
        )
    return np.asarray((inputs.dense_labels == inputs.predictions).mean(axis=1))


def _sparse_match(inputs: MetricInputs) -> Array:
    _needs("SparseCategoricalAccuracy", inputs, sparse=True)
    return np.asarray((inputs.class_ids == np.argmax(inputs.predictions, axis=1)) & _scored(inputs))


def _dense_match(inputs: MetricInputs) -> Array:
    _needs("CategoricalAccuracy", inputs, sparse=False)
    return np.asarray((inputs.class_ids == np.argmax(inputs.predictions, axis=1)) & _scored(inputs))


def _scored(inputs: MetricInputs) -> Array:
    """Whether each row's scores are numbers: NaN is the greatest for NumPy, and no hit."""
    return np.asarray(~np.isnan(inputs.predictions).any(axis=1))


def _needs(name: str, inputs: MetricInputs, *, sparse: bool) -> None:
    if sparse != (inputs.labels.shape[1] == 1):
        expected = "one class id per row" if sparse else "one value per class (one-hot)"
        raise ValueError(
            f"{name} needs labels with {expected}. Received: labels of shape {list(inputs.labels.shape)} "
            f"and predictions of shape {list(inputs.predictions.shape)}"
        )


@metric("SparseTopKCategoricalAccuracy")
def sparse_top_k_categorical_accuracy(k: int = 5) -> Computation:
    """Return the share of rows whose class id is among the `k` greatest scores."""
    return Computation((WeightedMean, _TopK(k)), _mean_or_zero)


@metric("TopKCategoricalAccuracy")
def top_k_categorical_accuracy(k: int = 5) -> Computation:
    """Return the share of rows whose greatest label's class is among the `k` greatest scores."""
    return Computation((WeightedMean, _TopK(k)), _mean_or_zero)


@dataclass(frozen=True)
class _TopK:
    k: int

    def __call__(self, inputs: MetricInputs) -> Array:
        # A label that is none of the classes, such as -1 for an unknown one, is no hit.
        known = inputs.has_known_class
        ids = np.where(known, inputs.class_ids, 0)[:, None]
        scores = np.take_along_axis(inputs.predictions, ids, axis=1)
        best = (inputs.predictions > scores).sum(axis=1) < self.k
        return np.asarray(known & best & _scored(inputs))


@metric("SparseCategoricalCrossentropy")
def sparse_categorical_crossentropy(from_logits: bool = False) -> Computation:
    """Keras's cross entropy of class ids and scores."""
    return Computation((WeightedMean, _ClassEntropy(from_logits, 0.0, False)), _mean_or_zero)


@metric("CategoricalCrossentropy")
def categorical_crossentropy(
    from_logits: bool = False, label_smoothing: float = 0.0
) -> Computation:
    """Keras's cross entropy of one value and one score per class."""
    return Computation(
        (WeightedMean, _ClassEntropy(from_logits, label_smoothing, True)), _mean_or_zero
    )


@dataclass(frozen=True)
class _ClassEntropy:
    from_logits: bool
    label_smoothing: float
    normalize_first: bool

    def __call__(self, inputs: MetricInputs) -> Array:
        labels = inputs.dense_labels
        if not bool(inputs.has_known_class.all()):
            row = int(np.argmin(inputs.has_known_class))
            raise ValueError(
                "A categorical cross entropy needs a class in every row. Received: the label "
                f"{inputs.labels[row].tolist()}, where the model has {labels.shape[1]} classes, 0 to "
                f"{labels.shape[1] - 1}. Leave such examples out, or give unknown labels a class."
            )
        labels = labels * (1.0 - self.label_smoothing) + self.label_smoothing / labels.shape[1]
        scores = inputs.predictions.astype(np.float32)
        if self.from_logits:
            logits = scores.astype(np.float64)
        else:
            if self.normalize_first:
                scores = scores / scores.sum(axis=1, keepdims=True)
            logits = np.log(np.clip(scores, _EPSILON, np.float32(1.0) - _EPSILON)).astype(
                np.float64
            )
            if self.normalize_first:
                return np.asarray(-(labels * logits).sum(axis=1))
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return np.asarray(-(labels * (shifted - log_sum)).sum(axis=1))


@metric("CategoricalCrossEntropy")
def categorical_cross_entropy(
    from_logits: bool = False, label_smoothing: float = 0.0
) -> Computation:
    """TFMA's own cross entropy of one value and one score per class, which does not clip."""
    return Computation((WeightedMean, _UnclippedEntropy(from_logits, label_smoothing)), mean)


@dataclass(frozen=True)
class _UnclippedEntropy:
    from_logits: bool
    label_smoothing: float

    def __call__(self, inputs: MetricInputs) -> Array:
        labels = inputs.dense_labels
        labels = labels * (1.0 - self.label_smoothing) + self.label_smoothing / labels.shape[1]
        scores = inputs.predictions.astype(np.float64)
        if self.from_logits:
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores = scores / scores.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            logs = np.log(scores)
        # A class that is not there has no part in the entropy, whatever its score.
        return np.asarray(-np.where(labels == 0, 0.0, labels * logs).sum(axis=1))


@metric("BinaryCrossentropy")
def binary_crossentropy(from_logits: bool = False, label_smoothing: float = 0.0) -> Computation:
    """Keras's cross entropy of binary labels and scores."""
    return Computation(
        (WeightedMean, _BinaryEntropy(from_logits, label_smoothing, True)),
        _mean_or_zero,
        labels="binary",
    )


@metric("BinaryCrossEntropy")
def binary_cross_entropy(from_logits: bool = False, label_smoothing: float = 0.0) -> Computation:
    """TFMA's own cross entropy of binary labels and scores, which does not clip."""
    entropy = _BinaryEntropy(from_logits, label_smoothing, False)
    return Computation((WeightedMean, entropy), mean, labels="binary")


@dataclass(frozen=True)
class _BinaryEntropy:
    from_logits: bool
    label_smoothing: float
    clips: bool

    def __call__(self, inputs: MetricInputs) -> Array:
        labels = inputs.dense_labels
        labels = labels * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing
        if self.from_logits:
            logits = inputs.predictions.astype(np.float64)
            entropy = np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))
            return entropy.mean(axis=1)  # type: ignore[no-any-return]
        scores, epsilon = inputs.predictions.astype(np.float64), 0.0
        if self.clips:
            scores = np.clip(inputs.predictions.astype(np.float32), _EPSILON, 1 - _EPSILON)
            scores, epsilon = scores.astype(np.float64), float(_EPSILON)
        with np.errstate(divide="ignore", invalid="ignore"):
            entropy = labels * np.log(scores + epsilon)
            entropy = entropy + (1.0 - labels) * np.log(1.0 - scores + epsilon)
        return -entropy.mean(axis=1)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class ClassMatrices:
    """Weights by threshold, actual and predicted class; class -1 is none."""

    thresholds: tuple[float, ...]
    cells: dict[float, dict[tuple[int, int], float]]

    def to_proto(self, message: Any) -> None:
        """Fill a `MetricValue` message."""
        self.fill(message.multi_class_confusion_matrix_at_thresholds)

    def entries(self) -> dict[Hashable, Any]:
        """Return the weights by threshold, actual and predicted class."""
        return {(t, *pair): weight for t, row in self.cells.items() for pair, weight in row.items()}

    def with_entries(self, entries: Mapping[Any, Any]) -> ClassMatrices:
        """Return matrices at the same thresholds with other weights."""
        cells: dict[float, dict[tuple[int, int], float]] = {t: {} for t in self.thresholds}
        for (threshold, *pair), weight in entries.items():
            cells[threshold][pair[0], pair[1]] = float(weight)
        return ClassMatrices(self.thresholds, cells)

    def fill(self, message: Any) -> None:
        """Fill a `MultiClassConfusionMatrixAtThresholds` message."""
        for threshold in sorted(self.thresholds):
            matrix = message.matrices.add(threshold=min(max(threshold, 0.0), 1.0))
            for (actual, predicted), weight in sorted(self.cells[threshold].items()):
                matrix.entries.add(
                    actual_class_id=actual,
                    predicted_class_id=predicted,
                    num_weighted_examples=weight,
                )


def class_matrices(thresholds: tuple[float, ...], state: Any) -> ClassMatrices:
    """Read a `ClassMatrix` kernel's state."""
    cells: dict[float, dict[tuple[int, int], float]] = {threshold: {} for threshold in thresholds}
    for key, (weight,) in zip(*(part.tolist() for part in state), strict=True):
        key, predicted = divmod(key, ClassMatrix.CLASSES)
        index, actual = divmod(key, ClassMatrix.CLASSES)
        cells[thresholds[index]][(actual - 1, predicted - 1)] = weight
    return ClassMatrices(thresholds, cells)


@metric("MultiClassConfusionMatrixAtThresholds")
def multi_class_confusion_matrix_at_thresholds(
    thresholds: list[float] | None = None,
) -> Computation:
    """Count by actual and predicted class; without a score above a threshold (0.5) none is predicted."""
    values = tuple(thresholds or [0.5])
    return Computation((ClassMatrix, values), lambda s: class_matrices(values, s))
