"""A Keras callback that reports epochs to Optuna, which may end the trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras


class OptunaPruning(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports a metric after each epoch to an Optuna trial, and ends the trial if its pruner says so.

    Args:
        trial: The trial that the objective was given.
        monitor: The metric, as Keras names it, such as "val_loss".

    Raises:
        ValueError: After the first epoch, if the model has no such metric.
        optuna.TrialPruned: After an epoch, if the trial is pruned; let it pass.

    Example:
        >>> model.fit(train, validation_data=eval, callbacks=[OptunaPruning(trial, "val_loss")])
    """

    def __init__(self, trial: Any, monitor: str = "val_loss") -> None:
        super().__init__()
        self._trial, self._monitor = trial, monitor

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Report the metric, and raise if the trial is pruned."""
        import optuna

        found = logs or {}
        if self._monitor not in found:
            raise ValueError(
                f"OptunaPruning(monitor={self._monitor!r}): the model has no such metric. "
                f"It has: {', '.join(sorted(found))}"
            )
        self._trial.report(float(found[self._monitor]), epoch)
        if self._trial.should_prune():
            raise optuna.TrialPruned(f"pruned after epoch {epoch + 1}")
