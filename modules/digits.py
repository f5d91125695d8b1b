"""Handwritten digits: which of the ten is it, by the image alone?

User code of `pipelines/digits.py`: Transform calls `preprocessing_fn`, the Trainer `run_fn`, and the
BaselineComparison `baseline_fn`. `modules/digits_binary.py` uses the same convolutions.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from penstock.io import image_pixels
from penstock.training import Batches, FnArgs, HalveWhenWorse, export_model, fit
from penstock.transform import decode_images

SIZE = 28
CLASSES = 10
BATCH_SIZE = 32
REGULARIZERS = ("dropout", "l2", "batch_norm")


def preprocessing_fn(inputs):
    return {
        "pixels": decode_images(inputs["image"], SIZE, SIZE, channels=1),
        "label_xf": digit(inputs["label"]),
    }


def digit(label):
    # IDX files hold numbers; folders of images have names.
    return tf.strings.to_number(label, tf.int64) if label.dtype == tf.string else label


def convolutions(image, regularizers=REGULARIZERS, *, augment: bool = True):
    """Four convolutions; each has half the pixels of the one before to a side, and more channels."""
    penalty = keras.regularizers.L2(1e-4) if "l2" in regularizers else None
    hidden = image
    if augment:
        # In training only. A digit may lie elsewhere and be turned a little, but never mirrored.
        hidden = layers.RandomTranslation(0.07, 0.07, fill_mode="constant")(hidden)
        hidden = layers.RandomRotation(0.03, fill_mode="constant")(hidden)
    for number, channels in enumerate((16, 32, 64, 96)):
        if number:
            hidden = layers.MaxPooling2D()(hidden)
        # BatchNormalization takes the mean out, and a bias with it.
        biased = "batch_norm" not in regularizers
        hidden = layers.Conv2D(
            channels, 3, padding="same", use_bias=biased, kernel_regularizer=penalty
        )(hidden)
        if "batch_norm" in regularizers:
            # Keras's momentum of 0.99 is for thousands of steps an epoch; here are a hundred.
            hidden = layers.BatchNormalization(momentum=0.9)(hidden)
        hidden = layers.Activation("relu", name=f"convolved_{number + 1}")(hidden)
    # One number a channel, wherever in the image it comes from: far fewer weights than after Flatten.
    hidden = layers.GlobalAveragePooling2D()(hidden)
    return layers.Dropout(0.2)(hidden) if "dropout" in regularizers else hidden


def build_model(regularizers=REGULARIZERS, *, augment: bool = True) -> keras.Model:
    image = keras.Input((SIZE, SIZE, 1), name="pixels")
    hidden = convolutions(image, regularizers, augment=augment)
    # With mixed precision the layers before it compute in 16 bits; a softmax needs 32.
    probabilities = layers.Dense(CLASSES, activation="softmax", dtype="float32")(hidden)
    return keras.Model({"pixels": image}, probabilities, name="digits")


def dataset(fn_args: FnArgs, split: str, **options) -> Batches:
    return fn_args.dataset(split, batch_size=BATCH_SIZE, label_key="label_xf", **options)


def regularizers_of(names: str) -> tuple[str, ...]:
    """Return which of the regularizers `all`, `none` or a list such as `dropout,l2` names."""
    if names in ("all", "none"):
        return REGULARIZERS if names == "all" else ()
    chosen = tuple(names.split(","))
    if not set(chosen) <= set(REGULARIZERS):
        raise ValueError(
            f"regularization must be all, none or some of {', '.join(REGULARIZERS)}. "
            f"Received: regularization={names}"
        )
    return chosen


def rate_callback(schedule: str) -> keras.callbacks.Callback:
    if schedule == "halve":
        return HalveWhenWorse("val_accuracy")
    if schedule == "plateau":
        return keras.callbacks.ReduceLROnPlateau("val_accuracy", factor=0.3, patience=2)
    raise ValueError(f"schedule must be halve or plateau. Received: schedule={schedule!r}")


def run_fn(fn_args: FnArgs) -> dict[str, object]:
    """Train, keep the best epoch, export it, and measure how far training and validation are apart."""
    config = fn_args.custom_config
    regularizers = regularizers_of(config["regularization"])
    with fn_args.strategy.scope():
        model = build_model(regularizers, augment=config["augment"])
        model.compile(
            optimizer=keras.optimizers.Adam(2e-3),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
    history = fit(
        model,
        dataset(fn_args, "train"),
        validation_data=dataset(fn_args, "eval"),
        fn_args=fn_args,
        epochs=config["epochs"],
        callbacks=[
            rate_callback(config["schedule"]),
            keras.callbacks.EarlyStopping("val_accuracy", patience=5, restore_best_weights=True),
        ],
    )

    def name_digit(probabilities):
        return {"probabilities": probabilities, "digit": tf.argmax(probabilities, axis=1)}

    export_model(
        model,
        fn_args.serving_model_dir,
        transform_output=fn_args.transform_graph_path,
        label_key="label",
        postprocess=name_digit,
    )
    draw_mistakes(model, dataset(fn_args, "eval"), f"{fn_args.model_run_dir}/mistakes")
    # The accuracy in `history` is that of dropout and of moved digits; this is of the model that is served.
    seen = accuracy(model, dataset(fn_args, "train", shuffle=False))
    unseen = accuracy(model, dataset(fn_args, "eval"))
    return {**history.history, "final": {"train": seen, "eval": unseen, "gap": seen - unseen}}


def accuracy(model: keras.Model, batches: Batches) -> float:
    return model.evaluate(batches.as_tf_dataset(), verbose=0, return_dict=True)["accuracy"]


def draw_mistakes(model: keras.Model, batches: Batches, folder: str) -> None:
    """Draw digits that the model takes for others: whether a person could tell them is worth knowing."""
    from penstock.plots import image_grid, write_pictures

    images, titles = [], []
    for features, labels in batches.epoch(0):
        found = keras.ops.convert_to_numpy(model(features, training=False)).argmax(axis=1)
        for row in np.flatnonzero(found != labels.ravel()):
            images.append(features["pixels"][row])
            titles.append(f"{labels.ravel()[row]} as {found[row]}")
    if images:
        figure = image_grid(images[:32], titles[:32])
        write_pictures(folder, {"mistakes": figure}, title="Digits taken for others")


def pixels_of(examples) -> np.ndarray:
    """Return each image as a row of numbers from 0 to 1."""
    return np.stack([image_pixels(image, channels=1).ravel() / 255 for image in examples["image"]])


def baseline_fn(train, test):
    """Logistic regression on the pixels."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=0.1, max_iter=300)
    model.fit(pixels_of(train), train["label"].astype(int))  # names of folders are texts
    return model.predict_proba(pixels_of(test))
