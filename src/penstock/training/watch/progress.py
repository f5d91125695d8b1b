"""A Keras callback that reports how far training is, and the metrics of each epoch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import keras

from penstock.progress import is_due, report_epoch, tell
from penstock.training.watch.epoch_metrics import epoch_metrics
from penstock.training.watch.time_left import TimeLeft, clock

_SECONDS_BETWEEN = 0.1


class TrainingProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Shows the epoch, the step, the loss and the time left in the line of the node that trains.

    After each epoch it reports the metrics, which the store keeps and `penstock show` lists. The loss of
    a step is looked at only when it is shown, a few times a second: the device does not wait for it.

    Outside of a run it does nothing. A Tuner adds it to its trials, and `penstock.training.fit` to its
    callbacks.

    Example:
        >>> model.fit(train, epochs=5, callbacks=[TrainingProgress()])
    """

    # Keras may go on with the next batch before it is called.
    async_safe = True

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0
        self._steps: int | None = None
        self._time = TimeLeft(time.monotonic)
        self._training = False
        self._told = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Begin to measure."""
        self._time, self._training, self._told = TimeLeft(time.monotonic), True, 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Report which epoch begins."""
        self._epoch = epoch
        # Keras learns from the first epoch how many steps it has; from then on so do we.
        self._steps = self.params.get("steps") or self._steps
        self._time.begin_epoch()
        self._tell(self._text())

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Report which step of the epoch is done, if it is time to."""
        self._time.step(batch + 1)
        if is_due():
            tell(self._text(batch + 1, logs))

    def on_test_begin(self, logs: Any = None) -> None:
        """Report that the model is validated."""
        if self._training:
            self._tell(f"{self._text(self._time.last_step)}, validating")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Report the metrics of the epoch."""
        self._steps = self._time.end_epoch() or self._steps
        report_epoch(epoch + 1, epoch_metrics(logs))

    def on_train_end(self, logs: Any = None) -> None:
        """Report how many epochs there were."""
        self._training = False
        epochs = self._epochs
        done = self._epoch + 1
        tell(f"{done:,} of {epochs:,} epochs" if epochs else f"{done:,} epochs")

    def _tell(self, text: str) -> None:
        """Tell what will hold for a while, unless epochs are so short that nobody could read it."""
        now = time.monotonic()
        if now >= self._told + _SECONDS_BETWEEN:
            self._told = now
            tell(text)

    def _text(self, step: int = 0, logs: Mapping[str, Any] | None = None) -> str:
        epochs, steps = self._epochs, self._steps
        parts = [f"epoch {self._epoch + 1:,}" + (f" of {epochs:,}" if epochs else "")]
        if step:
            parts.append(f"step {step:,}" + (f" of {steps:,}" if steps else ""))
            loss = epoch_metrics({"loss": (logs or {}).get("loss")}).get("loss")
            parts += [] if loss is None else [f"loss {loss:.4g}"]
        left = self._time.left(self._epoch, epochs, step, steps)
        return ", ".join(parts + ([] if left is None else [f"{clock(left)} left"]))

    @property
    def _epochs(self) -> int | None:
        epochs: int | None = self.params.get("epochs")
        return epochs
