"""Which moments of a space shuttle's flight are unlike the others?

User code of `pipelines/anomaly.py`: Transform calls `preprocessing_fn`, the Trainer `run_fn`, and
BaselineComparison `baseline_fn`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from keras import ops
from modules.shuttle import ANOMALOUS, SENSORS, STATE, scaled, transformed

from penstock.plots import score_histogram, write_pictures
from penstock.training import Batches, FnArgs, export_model, fit
from penstock.transform import fill_missing

LABEL = transformed(ANOMALOUS)
BATCH_SIZE = 128
EPOCHS = 10


def preprocessing_fn(inputs):
    return {**scaled(inputs), LABEL: fill_missing(inputs[ANOMALOUS])}


def build_model(code: int = 2) -> keras.Model:
    """Returns an autoencoder whose output is how far what it rebuilds is from what it saw."""
    inputs = {transformed(name): keras.Input((1,), name=transformed(name)) for name in SENSORS}
    seen = keras.layers.Concatenate()(list(inputs.values()))
    hidden = keras.layers.Dense(16, activation="relu")(seen)
    # Nine numbers pass through two. That succeeds for rows like those of training, and only for them.
    hidden = keras.layers.Dense(code, name="code")(hidden)
    hidden = keras.layers.Dense(16, activation="relu")(hidden)
    rebuilt = keras.layers.Dense(len(SENSORS))(hidden)
    error = ops.mean(ops.square(rebuilt - seen), axis=1, keepdims=True)
    return keras.Model(inputs, error)


def error_of_normal_rows(anomalous, error):
    """What training makes small; an anomaly is not to be learned, so it counts nothing."""
    return (1.0 - ops.cast(anomalous, error.dtype)) * error


def dataset(fn_args: FnArgs, split: str, **how) -> Batches:
    return fn_args.dataset(split, batch_size=BATCH_SIZE, label_key=LABEL, **how)


def run_fn(fn_args: FnArgs) -> keras.callbacks.History:
    """Trains the autoencoder, takes the threshold from a quantile, and exports both as one model."""
    with fn_args.strategy.scope():
        model = build_model()
        model.compile(keras.optimizers.Adam(5e-3), loss=error_of_normal_rows)
    history = fit(
        model,
        dataset(fn_args, "train"),
        validation_data=dataset(fn_args, "eval"),
        fn_args=fn_args,
        epochs=int(fn_args.custom_config.get("epochs", EPOCHS)),
        callbacks=[keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)],
    )
    # The eval split was not trained on, so its errors are as large as those of new rows.
    features, anomalous = next(
        fn_args.dataset("eval", batch_size=100_000, label_key=LABEL, shuffle=False).epoch(0)
    )
    error, is_anomaly = model.predict(features, verbose=0)[:, 0], anomalous[:, 0] == 1
    quantile = float(fn_args.custom_config.get("quantile", 0.99))
    threshold = float(np.quantile(error[~is_anomaly], quantile))

    def judge(error):
        # From 0 to 1, and 1/2 at the threshold.
        score = error[:, 0] / (error[:, 0] + threshold)
        return {"score": score, "anomalous": ops.cast(score > 0.5, "int64")}

    export_model(
        model,
        fn_args.serving_model_dir,
        transform_output=fn_args.transform_graph_path,
        label_key=[ANOMALOUS, STATE],
        postprocess=judge,
    )
    if fn_args.is_chief:
        groups = {"normal": error[~is_anomaly], "anomalous": error[is_anomaly]}
        figure = score_histogram(
            groups, threshold=threshold, x_label="error of what is rebuilt", log_x=True
        )
        write_pictures(
            Path(fn_args.model_run_dir, "plots"),
            {"errors": figure},
            title="Errors of the eval split",
        )
    return history


def baseline_fn(train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray]) -> np.ndarray:
    """An isolation forest of the same normal rows: the higher, the stranger."""
    from sklearn.ensemble import IsolationForest

    def matrix(rows: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.column_stack([np.ravel(rows[name]) for name in SENSORS]).astype(float)

    normal = np.ravel(train[ANOMALOUS]) == 0
    forest = IsolationForest(random_state=0).fit(matrix(train)[normal])
    return -forest.score_samples(matrix(test))
