"""A metric of what a model returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.baseline_comparison.metric_directions import CLASS_METRICS
from penstock.baseline_comparison.metrics import measure

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def score(metric: str, labels: Array, outputs: Array) -> float:
    """Return a metric by name, see `penstock.baseline_comparison.measure`.

    Args:
        metric: Such as "accuracy" or "mae".
        labels: Indices of classes, or values.
        outputs: Probabilities of the shape (rows, classes), or (rows, 1) of the second of two classes; or
            values.

    Example:
        >>> score("accuracy", np.array([1, 0]), np.array([[0.8], [0.3]]))
        1.0
    """
    if metric not in CLASS_METRICS:
        return measure(metric, labels, outputs)
    scores = outputs.reshape(len(outputs), -1).astype(np.float64)
    if scores.shape[1] == 1:
        scores = np.concatenate([1 - scores, scores], axis=1)
    return measure(metric, labels.astype(np.int64).ravel(), scores)
