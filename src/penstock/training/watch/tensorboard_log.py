"""A Keras callback that writes TensorBoard's files on any backend, without TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import keras

from penstock.training.watch.epoch_metrics import epoch_metrics
from penstock.training.watch.event_file import EventFile

_SECONDS_BETWEEN = 0.5
"""From one writing of the files to the next: epochs of a few milliseconds need none each."""


class TensorBoardLog(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes the metrics of each epoch where TensorBoard finds them.

    Folders, tags and steps are those of `keras.callbacks.TensorBoard`: `train/` and `validation/` with
    `epoch_loss` and the other metrics, `epoch_learning_rate`, and histograms of the weights. That one
    imports TensorFlow and can be used instead where TensorFlow trains.

    `penstock.training.fit` adds it by itself, and gives it back after a resumption what it had written.

    Args:
        log_dir: `fn_args.model_run_dir`.
        histogram_freq: Histograms of all weights are written each so many epochs; 0 for never.
        is_chief: Whether this process writes for the others; `fn_args.is_chief`.

    Raises:
        ImportError: If the package `tensorboard` is not installed.
        ValueError: If `histogram_freq` is negative.

    Example:
        >>> model.fit(train, epochs=5, callbacks=[TensorBoardLog(fn_args.model_run_dir)])
    """

    def __init__(self, log_dir: str, *, histogram_freq: int = 0, is_chief: bool = True) -> None:
        super().__init__()
        if histogram_freq < 0:
            raise ValueError(f"histogram_freq must be 0 or more. Received: {histogram_freq!r}")
        folder = str(log_dir).rstrip("/")
        self._histogram_freq = histogram_freq
        self._is_chief = is_chief
        self._train = EventFile(f"{folder}/train")
        self._validation = EventFile(f"{folder}/validation")
        self._due = 0.0
        self._rows: list[tuple[int, float, dict[str, float]]] = []

    def get_state(self) -> dict[str, Any]:
        """Return the metrics written so far, for a checkpoint."""
        return {"epochs": [[epoch, when, dict(of)] for epoch, when, of in self._rows]}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Write again what an earlier attempt had written, unless its files are still there."""
        if not self._is_chief:
            return
        known = {epoch for epoch, _, _ in self._rows}
        # The files of a failed attempt go with it; those of a process that was started again do not.
        is_there = self._train.has_forerunner()
        for epoch, when, metrics in state["epochs"]:
            if epoch in known:
                continue
            if is_there:
                self._rows.append((int(epoch), float(when), dict(metrics)))
            else:
                self._write(int(epoch), float(when), dict(metrics))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Write the metrics of the epoch."""
        if not self._is_chief:
            return
        metrics = epoch_metrics(logs)
        rate = _learning_rate(self.model)
        if rate is not None:
            metrics.setdefault("learning_rate", rate)
        self._write(epoch, time.time(), metrics)
        if self._histogram_freq and epoch % self._histogram_freq == 0:
            for weight in self.model.weights:
                values = weight.numpy()
                if values.size and values.dtype.kind in "biuf":
                    self._train.add_histogram(f"{weight.path}/histogram", values, epoch)
        if time.monotonic() >= self._due:
            self._flush()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Write what is left."""
        self._flush()

    def _flush(self) -> None:
        self._due = time.monotonic() + _SECONDS_BETWEEN
        self._train.flush()
        self._validation.flush()

    def _write(self, epoch: int, when: float, metrics: dict[str, float]) -> None:
        self._rows.append((epoch, when, metrics))
        train = {f"epoch_{n}": v for n, v in metrics.items() if not n.startswith("val_")}
        validation = {
            f"epoch_{n.removeprefix('val_')}": v for n, v in metrics.items() if n.startswith("val_")
        }
        self._train.add_scalars(train, epoch, when)
        self._validation.add_scalars(validation, epoch, when)


def _learning_rate(model: Any) -> float | None:
    """Return the learning rate that the model trains with; None if it has none."""
    optimizer = getattr(model, "optimizer", None)
    rate = getattr(optimizer, "learning_rate", None)
    if rate is None:
        return None
    try:
        return float(rate)
    except (TypeError, ValueError):
        return None
