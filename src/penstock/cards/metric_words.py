"""What a card calls a metric, and which metrics are shares of a whole."""

from __future__ import annotations

from collections.abc import Iterable

_WEIGHTED = "weighted"
_SHARES = (
    "accuracy",
    "auc",
    "f1_score",
    "fbeta",
    "npv",
    "ppv",
    "precision",
    "prevalence",
    "rate",
    "recall",
    "sensitivity",
    "specificity",
)
_RATES = ("fnr", "fpr", "tnr", "tpr", "fall_out", "squared_pearson_correlation")
_SIZES = ("example_count", "weighted_example_count", "mean_label", "mean_prediction")


def metric_words(label: str, *, all_weighted: bool = False) -> str:
    """Return a metric's name as a person reads it.

    Args:
        label: The metric's label.
        all_weighted: Whether it goes without saying that the metric is weighted.

    Example:
        >>> metric_words("auc (output, weighted)"), metric_words("weighted_example_count (weighted)")
        ('auc (output, weighted)', 'weighted example count')
    """
    name, marks = _parts(label)
    if all_weighted or name.startswith(f"{_WEIGHTED}_"):
        marks = [mark for mark in marks if mark != _WEIGHTED]
    words = name.replace("_", " ")
    return f"{words} ({', '.join(marks)})" if marks else words


def are_weighted(labels: Iterable[str]) -> bool:
    """Whether there are metrics and all of them are weighted by the examples' weights."""
    marks = [_parts(label)[1] for label in labels]
    return bool(marks) and all(_WEIGHTED in each for each in marks)


def is_of_the_whole(label: str) -> bool:
    """Whether a metric is of the whole output, and not of one class or output."""
    return not [mark for mark in _parts(label)[1] if mark != _WEIGHTED]


def is_share(label: str) -> bool:
    """Whether a metric lies between 0 and 1 by its nature, so that a bar from 0 to 1 shows it."""
    name = _parts(label)[0]
    if name.startswith(("mean_", "root_")):
        return False
    return name in _RATES or any(word in name for word in _SHARES)


def quality_first(labels: Iterable[str]) -> list[str]:
    """Return labels in their order, those that only say how much data there was at the end."""
    return sorted(labels, key=lambda label: _parts(label)[0] in _SIZES)


def _parts(label: str) -> tuple[str, list[str]]:
    name, _, rest = label.partition(" (")
    return name, rest.removesuffix(")").split(", ") if rest else []
