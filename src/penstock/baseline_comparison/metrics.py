"""The metrics of a comparison, computed by NumPy; the values are those of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.baseline_comparison.metric_directions import CLASS_METRICS, VALUE_METRICS, ranked

if TYPE_CHECKING:
    import numpy.typing as npt

    _Array = npt.NDArray[Any]

_EPSILON = 1e-7


def measure(name: str, labels: npt.ArrayLike, predictions: npt.ArrayLike) -> float:
    """Return a metric by its name.

    Args:
        name: One of `metric_names()`, as "accuracy", "rmse" or "recall_at_10".
        labels: For metrics of classes their indices; for metrics of values numbers; for rankings the right
            item of each row, or the right items.
        predictions: For metrics of classes scores of the shape (rows, classes); for metrics of values as
            the labels; for rankings items of the shape (rows, k), the best first.

    Raises:
        ValueError: If there is no such metric, or the shapes do not fit.

    Example:
        >>> measure("mae", [1.0, 2.0], [1.5, 2.0])
        0.25
    """
    if not len(np.asarray(labels)):
        return float("nan")
    scores = row_scores(name, labels, predictions)
    if scores is not None:
        known = scores[~np.isnan(scores)]
        return float(np.mean(known)) if known.size else float("nan")
    right, said = _checked(name, labels, predictions)
    return float((_OF_CLASSES.get(name) or _OF_VALUES[name])(right, said))


def row_scores(
    name: str, labels: npt.ArrayLike, predictions: npt.ArrayLike
) -> npt.NDArray[np.float64] | None:
    """Return what each row, or each number of it, adds to a metric that is their mean; None for others.

    Args:
        name: As in `measure`.
        labels: As in `measure`.
        predictions: As in `measure`.

    Returns:
        A score for each row; NaN for a row without a right item. None for metrics such as "auc" and
        "rmse", which are no mean over rows.

    Raises:
        ValueError: As `measure`.

    Example:
        >>> row_scores("mae", [1.0, 2.0], [1.5, 2.0])
        array([0.5, 0. ])
    """
    right, said = _checked(name, labels, predictions)
    if (found := ranked(name)) is not None:
        return _ranked(found[0], found[1], right, said)
    function = _OF_ROWS.get(name)
    return None if function is None else np.asarray(function(right, said), np.float64)


def _checked(name: str, labels: npt.ArrayLike, predictions: npt.ArrayLike) -> tuple[_Array, _Array]:
    """Return labels and predictions as the functions of a metric take them."""
    right, said = np.asarray(labels), np.asarray(predictions)
    if len(right) != len(said):
        raise ValueError(f"There are {len(right)} labels and {len(said)} predictions.")
    if ranked(name) is not None or name in CLASS_METRICS:
        return right, said
    if name not in VALUE_METRICS:
        raise ValueError(f"There is no metric {name!r}.")
    right, said = right.astype(np.float64), said.astype(np.float64)
    if right.size != said.size:
        raise ValueError(
            f"{name} compares numbers of the same shape. Received labels of the shape {right.shape} and "
            f"predictions of the shape {said.shape}"
        )
    return right.ravel(), said.ravel()


def _accuracy(places: _Array, scores: _Array) -> _Array:
    hits: _Array = np.argmax(scores, axis=1) == places
    return hits


def _balanced_accuracy(places: _Array, scores: _Array) -> float:
    chosen = np.argmax(scores, axis=1)
    return float(np.mean([np.mean(chosen[places == each] == each) for each in np.unique(places)]))


def _f1(places: _Array, scores: _Array) -> float:
    """Of the second class if there are two, else the mean of all that occur."""
    chosen = np.argmax(scores, axis=1)
    present = [1] if scores.shape[1] == 2 else np.union1d(np.unique(places), np.unique(chosen))
    values = []
    for each in present:
        both = np.sum((chosen == each) & (places == each))
        either = np.sum(chosen == each) + np.sum(places == each)
        values.append(2 * both / either if either else 0.0)
    return float(np.mean(values))


def _log_loss(places: _Array, scores: _Array) -> _Array:
    chance = np.clip(scores, _EPSILON, 1.0)
    chance = chance / chance.sum(axis=1, keepdims=True)
    # A class that nobody knew has no column: its rows cost as much as one that was excluded.
    known = places >= 0
    right = np.full(len(places), _EPSILON)
    right[known] = chance[known, places[known]]
    loss: _Array = -np.log(right)
    return loss


def _by_class(
    one: Callable[[_Array, _Array], float],
) -> Callable[[_Array, _Array], float]:
    """Return a metric of one class as the second of two, or as the mean of one against the rest."""

    def metric(places: _Array, scores: _Array) -> float:
        classes: Sequence[int] = [1] if scores.shape[1] == 2 else range(scores.shape[1])
        values = [
            one(places == each, scores[:, each])
            for each in classes
            if 0 < np.sum(places == each) < len(places)
        ]
        return float(np.mean(values)) if values else float("nan")

    return metric


def _area_under_roc(positive: _Array, score: _Array) -> float:
    """By the ranks of the positive rows (Mann and Whitney); equal scores share their rank."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse.ravel()]
    count = int(positive.sum())
    above = ranks[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(positive) - count)))


