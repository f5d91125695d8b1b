"""Flights out of New York: will it be late, and how long will it be in the air?

User code of `pipelines/tabular.py` (classification) and `pipelines/tabular_regression.py`: a wide and
deep network (Cheng et al. 2016, https://arxiv.org/abs/1606.07792). Only `preprocessing_fn` imports
TensorFlow, so that with `backend=jax` or `torch` the process that trains does without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import keras
import numpy as np

from penstock.plots import predicted_and_actual, write_pictures
from penstock.training import Batches, FnArgs, export_model, fit
from penstock.tuning import TunerFnResult

LATE = "late"
AIR_TIME = "air_time"
NUMERIC = (
    "distance", "plane_year", "seats", "temp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip",
    "pressure", "visib",
)  # fmt: skip
# A direction of 350 degrees is near one of 10: the model gets the wind's two components instead.
MEASURED = (*(name for name in NUMERIC if name != "wind_dir"), "wind_east", "wind_north")
# That these are missing is a feature of its own: where no gust was measured, the air was calm.
WITH_GAPS = ("plane_year", "temp", "wind_gust", "pressure")
CATEGORIES = ("carrier", "origin", "dest", "manufacturer", "month", "weekday", "hour")
# Pairs that say more than each of the two: the wide part learns a weight for each pair.
CROSSES = {
    "carrier_dest": ("carrier", "dest"),
    "origin_hour": ("origin", "hour"),
    "month_hour": ("month", "hour"),
}
CROSS_BUCKETS = 2000
NUMBERS = (*MEASURED, *(f"{name}_known" for name in WITH_GAPS))
"""The numbers that the model gets."""

BATCH_SIZE = 256


def transformed(name: str) -> str:
    return f"{name}_xf"


def preprocessing_fn(inputs):
    import tensorflow as tf
    import tensorflow_transform as tft

    from penstock.transform import fill_missing

    numbers = {
        name: fill_missing(tf.cast(inputs[name], tf.float32), float("nan")) for name in NUMERIC
    }
    angle = numbers.pop("wind_dir") * (math.pi / 180.0)
    numbers["wind_east"] = numbers["wind_speed"] * tf.sin(angle)
    numbers["wind_north"] = numbers["wind_speed"] * tf.cos(angle)
    outputs = {}
    for name in MEASURED:
        known = tf.math.is_finite(numbers[name])
        if name in WITH_GAPS:
            outputs[transformed(f"{name}_known")] = tf.cast(known, tf.float32)
        # A missing value becomes the mean, which is 0 once scaled.
        scaled = tft.scale_to_z_score(numbers[name])
        outputs[transformed(name)] = tf.where(known, scaled, tf.zeros_like(scaled))
    words = {}
    for name in CATEGORIES:
        word = inputs[name]
        if word.dtype != tf.string:
            word = tf.strings.as_string(fill_missing(word, -1))
        words[name] = fill_missing(word)
        # What training never saw has an index of its own, the last one.
        outputs[transformed(name)] = tft.compute_and_apply_vocabulary(
            words[name], num_oov_buckets=1, vocab_filename=name
        )
    for name, pair in CROSSES.items():
        joined = tf.strings.join([words[each] for each in pair], separator="|")
        outputs[transformed(name)] = tft.hash_strings(joined, CROSS_BUCKETS)
    for name in (LATE, AIR_TIME):
        outputs[transformed(name)] = fill_missing(inputs[name])
    return outputs


def wide_and_deep(fn_args: FnArgs, units: int, dropout: float) -> tuple[dict, keras.KerasTensor]:
    """Return the inputs, and one number: a linear model on words and pairs, plus a deep one."""
    inputs, wide, deep = {}, [], []
    for name in NUMBERS:
        inputs[transformed(name)] = keras.Input((1,), name=transformed(name))
        deep.append(inputs[transformed(name)])
    sizes = {name: fn_args.vocabulary_size(name) + 1 for name in CATEGORIES}
    for name, size in (sizes | dict.fromkeys(CROSSES, CROSS_BUCKETS)).items():
        index = keras.Input((1,), name=transformed(name), dtype="int32")
        inputs[transformed(name)] = index
        # An embedding of one number is the weight of a one-hot feature, without making the vector.
        weight = keras.layers.Embedding(size, 1, "zeros", name=f"{name}_weight")(index)
        wide.append(keras.layers.Flatten()(weight))
        if name in CATEGORIES:
            vector = keras.layers.Embedding(size, min(16, 1 + size // 2), name=f"{name}_vector")
            deep.append(keras.layers.Flatten()(vector(index)))
    hidden = keras.layers.Concatenate()(deep)
    for width in (units, units // 2):
        hidden = keras.layers.Dense(width, activation="relu")(hidden)
        hidden = keras.layers.Dropout(dropout)(hidden)
    return inputs, keras.layers.Add()([*wide, keras.layers.Dense(1)(hidden)])


def dataset(fn_args: FnArgs, split: str, batch_size: int) -> Batches:
    """Return batches of the features and the label; the other label is no feature."""
    label = transformed(label_of(fn_args.custom_config["loss"]))
    features = [transformed(name) for name in (*NUMBERS, *CATEGORIES, *CROSSES)]
    return fn_args.dataset(split, batch_size=batch_size, label_key=label, features=features)


# What is taken without a Tuner.
DEFAULTS = {
    LATE: {"units": 64, "dropout": 0.3, "learning_rate": 3e-3},
    AIR_TIME: {"units": 128, "dropout": 0.0, "learning_rate": 5e-3},
}


def build_model(fn_args: FnArgs, found: Mapping[str, float]) -> keras.Model:
    loss = fn_args.custom_config["loss"]
    label = label_of(loss)
    found = DEFAULTS[label] | found
    inputs, score = wide_and_deep(fn_args, found["units"], found["dropout"])
    if label == LATE:
        outputs = keras.layers.Activation("sigmoid", dtype="float32")(score)
        metrics = [keras.metrics.AUC(name="auc")]
    elif loss == "huber":
        # Minutes. The network learns in numbers near 0 and 1.
        outputs = keras.layers.Rescaling(scale=100.0, offset=150.0, dtype="float32")(score)
        metrics = ["mae"]
    else:
        # The loss of counts wants a mean above 0; exp(5) minutes to begin with.
        log_minutes = keras.layers.Rescaling(scale=1.0, offset=5.0, dtype="float32")(score)
        outputs = keras.layers.Activation("exponential", dtype="float32")(log_minutes)
        metrics = ["mae"]
    model = keras.Model(inputs, outputs)
    model.compile(
        # Weights that few flights speak of fade away.
        optimizer=keras.optimizers.AdamW(found["learning_rate"], weight_decay=1.0),
        loss=LOSSES[loss](),
        metrics=metrics,
        **fn_args.compile_kwargs,
    )
    return model


LOSSES = {
    "cross_entropy": keras.losses.BinaryCrossentropy,
    # Counts the rare class for more (alpha), and the rows that are still mistaken (gamma).
    "focal": lambda: keras.losses.BinaryFocalCrossentropy(
        apply_class_balancing=True, alpha=0.75, gamma=2.0
    ),
    # Squared up to 15 minutes, then linear: a plane that circles for an hour does not count 16 times.
    "huber": lambda: keras.losses.Huber(delta=15.0),
    "poisson": keras.losses.Poisson,
}


def label_of(loss: str) -> str:
    """Return what a loss is about."""
    if loss not in LOSSES:
        raise ValueError(f"loss is one of {list(LOSSES)}. Received: {loss!r}")
    return LATE if loss in ("cross_entropy", "focal") else AIR_TIME


def probability_of_late(outputs):
    return {"late_probability": outputs}


def minutes_of_air_time(outputs):
    return {"minutes": outputs}


def run_fn(fn_args: FnArgs) -> keras.callbacks.History:
    """Trains until validation stops improving, and exports with the transform graph inside."""
    label = label_of(fn_args.custom_config["loss"])
    with fn_args.strategy.scope():
        model = build_model(fn_args, fn_args.hyperparameter_values)
    history = fit(
        model,
        dataset(fn_args, "train", BATCH_SIZE),
        validation_data=dataset(fn_args, "eval", 4 * BATCH_SIZE),
        fn_args=fn_args,
        epochs=fn_args.custom_config["epochs"],
        callbacks=[
            keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.3),
            keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True),
        ],
    )
    if label == AIR_TIME:
        draw_errors(model, fn_args)
    export_model(
        model,
        fn_args.serving_model_dir,
        transform_output=fn_args.transform_graph_path,
        # Neither is known when a client asks.
        label_key=[LATE, AIR_TIME],
        postprocess=probability_of_late if label == LATE else minutes_of_air_time,
    )
    return history


def draw_errors(model: keras.Model, fn_args: FnArgs) -> None:
    """Draw predicted and actual minutes of flights that were not trained on."""
    features, minutes = next(dataset(fn_args, "eval", 2000).epoch(0))
    predicted = model.predict(features, batch_size=2000, verbose=0)
    figure = predicted_and_actual(minutes, predicted, unit="minutes")
    write_pictures(
        f"{fn_args.model_run_dir}/minutes", {"minutes": figure}, title="Minutes in the air"
    )


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Searches by Hyperband: many short trainings, and longer ones of the best of them."""
    import keras_tuner

    def build(hyperparameters) -> keras.Model:
        found = {
            "units": hyperparameters.Choice("units", [32, 64, 128]),
            "dropout": hyperparameters.Float("dropout", 0.1, 0.5, step=0.1),
            "learning_rate": hyperparameters.Float("learning_rate", 1e-3, 1e-2, sampling="log"),
        }
        return build_model(fn_args, found)

    tuner = keras_tuner.Hyperband(
        build,
        objective="val_loss",
        max_epochs=fn_args.custom_config["epochs"],
        factor=3,
        seed=fn_args.seed,
        directory=fn_args.working_dir,
        project_name="tabular",
    )
    # A split that fits in memory is one batch of arrays, which every backend takes.
    ((features, labels),) = dataset(fn_args, "train", 1 << 20)
    (validation_data,) = dataset(fn_args, "eval", 1 << 20)
    return TunerFnResult(
        tuner,
        {
            "x": features,
            "y": labels,
            "validation_data": validation_data,
            "batch_size": BATCH_SIZE,
            "verbose": 0,
        },
    )


