"""Which optimizer, which schedule, which loss? Each is tried on the same model, data and first weights.

User code of `pipelines/optimizers.py`. Every optimizer gets the learning rate that a range test finds for
it: at one rate for all, the comparison would say whom that rate suits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from keras.optimizers import schedules
from modules.custom_loop import LABEL, MacroRecall, SparseFocalLoss, WarmUpThenCosine
from modules.custom_loop import preprocessing_fn as preprocessing_fn
from modules.shuttle import ANOMALOUS, SENSORS, STATE, transformed

from penstock.plots import curve_comparison, learning_rate_curve, write_pictures
from penstock.training import Batches, FnArgs, export_model, fit, learning_rate_range

BATCH_SIZE = 128
EPOCHS = 5
JUDGED_BY = "val_log_loss"
PEAK = 0.2  # where schedules begin, with SGD and momentum: high, so that it pays to come down
RATE = 0.006  # of Adam, for losses

OPTIMIZERS = {
    "SGD": keras.optimizers.SGD,
    "SGD, momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
    "Adagrad": keras.optimizers.Adagrad,
    "RMSprop": keras.optimizers.RMSprop,
    "Adam": keras.optimizers.Adam,
    "AdamW": lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.01),
    "Lion": keras.optimizers.Lion,
}

SCHEDULES = {
    "constant": lambda steps: PEAK,
    "steps": lambda steps: schedules.PiecewiseConstantDecay(
        [steps // 2, steps * 3 // 4], [PEAK, PEAK / 5, PEAK / 25]
    ),
    "exponential": lambda steps: schedules.ExponentialDecay(PEAK, steps, decay_rate=0.02),
    "inverse time": lambda steps: schedules.InverseTimeDecay(PEAK, steps, decay_rate=10),
    "polynomial": lambda steps: schedules.PolynomialDecay(PEAK, steps, PEAK / 50),
    "cosine": lambda steps: schedules.CosineDecay(PEAK, steps),
    "cosine, restarts": lambda steps: schedules.CosineDecayRestarts(PEAK, steps // 3),
    "warm-up, cosine": lambda steps: WarmUpThenCosine(PEAK, steps // 10, steps),
}


def on_one_hot(loss):
    """Lets a loss that compares vectors take the number of the class."""

    def compared(y_true, y_pred):
        index = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        return loss(ops.one_hot(index, y_pred.shape[-1]), y_pred)

    return compared


LOSSES = {
    "cross-entropy": keras.losses.SparseCategoricalCrossentropy(),
    "label smoothing": on_one_hot(
        lambda y, p: keras.losses.categorical_crossentropy(y, p, label_smoothing=0.1)
    ),
    "focal": SparseFocalLoss(2.0),
    "squared error": on_one_hot(keras.losses.mean_squared_error),
    "Huber": on_one_hot(lambda y, p: keras.losses.huber(y, p, delta=0.5)),
    "hinge": on_one_hot(keras.losses.categorical_hinge),
}

COMPARED = {"optimizers": OPTIMIZERS, "schedules": SCHEDULES, "losses": LOSSES}


def build_model(states: int) -> keras.Model:
    inputs = {transformed(name): keras.Input((1,), name=transformed(name)) for name in SENSORS}
    hidden = keras.layers.Concatenate()(list(inputs.values()))
    hidden = keras.layers.Dense(32, activation="relu")(hidden)
    hidden = keras.layers.Dense(32, activation="relu")(hidden)
    return keras.Model(inputs, keras.layers.Dense(states, activation="softmax")(hidden))


def compiled(fn_args: FnArgs, optimizer, rate, loss=LOSSES["cross-entropy"]) -> keras.Model:
    """Returns a model that begins with the same weights each time.

    `rate` is a number or a schedule. The optimizer is made here, as all variables are: in the scope of the
    strategy.
    """
    keras.utils.set_random_seed(fn_args.seed or 0)
    states = fn_args.vocabulary_size(STATE)
    with fn_args.strategy.scope():
        model = build_model(states)
        # Losses have units of their own, so all are judged by something else.
        judges = [
            keras.metrics.SparseCategoricalCrossentropy(name="log_loss"),
            keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
            MacroRecall(states),
        ]
        model.compile(optimizer(rate), loss, metrics=judges)
    return model


def dataset(fn_args: FnArgs, split: str) -> Batches:
    return fn_args.dataset(split, batch_size=BATCH_SIZE, label_key=LABEL)


def run_fn(fn_args: FnArgs) -> dict:
    """Trains a model for each thing that is compared, exports the best and draws all of them."""
    compare = fn_args.custom_config.get("compare", "optimizers")
    if compare not in COMPARED:
        raise ValueError(f"compare is one of {', '.join(COMPARED)}. Received: {compare!r}")
    epochs = int(fn_args.custom_config.get("epochs", EPOCHS))
    train, evaluation = dataset(fn_args, "train"), dataset(fn_args, "eval")
    figures, rates, histories, models = {}, {}, {}, {}
    for name, choice in COMPARED[compare].items():
        if compare == "optimizers":
            found = learning_rate_range(compiled(fn_args, choice, 1e-5), train, lowest=1e-5)
            rates[name] = found.suggested
            figures[f"learning_rate_{len(rates)}"] = learning_rate_curve(
                found.rates, found.losses, found.smoothed, suggested=found.suggested, title=name
            )
            model = compiled(fn_args, choice, found.suggested)
        elif compare == "schedules":
            steps = epochs * train.steps_per_epoch
            model = compiled(fn_args, OPTIMIZERS["SGD, momentum"], choice(steps))
        else:
            model = compiled(fn_args, keras.optimizers.Adam, RATE, choice)
        histories[name] = fit(
            model, train, validation_data=evaluation, fn_args=fn_args, epochs=epochs
        ).history
        models[name] = model
    best = min(histories, key=lambda name: histories[name][JUDGED_BY][-1])
    for metric in (JUDGED_BY, "val_macro_recall"):
        figures[metric] = curve_comparison(
            {name: history[metric] for name, history in histories.items()},
            y_label=metric.replace("_", " "),
            title=f"{compare}; the best is {best}",
            log_y=metric == JUDGED_BY,
        )
    if fn_args.is_chief:
        folder = Path(fn_args.model_run_dir, "plots")
        write_pictures(folder, dict(reversed(figures.items())), title=f"Comparison of {compare}")
        ends = {
            name: {metric: values[-1] for metric, values in history.items()}
            for name, history in histories.items()
        }
        told = {"best": best, "learning_rates": rates, "last_epoch": ends}
        (folder / "comparison.json").write_text(json.dumps(told, indent=1))
    names = tf.constant(fn_args.vocabulary(STATE))
    export_model(
        models[best],
        fn_args.serving_model_dir,
        transform_output=fn_args.transform_graph_path,
        label_key=[STATE, ANOMALOUS],
        postprocess=lambda probabilities: {
            "probabilities": probabilities,
            "state": tf.gather(names, tf.argmax(probabilities, axis=1)),
        },
        class_names=STATE,
    )
    return histories[best]


def baseline_fn(train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray]) -> np.ndarray:
    """A logistic regression on the same scaled sensors."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def matrix(rows: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.arcsinh(np.column_stack([np.ravel(rows[name]) for name in SENSORS]).astype(float))

    states = [state.decode() for state in np.ravel(train[STATE])]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    return model.fit(matrix(train), states).predict_proba(matrix(test))
