"""Carbon dioxide in the air of Mauna Loa: how much will there be in the next 13 weeks?

User code of `pipelines/forecast.py`: the Trainer calls `run_fn`, and BaselineComparison what it compares
with. A row is a window of the series: `co2`, the last two years, and `co2_target`, the weeks to tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from penstock.plots import forecast as draw_forecast
from penstock.plots import write_pictures
from penstock.training import Batches, FnArgs, export_model, fit

SERIES = "co2"
LABEL = "co2_target"
TIME = "date"
INPUT_WIDTH = 104
HORIZON = 13
WEEKS_OF_A_YEAR = 52
BATCH_SIZE = 64
EPOCHS = 60

# What a window is divided by: the air of a year varies by some 6 ppm.
PPM = 3.0


def dense(window):
    hidden = keras.layers.Flatten()(window)
    return keras.layers.Dense(64, activation="relu")(hidden)


def cnn(window):
    """Looks at a month, at a quarter, at a year: each layer sees three times as far."""
    hidden = window
    for dilation in (1, 3, 9):
        hidden = keras.layers.Conv1D(
            16, 4, dilation_rate=dilation, padding="causal", activation="relu"
        )(hidden)
    return keras.layers.Flatten()(hidden[:, -WEEKS_OF_A_YEAR:])


def lstm(window):
    return keras.layers.LSTM(32)(window)


NETWORKS = {"dense": dense, "cnn": cnn, "lstm": lstm}


def build_model(network: str) -> keras.Model:
    if network not in NETWORKS:
        raise ValueError(f"network is one of {', '.join(NETWORKS)}. Received: {network!r}")
    window = keras.Input((INPUT_WIDTH,), name=SERIES)
    # The level rises from year to year, so the test has values that training never saw. What changes
    # since the last week looks alike in all years: that is what the network sees and tells.
    last = window[:, -1:]
    change = keras.layers.Reshape((INPUT_WIDTH, 1))((window - last) / PPM)
    hidden = NETWORKS[network](change)
    # Weights of zero: before its first step the model says "no change", which is the persistence.
    told = keras.layers.Dense(HORIZON, kernel_initializer="zeros", dtype="float32")(hidden)
    return keras.Model({SERIES: window}, last + PPM * told)


def dataset(fn_args: FnArgs, split: str) -> Batches:
    return fn_args.dataset(split, batch_size=BATCH_SIZE, features=[SERIES], label_key=LABEL)


def name_output(weeks) -> dict:
    """Not a lambda: with JAX and PyTorch another process exports, and finds it by its name."""
    return {"forecast": weeks}


def run_fn(fn_args: FnArgs) -> keras.callbacks.History:
    """Trains one of the networks, keeps its best epoch, and draws what it says about the eval split."""
    with fn_args.strategy.scope():
        model = build_model(fn_args.custom_config.get("network", "cnn"))
        loss = fn_args.custom_config.get("loss", "mae")
        model.compile(keras.optimizers.Adam(2e-3), loss=loss, metrics=["mae", "mse"])
    history = fit(
        model,
        dataset(fn_args, "train"),
        validation_data=dataset(fn_args, "eval"),
        fn_args=fn_args,
        epochs=int(fn_args.custom_config.get("epochs", EPOCHS)),
        callbacks=[
            keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=4),
            keras.callbacks.EarlyStopping(patience=12, restore_best_weights=True),
        ],
    )
    export_model(
        model,
        fn_args.serving_model_dir,
        schema=fn_args.schema,
        label_key=[LABEL, TIME],
        postprocess=name_output,
    )
    if fn_args.is_chief:
        draw(model, fn_args)
    return history


def draw(model: keras.Model, fn_args: FnArgs) -> None:
    """Draws forecasts of the eval split, one after the other, above what came."""
    eval_split = fn_args.dataset("eval", batch_size=4096, label_key=LABEL, shuffle=False)
    features, actual = next(eval_split.epoch(0))
    origins = np.array([day.decode() for day in features[TIME].ravel()], "datetime64[D]")
    told = model.predict({SERIES: features[SERIES]}, verbose=0)
    weeks = 7 * np.arange(1, HORIZON + 1)
    shown = range(0, len(origins), HORIZON)
    times = np.concatenate([origins[i] + weeks for i in shown])
    figure = draw_forecast(
        times,
        np.concatenate([actual[i] for i in shown]),
        {"forecast, 13 weeks at a time": (times, np.concatenate([told[i] for i in shown]))},
        y_label="CO2, ppm",
        title="Mauna Loa: the eval split",
    )
    write_pictures(Path(fn_args.model_run_dir, "plots"), {"forecast": figure}, title="Forecasts")


def persistence(train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray]) -> np.ndarray:
    """As it is now."""
    return np.repeat(test[SERIES][:, -1:], HORIZON, axis=1)


def seasonal_naive(train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray]) -> np.ndarray:
    """As it was a year ago."""
    return test[SERIES][:, -WEEKS_OF_A_YEAR:][:, :HORIZON]


def seasonal_with_drift(
    train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray]
) -> np.ndarray:
    """As it was a year ago, and as much more as it is now more than a year ago."""
    window = test[SERIES]
    rise = window[:, -1:] - window[:, -1 - WEEKS_OF_A_YEAR, None]
    return seasonal_naive(train, test) + rise