def baseline_fn(train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray]) -> np.ndarray:
    """Gradient boosting of trees on the same raw features."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    boosting = HistGradientBoostingClassifier(categorical_features=IS_CATEGORY, random_state=1)
    rows, test_rows = as_numbers(train, test)
    return boosting.fit(rows, train[LATE]).predict_proba(test_rows)


def baseline_minutes(train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray]) -> np.ndarray:
    """Gradient boosting of trees on the same raw features, of the mean."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    boosting = HistGradientBoostingRegressor(categorical_features=IS_CATEGORY, random_state=1)
    rows, test_rows = as_numbers(train, test)
    return boosting.fit(rows, train[AIR_TIME]).predict(test_rows)


IS_CATEGORY = [name in CATEGORIES for name in (*CATEGORIES, *NUMERIC)]


def as_numbers(train: Mapping, test: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """Return the raw features as columns of numbers; a missing one is NaN, which the trees understand."""
    columns, test_columns = [], []
    for name in CATEGORIES:
        words = sorted({word for word in train[name].tolist() if word is not None})
        index = {word: i for i, word in enumerate(words)}
        columns.append([index.get(word, np.nan) for word in train[name].tolist()])
        test_columns.append([index.get(word, np.nan) for word in test[name].tolist()])
    for name in NUMERIC:
        columns.append(train[name])
        test_columns.append(test[name])
    return np.column_stack(columns), np.column_stack(test_columns)
