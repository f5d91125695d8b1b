"""The penguins: which species is it, by its bill, flippers, weight, sex and island?

User code of `pipelines/penguin.py`: Transform calls `preprocessing_fn`, the Tuner `tuner_fn`, the
Trainer `run_fn`, and the BaselineComparison `baseline_fn`.
"""

from __future__ import annotations

import keras
import tensorflow as tf
import tensorflow_transform as tft

from penstock.training import Batches, FnArgs, export_model, fit, load_transform_output
from penstock.transform import fill_missing
from penstock.tuning import TunerFnResult

LABEL = "species"
NUMERIC = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
CATEGORICAL = ("island", "sex")

BATCH_SIZE = 32
EPOCHS = 5


def transformed(name: str) -> str:
    return f"{name}_xf"


def preprocessing_fn(inputs):
    outputs = {}
    for name in NUMERIC:
        # A missing value becomes the mean, which is 0 once scaled.
        scaled = tft.scale_to_z_score(tf.cast(inputs[name], tf.float32))
        outputs[transformed(name)] = fill_missing(scaled)
    for name in CATEGORICAL:
        # A missing or unknown value has an index of its own, the last one.
        outputs[transformed(name)] = tft.compute_and_apply_vocabulary(
            fill_missing(inputs[name]), num_oov_buckets=1, vocab_filename=name
        )
    outputs[transformed(LABEL)] = tft.compute_and_apply_vocabulary(
        fill_missing(inputs[LABEL]), vocab_filename=LABEL
    )
    return outputs


def build_model(transform_output, units: int, learning_rate: float) -> keras.Model:
    inputs = {transformed(name): keras.Input((1,), name=transformed(name)) for name in NUMERIC}
    encoded = list(inputs.values())
    for name in CATEGORICAL:
        size = transform_output.vocabulary_size_by_name(name) + 1
        index = keras.Input((1,), name=transformed(name), dtype="int64")
        inputs[transformed(name)] = index
        encoded.append(keras.layers.CategoryEncoding(size, output_mode="one_hot")(index))
    hidden = keras.layers.Concatenate()(encoded)
    hidden = keras.layers.Dense(units, activation="relu")(hidden)
    species = transform_output.vocabulary_size_by_name(LABEL)
    probabilities = keras.layers.Dense(species, activation="softmax", dtype="float32")(hidden)
    model = keras.Model(inputs, probabilities)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def dataset(fn_args: FnArgs, split: str) -> Batches:
    return fn_args.dataset(split, batch_size=BATCH_SIZE, label_key=transformed(LABEL))


def run_fn(fn_args: FnArgs) -> keras.callbacks.History:
    """Trains the model, keeps its best epoch, and exports it with the transform graph inside."""
    transform_output = load_transform_output(fn_args.transform_graph_path)
    found = fn_args.hyperparameter_values
    with fn_args.strategy.scope():
        model = build_model(
            transform_output, found.get("units", 16), found.get("learning_rate", 0.02)
        )
    history = fit(
        model,
        dataset(fn_args, "train"),
        validation_data=dataset(fn_args, "eval"),
        fn_args=fn_args,
        epochs=EPOCHS,
        steps_per_epoch=max(1, (fn_args.train_steps or 100) // EPOCHS),
        callbacks=[keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)],
    )
    names = tf.constant(transform_output.vocabulary_by_name(LABEL))

    def name_species(probabilities):
        index = tf.argmax(probabilities, axis=1)
        return {
            "probabilities": probabilities,
            "species": tf.gather(names, index),
            "species_index": index,
        }

    export_model(
        model,
        fn_args.serving_model_dir,
        transform_output=transform_output,
        label_key=LABEL,
        postprocess=name_species,
    )
    return history


def baseline_fn(train, test):
    """Predict by a logistic regression, with means and a class of its own for missing values."""
    import numpy as np
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    names = [*NUMERIC, *CATEGORICAL]

    def table(columns):
        return np.column_stack([columns[name].astype(object) for name in names])

    numbers, words = list(range(len(NUMERIC))), list(range(len(NUMERIC), len(names)))
    encoder = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), words),
    )
    model = make_pipeline(encoder, LogisticRegression(max_iter=1000))
    model.fit(table(train), train[LABEL].astype(str))
    return model.predict_proba(table(test))


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Searches the width of the hidden layer and the learning rate."""
    import keras_tuner

    transform_output = load_transform_output(fn_args.transform_graph_path)

    def build(hyperparameters) -> keras.Model:
        return build_model(
            transform_output,
            hyperparameters.Int("units", 8, 32, step=8, default=16),
            hyperparameters.Float("learning_rate", 5e-3, 5e-2, sampling="log", default=0.02),
        )

    tuner = keras_tuner.RandomSearch(
        build,
        objective="val_loss",
        max_trials=4,
        seed=fn_args.seed,
        directory=fn_args.working_dir,
        project_name="penguin",
    )
    steps = max(1, (fn_args.train_steps or 100) // EPOCHS)
    return TunerFnResult(
        tuner,
        {
            "x": dataset(fn_args, "train").repeat().as_tf_dataset(),
            "epochs": EPOCHS,
            "steps_per_epoch": steps,
            "validation_data": dataset(fn_args, "eval").as_tf_dataset(),
            "shuffle": False,
            "verbose": 0,
        },
    )
