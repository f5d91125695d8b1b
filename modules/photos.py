"""Photographs: which one is a small patch of? Three labelled patches of each have to do.

A network that has learned to see on other photographs gets a new head, which is trained first, alone. Then
all of it is trained on, slowly. Both are user code of `pipelines/photos.py`: the BaseTrainer calls
`train_base`, the Trainer `run_fn`, the Transforms `preprocessing_fn`, and the BaselineComparison
`baseline_fn`.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from penstock.training import FnArgs, export_model, fit, load_transform_output, warm_start
from penstock.transform import decode_images

SIZE = 64
LABEL = "photograph"
BATCH_SIZE = 32
FEW_BATCH_SIZE = 6


def preprocessing_fn(inputs):
    return {
        "pixels": decode_images(inputs["image"], SIZE, SIZE),
        LABEL: tft.compute_and_apply_vocabulary(inputs["label"], vocab_filename=LABEL),
    }


def new_body(weights: str | None = None) -> keras.Model:
    """MobileNetV2 at 0.35 of its width, without its head: an image becomes a vector of 1,280 numbers."""
    body = keras.applications.MobileNetV2(
        (SIZE, SIZE, 3), alpha=0.35, include_top=False, weights=weights, pooling="avg", name="body"
    )
    for layer in body.layers:
        # The statistics that inference normalizes with follow those of the batches with this inertia.
        # Keras's 0.999 is for hundreds of thousands of steps: after our few hundred they would still be
        # those of the start, and a trained network would guess.
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9
    return body


def classifier(body: keras.Model, classes: int, head: str) -> keras.Model:
    """A body with a new head."""
    layers = keras.layers
    pixels = keras.Input((SIZE, SIZE, 3), name="pixels")
    # Each epoch sees each patch flipped and moved in another way; a model that serves leaves it as it is.
    seen = layers.RandomFlip()(pixels)
    seen = layers.RandomTranslation(0.12, 0.12)(seen)
    seen = layers.Rescaling(2.0, offset=-1.0)(seen)  # MobileNetV2 takes -1 to 1
    vector = layers.Dropout(0.2)(body(seen))
    scores = layers.Dense(classes, activation="softmax", dtype="float32", name=head)(vector)
    return keras.Model({"pixels": pixels}, scores)


def unfreeze(body: keras.Model) -> None:
    """Let the body learn, but for its batch normalization, which then keeps the statistics of the base."""
    body.trainable = True
    for layer in body.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)


def compiled(model: keras.Model, learning_rate) -> keras.Model:
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def export(model: keras.Model, fn_args: FnArgs) -> None:
    names = tf.constant(fn_args.vocabulary(LABEL))

    def answer(probabilities):
        return {
            "probabilities": probabilities,
            LABEL: tf.gather(names, tf.argmax(probabilities, axis=1)),
        }

    export_model(
        model,
        fn_args.serving_model_dir,
        transform_output=load_transform_output(fn_args.transform_graph_path),
        # A client sends the file alone: what ImageExampleGen says about it besides is not needed.
        label_key=["label", "file_name", "height", "width", "channels"],
        postprocess=answer,
        class_names=LABEL,
    )


def train_base(fn_args: FnArgs) -> keras.callbacks.History:
    """Trains body and head from nothing, on photographs of which there are many labelled patches."""
    epochs = fn_args.custom_config["epochs"]
    train = fn_args.dataset("train", batch_size=BATCH_SIZE, label_key=LABEL)
    with fn_args.strategy.scope():
        model = classifier(new_body(), fn_args.vocabulary_size(LABEL), "base_head")
        schedule = keras.optimizers.schedules.CosineDecay(3e-3, epochs * train.steps_per_epoch)
        compiled(model, schedule)
    history = fit(
        model,
        train,
        validation_data=fn_args.dataset("eval", batch_size=BATCH_SIZE, label_key=LABEL),
        fn_args=fn_args,
        epochs=epochs,
    )
    export(model, fn_args)
    return history


def run_fn(fn_args: FnArgs) -> dict[str, list[float]]:
    """Trains a new head on the frozen body, then fine-tunes both at a lower learning rate."""
    config = fn_args.custom_config
    imagenet = config["weights"] == "imagenet"
    with fn_args.strategy.scope():
        body = new_body("imagenet" if imagenet else None)
        model = classifier(body, fn_args.vocabulary_size(LABEL), "head")
        if not imagenet:
            warm_start(model, config["weights"] or fn_args.base_model)
    data = {
        "data": fn_args.dataset("train", batch_size=FEW_BATCH_SIZE, label_key=LABEL),
        "validation_data": fn_args.dataset("eval", batch_size=FEW_BATCH_SIZE, label_key=LABEL),
        "fn_args": fn_args,
    }

    def train(learning_rate: float) -> Mapping[str, list[float]]:
        # What is trained is fixed when the model is compiled.
        with fn_args.strategy.scope():
            compiled(model, learning_rate)
        # With so few rows it soon knows them by heart: the epoch that was best on others is kept.
        best = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
        return fit(model, epochs=config["epochs"], callbacks=[best], **data).history

    # A new head sends random gradients: the body must not follow them.
    body.trainable = False
    head_alone = train(3e-3)
    unfreeze(body)
    together = train(1e-4)
    export(model, fn_args)
    return {name: head_alone[name] + together[name] for name in together}


def baseline_fn(train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray]) -> np.ndarray:
    """The same network, trained from scratch on the same few labels."""
    keras.utils.set_random_seed(1)
    names, labels = np.unique(train["label"], return_inverse=True)
    pixels, unseen = (
        decode_images(tf.constant(list(each["image"])), SIZE, SIZE).numpy()
        for each in (train, test)
    )
    model = compiled(classifier(new_body(), len(names), "head"), 2e-3)
    model.fit({"pixels": pixels}, labels, batch_size=FEW_BATCH_SIZE, epochs=50, verbose=0)
    return model.predict({"pixels": unseen}, verbose=0)
