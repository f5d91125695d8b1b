"""A learning rate that is halved whenever a metric gets worse."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import keras

log = logging.getLogger(__name__)


class HalveWhenWorse(keras.callbacks.Callback):  # type: ignore[misc]
    """Halves the learning rate after each epoch whose metric is worse than that of the epoch before.

    While the metric gets better, or stays as it is, the rate is held. `keras.callbacks.ReduceLROnPlateau`
    compares with the best epoch so far, and waits; this one compares with the last epoch, and does not.
    A killed training goes on with the rate and the metric that it had.

    Args:
        monitor: The metric: a key of the logs.
        factor: What the rate is multiplied by.
        min_lr: The rate is not made smaller than this.
        mode: "max" if a higher metric is better, "min" if a lower one is, or "auto": the latter for
            names that end in `loss` or `error`.

    Raises:
        ValueError: If an argument is impossible, or when an epoch ends without the metric.

    Example:
        >>> fit(model, train, validation_data=evaluation, epochs=20, callbacks=[HalveWhenWorse()])
    """

    def __init__(
        self,
        monitor: str = "val_accuracy",
        *,
        factor: float = 0.5,
        min_lr: float = 0.0,
        mode: str = "auto",
    ) -> None:
        super().__init__()
        if not 0 < factor < 1:
            raise ValueError(f"factor must be between 0 and 1. Received: factor={factor}")
        if min_lr < 0:
            raise ValueError(f"min_lr must be 0 or more. Received: min_lr={min_lr}")
        if mode not in ("auto", "min", "max"):
            raise ValueError(f'mode must be "auto", "min" or "max". Received: mode={mode!r}')
        self.monitor = monitor
        self.factor = factor
        self.min_lr = min_lr
        lower_is_better = mode == "min" or (mode == "auto" and monitor.endswith(("loss", "error")))
        self._sign = -1 if lower_is_better else 1
        self._previous: float | None = None

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Forget the training before this one; one that goes on is told its state after this."""
        self._previous = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Compare with the epoch before, and halve or hold."""
        if logs is None or self.monitor not in logs:
            raise ValueError(
                f"HalveWhenWorse looks at {self.monitor!r}, which this epoch does not have. Its logs: "
                f"{sorted(logs or {})}. Give validation_data, or name another metric in monitor."
            )
        now, before = float(logs[self.monitor]), self._previous
        # An operation makes one tensor of a variable that has a copy on each device.
        rate = float(keras.ops.multiply(self.model.optimizer.learning_rate, 1.0))
        logs["learning_rate"] = rate
        self._previous = now
        if before is None or self._sign * (now - before) >= 0:
            return
        smaller = max(rate * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = smaller
        log.info(
            "Epoch %d: %s went from %.4f to %.4f; learning rate %g instead of %g",
            epoch + 1, self.monitor, before, now, smaller, rate,
        )  # fmt: skip

    def get_state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps; the rate itself is kept with the optimizer."""
        return {"previous": self._previous}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from `get_state()`."""
        self._previous = state["previous"]
