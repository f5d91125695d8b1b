"""A Keras callback that reports the progress of training."""

from __future__ import annotations

from typing import Any

import keras

from penstock.progress import describe, report, tell


class TrainingProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Shows the epoch, and the batch in it, in the line of the node that trains.

    Outside of a run it does nothing. A Tuner adds it to its trials itself.

    Example:
        >>> model.fit(train, epochs=5, callbacks=[TrainingProgress()])
    """

    # Keras may go on with the next batch before it is called.
    async_safe = True

    def __init__(self) -> None:
        super().__init__()
        self._epoch = self._done = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Report how many epochs are done."""
        self._epoch = self._done = epoch
        report(epoch, self._epochs, "epochs")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Report which batch of the epoch is done."""
        steps = self.params.get("steps")
        of = f" of {steps:,}" if steps else ""
        report(self._epoch, self._epochs, "epochs", f"batch {batch + 1:,}{of}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Report that one more epoch is done."""
        self._done = epoch + 1
        report(self._done, self._epochs, "epochs")

    def on_train_end(self, logs: Any = None) -> None:
        """Report how many epochs there were."""
        tell(describe(self._done, self._epochs, "epochs"))

    @property
    def _epochs(self) -> int | None:
        epochs: int | None = self.params.get("epochs")
        return epochs
