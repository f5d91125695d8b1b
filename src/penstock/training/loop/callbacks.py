"""Callbacks in our loop: called as by Keras, but without a wait for the device after each batch."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import keras

from penstock.training.loop.batch_logs import BatchLogs

_HOOKS = {
    "train_begin": ("on_train_batch_begin", "on_batch_begin"),
    "train_end": ("on_train_batch_end", "on_batch_end"),
    "test_begin": ("on_test_batch_begin",),
    "test_end": ("on_test_batch_end",),
}

_ONLY_ON_THE_CHIEF = (
    "ModelCheckpoint",
    "TensorBoard",
    "TensorBoardLog",
    "CSVLogger",
    "RemoteMonitor",
    "ProgbarLogger",
)
"""Callbacks of Keras and ours that write files or texts: one process of a group does it for all."""


class Callbacks:
    """The callbacks of one training, with Keras's History among them.

    Args:
        callbacks: Keras's callbacks.
        model: The model.
        epochs: How many epochs there will be.
        steps: Steps of an epoch, or None.
        verbose: 0, 1 (a bar) or 2 (a line per epoch).
        is_chief: Whether this process writes for its group.

    Raises:
        ValueError: If there is a callback that does nothing in this loop.
    """

    def __init__(
        self,
        callbacks: Iterable[Any],
        model: Any,
        *,
        epochs: int,
        steps: int | None,
        verbose: int = 0,
        is_chief: bool = True,
    ) -> None:
        given = list(flat(callbacks))
        for callback in given:
            _check(callback)
        if not is_chief:
            given = [each for each in given if not _is_one_of(each, _ONLY_ON_THE_CHIEF)]
        elif verbose and not any(isinstance(each, keras.callbacks.ProgbarLogger) for each in given):
            given.append(_ProgressBar())
        self._list = keras.callbacks.CallbackList(
            given, add_history=True, model=model, epochs=epochs, steps=steps, verbose=verbose
        )
        self.all: list[Any] = self._list.callbacks
        self.history: keras.callbacks.History = model.history
        self._called = {
            name: [each for each in self.all if _overrides(each, hooks)]
            for name, hooks in _HOOKS.items()
        }

    def continue_files(self) -> None:
        """Make CSVLogger append, since the training continues what it has written already."""
        for callback in self.all:
            if isinstance(callback, keras.callbacks.CSVLogger):
                callback.append = True

    def train_begin(self) -> None:
        """Say that training begins."""
        self._list.on_train_begin()

    def train_end(self, logs: Mapping[str, Any] | None) -> None:
        """Say that training is over."""
        self._list.on_train_end(logs)

    def epoch_begin(self, epoch: int) -> None:
        """Say that an epoch begins."""
        self._list.on_epoch_begin(epoch)

    def epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Say that an epoch is over."""
        self._list.on_epoch_end(epoch, logs)

    def train_batch_begin(self, step: int) -> None:
        """Say that a step begins."""
        for callback in self._called["train_begin"]:
            callback.on_train_batch_begin(step)

    def train_batch_end(self, step: int, logs: Mapping[str, Any]) -> None:
        """Say that a step is over."""
        if called := self._called["train_end"]:
            values = BatchLogs(logs)
            for callback in called:
                # What only keeps a value for later takes it as it is, on the device.
                takes_tensors = getattr(callback, "takes_tensors", False)
                callback.on_train_batch_end(step, logs if takes_tensors else values)

    def test_begin(self) -> None:
        """Say that validation begins."""
        self._list.on_test_begin()

    def test_batch_begin(self, step: int) -> None:
        """Say that a step of validation begins."""
        for callback in self._called["test_begin"]:
            callback.on_test_batch_begin(step)

    def test_batch_end(self, step: int, logs: Mapping[str, Any]) -> None:
        """Say that a step of validation is over."""
        if called := self._called["test_end"]:
            values = BatchLogs(logs)
            for callback in called:
                callback.on_test_batch_end(step, values)

    def test_end(self, logs: Mapping[str, Any]) -> None:
        """Say that validation is over."""
        self._list.on_test_end(logs)


class _ProgressBar(keras.callbacks.ProgbarLogger):  # type: ignore[misc]
    """Keras's bar, drawn five times a second, since each time waits for the device."""

    _due = 0.0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if time.monotonic() >= self._due:
            super().on_train_batch_end(batch, logs)
            self._due = time.monotonic() + 0.2


def flat(callbacks: Any) -> Iterable[Any]:
    """Yield the callbacks of nested lists and of Keras's CallbackLists."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    if not isinstance(callbacks, list | tuple):
        callbacks = [callbacks]
    for each in callbacks:
        if isinstance(each, list | tuple | keras.callbacks.CallbackList):
            yield from flat(each)
        else:
            yield each


def _check(callback: Any) -> None:
    if not isinstance(callback, keras.callbacks.Callback):
        raise TypeError(f"callbacks must be Keras callbacks. Received: {type(callback).__name__}")
    if isinstance(callback, keras.callbacks.BackupAndRestore):
        raise ValueError(
            "BackupAndRestore has no effect in fit, which resumes by itself from fn_args.checkpoint_dir. "
            "Remove the callback; checkpoint_every= sets how often a checkpoint is written."
        )


def _is_one_of(callback: Any, names: tuple[str, ...]) -> bool:
    return any(
        kind.__name__ in names and kind.__module__.startswith(("keras.", "penstock."))
        for kind in type(callback).__mro__
    )


def _overrides(callback: Any, hooks: tuple[str, ...]) -> bool:
    """Return whether a callback does anything in these hooks; Keras's own do nothing."""
    plain = keras.callbacks.Callback
    return any(
        getattr(getattr(callback, hook), "__func__", None) is not getattr(plain, hook)
        for hook in hooks
    )
