"""Fairness indicators: rates of binary decisions at thresholds, to be compared between slices.

Definitions and names are those of the fairness-indicators package 0.52 for TensorFlow Model Analysis,
fairness_indicators_metrics.py.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from penstock.evaluation.metrics.declarations import FAIRNESS_RATES, FAIRNESS_THRESHOLDS
from penstock.evaluation.metrics.matrices import Matrices, MatrixSource
from penstock.evaluation.metrics.registry import Computation, metric

# What a rate counts, and of what it is the share, of tp, tn, fp and fn.
_COUNTS = {
    "false_positive_rate": (("fp",), ("fp", "tn")),
    "false_negative_rate": (("fn",), ("fn", "tp")),
    "true_positive_rate": (("tp",), ("tp", "fn")),
    "true_negative_rate": (("tn",), ("tn", "fp")),
    "positive_rate": (("tp", "fp"), ("tp", "fp", "tn", "fn")),
    "negative_rate": (("tn", "fn"), ("tp", "fp", "tn", "fn")),
    "false_discovery_rate": (("fp",), ("fp", "tp")),
    "false_omission_rate": (("fn",), ("fn", "tn")),
    "precision": (("tp",), ("tp", "fp")),
    "recall": (("tp",), ("tp", "fn")),
}


@metric("FairnessIndicators")
def fairness_indicators(thresholds: float | list[float] | None = None) -> Computation:
    """Return ten rates at each threshold; NaN where there is nothing that it is a rate of."""
    given = FAIRNESS_THRESHOLDS if thresholds is None else thresholds
    values = [given] if isinstance(given, int | float) else list(given)
    source = MatrixSource.of(values, None)
    parts = {
        f"{rate}@{i}": Computation(source.kernel, _rate(source, rate, i), labels="binary")
        for i in range(len(values))
        for rate in FAIRNESS_RATES
    }
    return Computation(source.kernel, source.matrices, labels="binary", parts=parts)


def _rate(source: MatrixSource, name: str, threshold: int) -> Callable[[object], float]:
    counted, of = _COUNTS[name]

    def value(state: object) -> float:
        matrices = source.matrices(state)
        whole = _sum(matrices, of, threshold)
        return _sum(matrices, counted, threshold) / whole if whole else float(np.nan)

    return value


def _sum(matrices: Matrices, counts: tuple[str, ...], threshold: int) -> float:
    return float(sum(getattr(matrices, name)[threshold] for name in counts))
