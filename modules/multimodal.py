"""Glyphs: which character is it, and how bold, by its picture and by its measures?

The picture of a glyph fills its frame, so that it does not tell `o` from `O`; the measures (width, height,
place on the line) do not tell `o` from `e`. The model takes both, and answers both questions.

User code of `pipelines/multimodal.py`: Transform calls `preprocessing_fn`, the Trainer `run_fn`, and the
BaselineComparisons the functions at the end, which train the same model on one of its inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from penstock.training import FnArgs, export_model, fit, load_transform_output
from penstock.transform import decode_images

SIZE = 24
MEASURES = ("width", "height", "bottom", "advance")
# Both losses weigh about as much: the cross-entropy is near 1 for most of the training, the error in the
# weight's scale near 0.2.
LOSS_WEIGHTS = {"symbol": 1.0, "boldness": 2.0}

BATCH_SIZE = 64


def scale_weight(weight):
    """From a font's weight, 100 (thin) to 900 (black), to about -1.5 to 2.5."""
    return (weight - 400.0) / 200.0


def preprocessing_fn(inputs):
    return {
        "pixels": decode_images(inputs["image"], SIZE, SIZE, channels=1),
        "measures": tf.concat([tft.scale_to_z_score(inputs[name]) for name in MEASURES], axis=1),
        "symbol": tft.compute_and_apply_vocabulary(inputs["character"], vocab_filename="character"),
        "boldness": scale_weight(inputs["weight"]),
    }


def image_layers() -> list[keras.layers.Layer]:
    layers = keras.layers
    return [
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(96, activation="relu"),
    ]


def measures_layers() -> list[keras.layers.Layer]:
    return [keras.layers.Dense(48, activation="relu"), keras.layers.Dense(48, activation="relu")]


def joint_layers() -> list[keras.layers.Layer]:
    # Two layers after the inputs meet: how thick a stroke is, is a product of both.
    layers = keras.layers
    return [
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.2),
    ]


def heads(characters: int) -> dict[str, keras.layers.Layer]:
    return {
        "symbol": keras.layers.Dense(characters, activation="softmax", dtype="float32"),
        "boldness": keras.layers.Dense(1, dtype="float32"),
    }


def functional_model(
    characters: int,
    takes: Sequence[str] = ("pixels", "measures"),
) -> keras.Model:
    """The model as a graph of layers: it can be plotted, cut anywhere, and built with fewer inputs."""
    shapes = {"pixels": (SIZE, SIZE, 1), "measures": (len(MEASURES),)}
    branches = {"pixels": image_layers(), "measures": measures_layers()}
    inputs = {name: keras.Input(shapes[name], name=name) for name in takes}
    encoded = [through(branches[name], inputs[name]) for name in takes]
    joint = keras.layers.Concatenate()(encoded) if len(encoded) > 1 else encoded[0]
    joint = through(joint_layers(), joint)
    return keras.Model(inputs, {name: head(joint) for name, head in heads(characters).items()})


def through(layers: Sequence[keras.layers.Layer], x, **options):
    for layer in layers:
        # Dropout drops in training alone.
        x = layer(x, **(options if isinstance(layer, keras.layers.Dropout) else {}))
    return x


@keras.saving.register_keras_serializable("multimodal")
class GlyphModel(keras.Model):
    """The same model as a class: `call` is Python, so it may branch and loop as it likes."""

    def __init__(self, characters: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.characters = characters
        self.image_layers = image_layers()
        self.measures_layers = measures_layers()
        self.joint_layers = joint_layers()
        self.heads = heads(characters)

    def call(self, inputs, training=None):
        pixels = through(self.image_layers, inputs["pixels"])
        measures = through(self.measures_layers, inputs["measures"])
        joint = keras.ops.concatenate([pixels, measures], axis=-1)
        # A functional model passes `training` on by itself.
        joint = through(self.joint_layers, joint, training=training)
        return {name: head(joint) for name, head in self.heads.items()}

    def get_config(self):
        return {**super().get_config(), "characters": self.characters}


def compiled(model: keras.Model, steps: int) -> keras.Model:
    """Sets how the model is trained: a loss for each output by its name, and their weighted sum."""
    model.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        loss={"symbol": "sparse_categorical_crossentropy", "boldness": keras.losses.Huber()},
        loss_weights=LOSS_WEIGHTS,
        metrics={"symbol": ["accuracy"], "boldness": ["mae"]},
    )
    return model


