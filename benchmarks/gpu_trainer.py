"""The model and the `run_fn` of `gpu_training.py`: convolutions enough to keep a GPU busy."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import keras

from penstock.training import FnArgs, export_model, fit

FEATURES = [f"x{index:02d}" for index in range(16)]
LABEL = "label"
BATCH = 1024


def build_model(channels: int, **compile_kwargs: Any) -> keras.Model:
    """Return the compiled model: numbers by name, each (batch, 1), to one logit."""
    keras.utils.set_random_seed(1)
    inputs = {name: keras.Input((1,), name=name) for name in FEATURES}
    hidden = keras.layers.Concatenate()(list(inputs.values()))
    hidden = keras.layers.Dense(8 * 8 * channels, activation="relu")(hidden)
    hidden = keras.layers.Reshape((8, 8, channels))(hidden)
    for _ in range(6):
        inner = keras.layers.Conv2D(channels, 3, padding="same", activation="relu")(hidden)
        hidden = keras.layers.Add()([hidden, inner])
    hidden = keras.layers.GlobalAveragePooling2D()(hidden)
    model = keras.Model(inputs, keras.layers.Dense(1, dtype="float32")(hidden))
    model.compile(
        optimizer=keras.optimizers.Adam(1e-4),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        **compile_kwargs,
    )
    return model


class EpochClock(keras.callbacks.Callback):
    """Writes the milliseconds of a step in each epoch to the file that $EPOCH_CLOCK names.

    An epoch's end reads its loss, so what the GPU has queued is done by then.
    """

    def __init__(self) -> None:
        super().__init__()
        self._epochs: list[float] = []
        self._steps = 0
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._steps, self._began = 0, time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._steps = batch + 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        float(logs["loss"])
        self._epochs.append((time.perf_counter() - self._began) * 1000 / self._steps)
        with open(os.environ["EPOCH_CLOCK"], "w", encoding="utf-8") as file:
            json.dump(self._epochs, file)


def run_fn(fn_args: FnArgs) -> Any:
    config = fn_args.custom_config
    train = fn_args.dataset("train", batch_size=BATCH, label_key=LABEL, drop_remainder=True)
    model = build_model(config["channels"], **fn_args.compile_kwargs)
    history = fit(model, train, fn_args=fn_args, epochs=config["epochs"], callbacks=[EpochClock()])
    export_model(model, fn_args.serving_model_dir, schema=fn_args.schema, label_key=LABEL)
    return history