def _average_precision(positive: _Array, score: _Array) -> float:
    """Return the precisions at each distinct score, weighted by how much recall grows there."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order])
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    precision = hits[last] / (last + 1)
    grown = np.diff(np.append(0, hits[last])) / hits[-1]
    return float(np.sum(precision * grown))


def _poisson_deviance(right: _Array, said: _Array) -> _Array:
    said = np.maximum(said, _EPSILON)
    logs = np.where(right > 0, right * np.log(np.maximum(right, _EPSILON) / said), 0.0)
    deviance: _Array = 2 * (logs - right + said)
    return deviance


def _r2(right: _Array, said: _Array) -> float:
    spread = np.sum((right - right.mean()) ** 2)
    return float(1 - np.sum((right - said) ** 2) / spread) if spread else float("nan")


def _ranked(name: str, k: int, right: _Array, said: _Array) -> npt.NDArray[np.float64]:
    if said.ndim != 2:
        raise ValueError(
            f"{name}{k} takes the items of each row, the best first: an array of the shape (rows, "
            f"{k} or more). Received the shape {said.shape}"
        )
    if said.shape[1] < k:
        raise ValueError(f"{name}{k} needs {k} items for each row. Received {said.shape[1]}")
    values = []
    for wanted, items in zip(right.tolist(), said[:, :k].tolist(), strict=True):
        several = isinstance(wanted, list | tuple | set | np.ndarray)
        relevant = {_item(each) for each in (wanted if several else [wanted])} - {None}
        if not relevant:
            values.append(float("nan"))
            continue
        hits = np.array([_item(each) in relevant for each in items])
        if name == "ndcg_at_":
            gains = 1 / np.log2(np.arange(2, k + 2))
            values.append(float(hits @ gains / gains[: len(relevant)].sum()))
        elif name == "recall_at_":
            values.append(float(hits.sum() / len(relevant)))
        else:
            values.append(float(hits.any()))
    return np.array(values, np.float64)


def _item(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


_OF_ROWS: dict[str, Callable[[_Array, _Array], _Array]] = {
    "accuracy": _accuracy,
    "log_loss": _log_loss,
    "mae": lambda right, said: np.abs(right - said),
    "mape": lambda right, said: (
        np.abs(right - said) / np.maximum(np.abs(right), np.finfo(np.float64).eps)
    ),
    "poisson_deviance": _poisson_deviance,
}
_OF_CLASSES: dict[str, Callable[[_Array, _Array], float]] = {
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "auc": _by_class(_area_under_roc),
    "average_precision": _by_class(_average_precision),
}
_OF_VALUES: dict[str, Callable[[_Array, _Array], float]] = {
    "rmse": lambda right, said: float(np.sqrt(np.mean((right - said) ** 2))),
    "r2": _r2,
}
