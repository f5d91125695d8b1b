"""The state of callbacks: Keras's own by their attributes, others by `get_state` and `set_state`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

# Attributes that Keras's callbacks change while they are called, by the name of the class.
_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "EarlyStopping": ("wait", "stopped_epoch", "best", "best_weights", "best_epoch"),
    "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
    "ModelCheckpoint": (
        "best",
        "_current_epoch",
        "_last_batch_seen",
        "_batches_seen_since_last_saving",
    ),
    "History": ("history", "epoch"),
    "TensorBoard": ("_global_train_batch", "_global_test_batch", "_previous_epoch_iterations"),
}


def callback_states(callbacks: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the name of each callback's class and its state; None for one that keeps none."""
    return [{"class": type(each).__name__, "state": _state(each)} for each in callbacks]


def set_callback_states(callbacks: Sequence[Any], states: Sequence[Mapping[str, Any]]) -> None:
    """Give callbacks the states that `callback_states` returned for such callbacks.

    They are matched by class, in order. A callback without one says so and starts anew.
    """
    left = list(states)
    for callback in callbacks:
        name = type(callback).__name__
        entry = next((each for each in left if each["class"] == name), None)
        if entry is None:
            if _names(callback) or hasattr(callback, "set_state"):
                log.warning("The checkpoint has no state for the callback %s: it starts anew", name)
            continue
        left.remove(entry)
        state = entry["state"]
        if state is None:
            continue
        if hasattr(callback, "set_state"):
            callback.set_state(state)
        else:
            for attribute, value in state.items():
                setattr(callback, attribute, value)


def _names(callback: Any) -> tuple[str, ...]:
    kinds = (
        kind.__name__ for kind in type(callback).__mro__ if kind.__module__.startswith("keras.")
    )
    return next((_ATTRIBUTES[name] for name in kinds if name in _ATTRIBUTES), ())


def _state(callback: Any) -> Any:
    if hasattr(callback, "get_state"):
        return callback.get_state()
    names = [name for name in _names(callback) if hasattr(callback, name)]
    return {name: _plain(getattr(callback, name)) for name in names} if names else None


def _plain(value: Any) -> Any:
    """Return a value without tensors, and without a list that the callback goes on changing."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(each) for each in value)
    if value is None or isinstance(value, bool | int | float | str | np.ndarray):
        return value
    array = np.asarray(value)
    return array.item() if array.ndim == 0 else array
