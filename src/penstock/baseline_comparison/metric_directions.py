"""The metrics that a comparison knows by name, and whether more of each is better; without NumPy."""

from __future__ import annotations

import re

CLASS_METRICS = (
    "accuracy",
    "balanced_accuracy",
    "f1",
    "log_loss",
    "auc",
    "average_precision",
)
VALUE_METRICS = ("mae", "rmse", "r2", "mape", "poisson_deviance")
RANKED_METRICS = ("recall_at_", "ndcg_at_", "hit_rate_at_")
_LOWER = {"log_loss", "mae", "rmse", "mape", "poisson_deviance"}


def metric_names() -> tuple[str, ...]:
    """Return the metrics that a comparison knows; `K` stands for a number.

    Example:
        >>> metric_names()[:3]
        ('accuracy', 'balanced_accuracy', 'f1')
    """
    return (*CLASS_METRICS, *VALUE_METRICS, *(f"{name}K" for name in RANKED_METRICS))


def is_known(name: str) -> bool:
    """Return whether there is a metric of a name."""
    return name in CLASS_METRICS or name in VALUE_METRICS or ranked(name) is not None


def ranked(name: str) -> tuple[str, int] | None:
    """Return a ranking metric's name without its number, and the number; None for another metric."""
    found = re.fullmatch(r"(recall_at_|ndcg_at_|hit_rate_at_)([1-9]\d*)", name)
    return (found[1], int(found[2])) if found else None


def lower_is_better(name: str) -> bool:
    """Return whether less of a known metric is better."""
    return name in _LOWER
