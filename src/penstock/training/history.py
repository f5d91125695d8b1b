"""The result of `run_fn`, as numbers by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_MOST_VALUES = 100
"""Values an epoch; what has more is no curve that a person looks at."""


def history_of(result: object) -> tuple[dict[str, list[float]], list[str]]:
    """Return the result of a `run_fn` as numbers by epoch.

    Args:
        result: The result of Keras's `fit`, or a mapping of numbers, of lists of numbers by epoch,
            or of such mappings; anything else has no history. A metric of several values, such as
            Keras's F1Score, becomes one series per value.

    Returns:
        The numbers of each epoch by name, and the names of entries without numbers.

    Example:
        >>> history_of({"loss": [0.5, 0.2], "f1": [[0.1, 0.3]], "eval": {"auc": 0.9}, "by": "me"})
        ({'loss': [0.5, 0.2], 'f1[0]': [0.1], 'f1[1]': [0.3], 'eval/auc': [0.9]}, ['by'])
    """
    history: dict[str, list[float]] = {}
    left_out: list[str] = []
    for name, value in _leaves(getattr(result, "history", result)):
        series = _series(name, value)
        history.update(series or {})
        if series is None:
            left_out.append(name)
    return history, left_out


def _leaves(values: Any, prefix: str = "") -> Iterable[tuple[str, Any]]:
    if not isinstance(values, Mapping):
        return
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", value


def _series(name: str, value: Any) -> dict[str, list[float]] | None:
    """Return a value as a series by name, or None if it holds no numbers."""
    import numpy as np

    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf" and (value is None or array.dtype.kind in "SUMmc"):
            return None
        # An object's array: a None among numbers is an epoch without a value.
        array = array.astype(float)
    except (TypeError, ValueError, OverflowError):
        return None
    if array.ndim < 2:
        return {name: np.atleast_1d(array).tolist()}
    if not array.size:
        return None
    by_epoch = array.reshape(len(array), -1).T
    if len(by_epoch) > _MOST_VALUES:
        return None
    return {f"{name}[{i}]": values.tolist() for i, values in enumerate(by_epoch)}
