"""Handwritten digits, read as a sequence of patches: a vision transformer.

An image of 28 by 28 pixels is cut into 16 patches of 7 by 7. Each becomes a vector, as a word does in a
text, and transformer blocks let the patches look at each other (Dosovitskiy et al., 2021, "An Image is
Worth 16x16 Words").

User code of `pipelines/vit.py`: Transform calls `preprocessing_fn`, the Trainer `run_fn`, and the
BaselineComparison `baseline_fn`; data and baseline are those of `modules/digits.py`.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from modules.digits import CLASSES, SIZE
from modules.digits import baseline_fn as baseline_fn
from modules.digits import preprocessing_fn as preprocessing_fn

from penstock.plots import image_grid, write_pictures
from penstock.training import Batches, FnArgs, export_model, fit
from penstock.training.layers import PositionEmbedding, TransformerEncoder

PATCH = 7
GRID = SIZE // PATCH
DIM = 64
BLOCKS = 2
HEADS = 4
BATCH_SIZE = 64


@keras.saving.register_keras_serializable("vit")
class ClassToken(layers.Layer):
    """Puts a learned vector before the patches. It has no pixels: it collects what the others show."""

    def build(self, input_shape):
        self.token = self.add_weight(
            shape=(1, 1, input_shape[-1]), initializer="random_normal", name="token"
        )

    def call(self, patches):
        token = ops.broadcast_to(self.token, (ops.shape(patches)[0], 1, patches.shape[-1]))
        return ops.concatenate([ops.cast(token, patches.dtype), patches], axis=1)


def build_models() -> tuple[keras.Model, keras.Model]:
    """Return the classifier, and a model of the same layers that returns each block's attention."""
    pixels = keras.Input((SIZE, SIZE, 1), name="pixels")
    moved = layers.RandomTranslation(0.08, 0.08, fill_mode="constant")(pixels)
    moved = layers.RandomRotation(0.03, fill_mode="constant")(moved)
    # A convolution whose stride is its size: each patch times the same matrix.
    patches = layers.Conv2D(DIM, PATCH, strides=PATCH, name="patches")(moved)
    sequence = layers.Reshape((GRID * GRID, DIM))(patches)
    sequence = ClassToken(name="class_token")(sequence)
    # Attention does not know the order of what it sees. The positions say where a patch was.
    sequence = PositionEmbedding(1 + GRID * GRID, name="positions")(sequence)
    attention = []
    for number in range(BLOCKS):
        block = TransformerEncoder(HEADS, units=2 * DIM, dropout=0.1, name=f"block_{number + 1}")
        sequence, scores = block(sequence, return_attention_scores=True)
        attention.append(scores)
    token = layers.LayerNormalization(name="last_norm")(sequence)[:, 0]
    probabilities = layers.Dense(CLASSES, activation="softmax", dtype="float32")(token)
    inputs = {"pixels": pixels}
    return keras.Model(inputs, probabilities, name="vit"), keras.Model(inputs, attention)


def dataset(fn_args: FnArgs, split: str, **options) -> Batches:
    return fn_args.dataset(split, batch_size=BATCH_SIZE, label_key="label_xf", **options)


def run_fn(fn_args: FnArgs) -> keras.callbacks.History:
    """Trains the transformer, exports it, and draws where it looks."""
    epochs = fn_args.custom_config["epochs"]
    train = dataset(fn_args, "train")
    # Transformers start with small steps: large ones at the beginning can ruin the attention for good.
    steps = epochs * train.steps_per_epoch
    schedule = keras.optimizers.schedules.CosineDecay(
        1e-5, int(0.9 * steps), warmup_target=3e-3, warmup_steps=int(0.1 * steps)
    )
    with fn_args.strategy.scope():
        model, attention = build_models()
        model.compile(
            optimizer=keras.optimizers.AdamW(schedule, weight_decay=1e-3),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
    history = fit(
        model, train, validation_data=dataset(fn_args, "eval"), fn_args=fn_args, epochs=epochs
    )
    draw_attention(model, attention, dataset(fn_args, "eval"), f"{fn_args.model_run_dir}/attention")

    def name_digit(probabilities):
        return {"probabilities": probabilities, "digit": tf.argmax(probabilities, axis=1)}

    export_model(
        model,
        fn_args.serving_model_dir,
        transform_output=fn_args.transform_graph_path,
        label_key="label",
        postprocess=name_digit,
    )
    return history


def rollout(attention: list[np.ndarray]) -> np.ndarray:
    """Return how much of each patch reaches the class token through all blocks: (rows, GRID, GRID).

    It is the attention rollout of Abnar and Zuidema (2020). What a block passes on is half its attention,
    and half what was there already, since each block adds to its input.
    """
    flow = np.eye(attention[0].shape[-1])
    for scores in attention:  # (rows, heads, who looks, at whom)
        flow = (0.5 * scores.mean(axis=1) + 0.5 * np.eye(scores.shape[-1])) @ flow
    return flow[:, 0, 1:].reshape(-1, GRID, GRID)


def draw_attention(
    model: keras.Model, attention: keras.Model, batches: Batches, folder: str
) -> None:
    """Draw digits, and below each the same with the light where the class token looks."""
    features, labels = next(iter(batches.epoch(0)))
    pixels = features["pixels"][:24]
    # Called, not `predict`: under a distribution that would answer once for each replica.
    found = ops.convert_to_numpy(model({"pixels": pixels}, training=False)).argmax(axis=1)
    scores = attention({"pixels": pixels}, training=False)
    seen = rollout([ops.convert_to_numpy(each) for each in scores])
    lit = seen / seen.max(axis=(1, 2), keepdims=True)
    lit = np.kron(lit, np.ones((PATCH, PATCH)))  # each value as a patch of pixels
    digits = pixels[..., 0]
    # Strokes in white, light in red where it is looked.
    looks = np.stack([np.maximum(digits, lit), digits, digits], axis=-1)
    images, titles = [], []
    for start in range(0, len(pixels), 8):
        row = slice(start, start + 8)
        images += [np.repeat(digit[..., None], 3, axis=-1) for digit in digits[row]] + list(
            looks[row]
        )
        titles += [
            f"{label} as {each}"
            for label, each in zip(labels.ravel()[row], found[row], strict=True)
        ]
        titles += [""] * len(digits[row])
    figure = image_grid(images, titles, columns=8, title="Where the class token looks")
    write_pictures(folder, {"attention": figure}, title="Attention")
