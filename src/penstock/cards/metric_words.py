"""What a card calls a metric, and which metrics are shares of a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_WEIGHTED = "weighted"
_SHARES = (
    "accuracy",
    "auc",
    "f1_score",
    "fbeta",
    "ndcg",
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
_HIGHER_IS_BETTER = (
    "correlation",
    "coefficient",
    "fowlkes",
    "informedness",
    "markedness",
    "r2",
    "threat",
)
_LOWER_IS_BETTER = (
    "error",
    "loss",
    "crossentropy",
    "divergence",
    "deviation",
    "hinge",
    "false_",
    "fpr",
    "fnr",
    "fall_out",
    "miss_rate",
    "label_position",
)
_NEITHER = ("prevalence", "predicted_positive_rate")
_SIZES = (
    "example_count",
    "weighted_example_count",
    "mean_label",
    "mean_prediction",
    "total_queries",
    "total_documents",
    "min_documents",
    "max_documents",
)


def metric_words(label: str, *, all_weighted: bool = False, class_names: Sequence[str] = ()) -> str:
    """Return a metric's name as a person reads it.

    Args:
        label: The metric's label.
        all_weighted: Whether it goes without saying that the metric is weighted.
        class_names: The names of the classes; others are called by their number.

    Example:
        >>> metric_words("auc (output, weighted)"), metric_words("weighted_example_count (weighted)")
        ('auc (output, weighted)', 'weighted example count')
    """
    name, marks = _parts(label)
    if all_weighted or name.startswith(f"{_WEIGHTED}_"):
        marks = [mark for mark in marks if mark != _WEIGHTED]
    words = name.replace("_", " ")
    marks = [_class(mark, class_names) for mark in marks]
    return f"{words} ({', '.join(marks)})" if marks else words


def _class(mark: str, class_names: Sequence[str]) -> str:
    number = mark.removeprefix("class_id ")
    if number != mark and number.isdecimal():
        return class_names[int(number)] if int(number) < len(class_names) else f"class {number}"
    return mark.replace("_", " ")


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


def better(label: str) -> int:
    """Return 1 if higher is better, -1 if lower is, 0 where the name does not say.

    Example:
        >>> better("auc"), better("mean_squared_error"), better("mean_label")
        (1, -1, 0)
    """
    name = _parts(label)[0]
    if any(word in name for word in _LOWER_IS_BETTER):
        return -1
    if is_share(label) or any(word in name for word in _HIGHER_IS_BETTER):
        return 0 if name in _NEITHER else 1
    return 0


def quality_first(labels: Iterable[str]) -> list[str]:
    """Return labels in their order, those that only say how much data there was at the end."""
    return sorted(labels, key=lambda label: _parts(label)[0] in _SIZES)


def _parts(label: str) -> tuple[str, list[str]]:
    name, _, rest = label.partition(" (")
    return name, rest.removesuffix(")").split(", ") if rest else []