def run_fn(fn_args: FnArgs) -> keras.callbacks.History:
    """Trains the model and exports it: it names the character, and gives the weight as fonts state it."""
    transform_output = load_transform_output(fn_args.transform_graph_path)
    names = tf.constant(transform_output.vocabulary_by_name("character"))
    build = {"functional": functional_model, "subclassed": GlyphModel}[
        fn_args.custom_config["form"]
    ]

    def batches(split: str):
        labels = ["symbol", "boldness"]
        return fn_args.dataset(split, batch_size=BATCH_SIZE, label_key=labels)

    train = batches("train")
    epochs = fn_args.custom_config["epochs"]
    with fn_args.strategy.scope():
        model = compiled(build(len(names)), steps=epochs * train.steps_per_epoch)
    history = fit(
        model,
        train,
        validation_data=batches("eval"),
        fn_args=fn_args,
        epochs=epochs,
    )

    def answer(outputs):
        probabilities = outputs["symbol"]
        return {
            "probabilities": probabilities,
            "character": tf.gather(names, tf.argmax(probabilities, axis=1)),
            "weight": 400.0 + 200.0 * outputs["boldness"],
        }

    export_model(
        model,
        fn_args.serving_model_dir,
        transform_output=transform_output,
        label_key=["character", "weight", "family"],
        postprocess=answer,
        class_names="character",
    )
    return history


# What the model has to beat: itself, with only one of its inputs. Both questions are compared at once: an
# answer is a row of two numbers: the character's code point, and the weight.


def as_answers(characters, weights) -> np.ndarray:
    return np.stack([[ord(each) for each in characters], np.ravel(weights)], axis=1)


def label_fn(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    return as_answers(columns["character"], columns["weight"])


def prediction_fn(outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    return as_answers(outputs["character"], outputs["weight"])


def metric_fn(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    return {
        "character_accuracy": np.mean(labels[:, 0] == predictions[:, 0]),
        "weight_mae": np.mean(np.abs(labels[:, 1] - predictions[:, 1])),
    }


def image_alone(train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray]) -> np.ndarray:
    """The same network, given the picture alone."""
    pixels = [
        decode_images(tf.constant(list(each["image"])), SIZE, SIZE, channels=1).numpy()
        for each in (train, test)
    ]
    return with_one_input("pixels", *pixels, train)


def measures_alone(train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray]) -> np.ndarray:
    """The same network, given the measures alone."""
    learned, asked = (np.stack([each[name] for name in MEASURES], 1) for each in (train, test))
    mean, deviation = learned.mean(axis=0), learned.std(axis=0)
    return with_one_input(
        "measures", (learned - mean) / deviation, (asked - mean) / deviation, train
    )


def with_one_input(
    name: str, learned: np.ndarray, asked: np.ndarray, train: Mapping[str, np.ndarray]
) -> np.ndarray:
    keras.utils.set_random_seed(1)
    characters, symbols = np.unique(train["character"], return_inverse=True)
    labels = {"symbol": symbols, "boldness": scale_weight(train["weight"])}
    epochs = 14
    model = compiled(
        functional_model(len(characters), takes=[name]), epochs * -(-len(symbols) // BATCH_SIZE)
    )
    model.fit({name: learned}, labels, batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
    outputs = model.predict({name: asked}, batch_size=256, verbose=0)
    found = characters[outputs["symbol"].argmax(axis=1)]
    return as_answers(found, 400.0 + 200.0 * outputs["boldness"])
