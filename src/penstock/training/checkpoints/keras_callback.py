"""Checkpoints for trainings by Keras's own `fit`, at the ends of epochs."""

from __future__ import annotations

from typing import Any

import keras

from penstock.training.checkpoints.cadence import Cadence
from penstock.training.checkpoints.callback_state import callback_states, set_callback_states
from penstock.training.checkpoints.checkpointing import Checkpointing
from penstock.training.checkpoints.folder import CheckpointFolder
from penstock.training.checkpoints.random_state import random_state, set_random_state
from penstock.training.checkpoints.variables import assign_variables, read_variables
from penstock.training.fn_args import FnArgs


class Checkpoints(keras.callbacks.Callback):  # type: ignore[misc]
    """Lets a training by Keras's `fit` go on after the last epoch that was done before it was killed.

    `penstock.training.fit` needs no callback for that and goes on within an epoch, in the order of the
    data. Here the data begin anew with each epoch, so `shuffle` follows another order than it would have
    had, unless the data bring an order of their own.

    Args:
        fn_args: The argument of `run_fn`; without `checkpoint_dir` the callback does nothing.
        callbacks: The other callbacks whose state is to be kept. They must come before this one.
        every: "epoch", or None for every epoch as long as that takes less than 2 % of the time.

    Raises:
        ValueError: If `every` is neither.

    Example:
        >>> early = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
        >>> model.fit(x, y, epochs=20, callbacks=[early, Checkpoints(fn_args, [early])])
    """

    def __init__(
        self, fn_args: FnArgs, callbacks: list[Any] | None = None, *, every: str | None = None
    ) -> None:
        super().__init__()
        if every not in (None, "epoch"):
            raise ValueError(
                'Keras\'s fit writes checkpoints at the ends of epochs: every is "epoch" or None. '
                f"Received: {every!r}"
            )
        self._kept = list(callbacks or ())
        self._epochs: list[int] = []
        self._logs: dict[str, list[Any]] = {}
        self._is_told = True
        self._checkpointing = None
        if fn_args.checkpoint_dir is not None:
            self._checkpointing = Checkpointing(
                CheckpointFolder(f"{fn_args.checkpoint_dir}/keras-fit"),
                Cadence(every),
                writes=fn_args.is_chief,
            )

    def on_train_begin(self, logs: Any = None) -> None:
        """Restore the last checkpoint that fits."""
        self._epochs, self._logs, self._is_told = [], {}, True
        if self._checkpointing is None:
            return
        model = self.model
        if not model.built:
            raise ValueError(
                "Checkpoints restores a model that is built: give it a keras.Input, or call "
                "model.build(...) before fit."
            )
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        found = self._checkpointing.find(model)
        if found is None:
            return
        assign_variables(model, found["variables"])
        set_callback_states(self._kept, found["callbacks"])
        set_random_state(found["random"])
        self._epochs, self._logs, self._is_told = found["epochs"], found["logs"], False
        # What Keras's BackupAndRestore sets; there is no public name for it.
        model._initial_epoch = found["position"]["epoch"]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Give the history the epochs before; it was emptied when training began."""
        self._tell_history()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write a checkpoint, unless it would take too large a share of the time."""
        if self._checkpointing is None:
            return
        # Keras's History comes after all other callbacks, and does not know this epoch yet.
        self._epochs.append(epoch)
        for name, value in (logs or {}).items():
            self._logs.setdefault(name, []).append(value)
        if self._checkpointing.cadence.after_epoch():
            self._checkpointing.save(lambda: self._contents(epoch + 1))

    def on_train_end(self, logs: Any = None) -> None:
        """Wait for the last checkpoint, and let the next `fit` begin at its first epoch."""
        self._tell_history()
        self.model._initial_epoch = None
        if self._checkpointing is not None:
            self._checkpointing.wait()

    def _tell_history(self) -> None:
        if not self._is_told:
            self.model.history.epoch = list(self._epochs)
            self.model.history.history = {name: list(of) for name, of in self._logs.items()}
            self._is_told = True

    def _contents(self, epochs: int) -> dict[str, Any]:
        return {
            "finished": False,
            "position": {"epoch": epochs, "total": int(self.model.optimizer.variables[0].numpy())},
            "variables": read_variables(self.model, metrics=False),
            "callbacks": callback_states(self._kept),
            "random": random_state(),
            "epochs": list(self._epochs),
            "logs": {name: list(of) for name, of in self._logs.items()},
        }
