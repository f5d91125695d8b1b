"""The metrics of an epoch as plain numbers, and a history's epochs told to who watches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.progress import report_epoch, reported_epochs


def epoch_metrics(logs: Mapping[str, Any] | None) -> dict[str, float]:
    """Return what Keras tells of an epoch as numbers; a metric of several values becomes several.

    Args:
        logs: Values by name. What is no number is left out.

    Example:
        >>> epoch_metrics({"loss": np.float32(0.5), "f1": np.array([0.25, 0.75])})
        {'loss': 0.5, 'f1[0]': 0.25, 'f1[1]': 0.75}
    """
    metrics: dict[str, float] = {}
    for name, value in (logs or {}).items():
        if value is None:
            continue
        try:
            metrics[name] = float(value)
        except (TypeError, ValueError):
            metrics.update(_each(name, value))
    return metrics


def _each(name: str, value: Any) -> dict[str, float]:
    from penstock.training.history import history_of

    history, _ = history_of({name: [value]})
    return {each: values[0] for each, values in history.items() if values}


def complete_history(history: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """Report the epochs of a training that did not report them while it ran; return its history.

    Series of another length than the longest (validation every second epoch, a number for the whole
    training) belong to no epoch in particular: the history alone has them.

    Args:
        history: Values of each epoch by name, as `run_fn` returned them; if it returned none, what it
            reported stands for them.
    """
    known = reported_epochs()
    if not history:
        return _history_of(known)
    epochs = max(map(len, history.values()), default=0)
    is_by_epoch = epochs > 1 or any(n == "loss" or n.startswith("val_") for n in history)
    # Who reports has reported all: epochs before the first one were an earlier attempt's.
    if is_by_epoch and not known:
        series = {name: values for name, values in history.items() if len(values) == epochs}
        for index in range(epochs):
            report_epoch(index + 1, {name: values[index] for name, values in series.items()})
    return {name: list(values) for name, values in history.items()}


def _history_of(epochs: Mapping[int, Mapping[str, float]]) -> dict[str, list[float]]:
    """Return the series of those metrics that every epoch has."""
    names = dict.fromkeys(name for metrics in epochs.values() for name in metrics)
    return {
        name: [epochs[number][name] for number in sorted(epochs)]
        for name in names
        if all(name in metrics for metrics in epochs.values())
    }
