"""What else does this package need? Two towers recommend dependencies of Debian's packages.

User code of `pipelines/recommend.py`. The "user" is a package: its section, and what it depends on so
far. The "items" are the packages that others depend on. Each tower makes a vector; their product is the
score (Yi et al. 2019, https://doi.org/10.1145/3298689.3346996).
"""

from __future__ import annotations

import collections
import re
from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from keras import ops

from penstock.plots import map_of_vectors, write_pictures
from penstock.training import FnArgs, export_model, fit
from penstock.transform import fill_missing

ITEMS = "package"
"""The vocabulary of the items."""
MOST_KNOWN = 16
DIMENSION = 64
BATCH_SIZE = 256
RETURNED = 10


def preprocessing_fn(inputs):
    depends, target = inputs["depends"], fill_missing(inputs["target"])
    # One vocabulary for what is known and what is looked for.
    names = tft.vocabulary(
        tf.concat([depends.values, tf.reshape(target, [-1])], axis=0), vocab_filename=ITEMS
    )
    rows = depends.dense_shape[0]
    known = tft.apply_vocabulary(tf.sparse.slice(depends, [0, 0], [rows, MOST_KNOWN]), names)
    return {
        # -1 fills up, and is a name that training never saw.
        "known": fill_missing(known, -1, values=MOST_KNOWN),
        "section_xf": tft.compute_and_apply_vocabulary(
            fill_missing(inputs["section"]), num_oov_buckets=1, vocab_filename="section"
        ),
        "target_xf": tft.apply_vocabulary(target, names, num_oov_buckets=1),
    }


@keras.saving.register_keras_serializable("recommend")
class ItemTower(keras.layers.Layer):
    """Scores every item for each user: the product of the user's vector and the item's.

    An item's vector is made of one that belongs to it alone, and of those of the words in its name, so
    that `python3-numpy` and `python3-scipy` have something in common from the beginning.

    Args:
        names: The items. Their order is that of the scores.
        dimension: Numbers of a vector.
    """

    def __init__(self, names: list[str], dimension: int, **kwargs):
        super().__init__(**kwargs)
        self.names, self.dimension = list(names), dimension
        words_of = [re.findall(r"[a-z]+", name) for name in self.names]
        index = {word: i for i, word in enumerate(sorted({w for words in words_of for w in words}))}
        # What share of an item's words each word is: a matrix of items by words.
        self.shares = np.zeros((len(self.names), len(index)), "float32")
        for row, words in enumerate(words_of):
            for word in words:
                self.shares[row, index[word]] += 1 / len(words)

    def build(self, input_shape):
        items, words = self.shares.shape
        self.own = self.add_weight(shape=(items, self.dimension), initializer="normal", name="own")
        self.words = self.add_weight(
            shape=(words, self.dimension), initializer="normal", name="words"
        )
        self.scale = self.add_weight(shape=(), initializer=keras.initializers.Constant(10.0))

    def vectors(self):
        return ops.normalize(self.own + ops.matmul(self.shares, self.words))

    def call(self, users):
        # All are of length 1, so that the score is the cosine, times a number that sharpens the softmax.
        scores = ops.matmul(ops.normalize(users), ops.transpose(self.vectors()))
        return self.scale * scores

    def get_config(self):
        return super().get_config() | {"names": self.names, "dimension": self.dimension}


def build_model(fn_args: FnArgs, loss: Callable) -> keras.Model:
    names = fn_args.vocabulary(ITEMS)
    known = keras.Input((MOST_KNOWN,), name="known", dtype="int64")
    section = keras.Input((1,), name="section_xf", dtype="int64")
    # The user's tower: the mean of what is known, without what fills up, and the section.
    there = ops.cast(known >= 0, "float32")[:, :, None]
    vectors = keras.layers.Embedding(len(names), DIMENSION)(ops.maximum(known, 0))
    mean = ops.sum(vectors * there, axis=1) / ops.maximum(ops.sum(there, axis=1), 1.0)
    sections = fn_args.vocabulary_size("section") + 1
    of_section = keras.layers.Flatten()(keras.layers.Embedding(sections, 16)(section))
    hidden = keras.layers.Concatenate()([mean, of_section])
    hidden = keras.layers.Dense(2 * DIMENSION, activation="relu")(hidden)
    user = keras.layers.Dense(DIMENSION)(keras.layers.Dropout(0.2)(hidden))
    # The last one stands for items that training never saw.
    scores = ItemTower([*names, ""], DIMENSION, name="items")(user)
    # What a package has already is not recommended.
    has = ops.max(ops.one_hot(known, len(names) + 1), axis=1)
    model = keras.Model({"known": known, "section_xf": section}, scores - 100.0 * has)
    model.compile(
        optimizer=keras.optimizers.Adam(2e-3),
        loss=loss,
        metrics=[keras.metrics.SparseTopKCategoricalAccuracy(RETURNED, name="recall_at_10")],
    )
    return model


def softmax_over_all(y_true, y_pred):
    """The loss where all items can be scored at each step."""
    return ops.mean(keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True))


def softmax_in_batch(frequencies: np.ndarray) -> Callable:
    """Return the loss for a catalogue of millions: the other rows' items are the wrong answers.

    A frequent item is often there as a wrong answer. Subtracting the logarithm of its frequency makes
    up for it, else the model would learn to avoid what is popular.
    """
    log_frequencies = np.log(frequencies).astype("float32")

    def loss(y_true, y_pred):
        items = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        scores = ops.take(y_pred, items, axis=1) - ops.take(log_frequencies, items)
        row = ops.arange(ops.shape(items)[0])
        # The same item in two rows is not a wrong answer.
        same = (items[:, None] == items[None, :]) & (row[:, None] != row[None, :])
        scores = ops.where(same, -1e9, scores)
        return ops.mean(keras.losses.sparse_categorical_crossentropy(row, scores, from_logits=True))

    return loss


def run_fn(fn_args: FnArgs) -> keras.callbacks.History:
    train = fn_args.dataset("train", batch_size=BATCH_SIZE, label_key="target_xf")
    loss = softmax_over_all
    if fn_args.custom_config["negatives"] == "in_batch":
        items = fn_args.vocabulary_size(ITEMS) + 1
        targets = np.concatenate([labels.ravel() for _, labels in train.epoch(0)])
        loss = softmax_in_batch(np.bincount(targets, minlength=items) + 1.0)
    with fn_args.strategy.scope():
        model = build_model(fn_args, loss)
    history = fit(
        model,
        train,
        validation_data=fn_args.dataset("eval", batch_size=BATCH_SIZE, label_key="target_xf"),
        fn_args=fn_args,
        epochs=fn_args.custom_config["epochs"],
        callbacks=[
            keras.callbacks.EarlyStopping(
                "val_recall_at_10", mode="max", patience=3, restore_best_weights=True
            )
        ],
    )
    draw_items(model.get_layer("items"), fn_args)
    names = tf.constant(fn_args.vocabulary(ITEMS))

    def best(scores):
        top = tf.math.top_k(scores[:, :-1], RETURNED)
        return {"packages": tf.gather(names, top.indices), "scores": top.values}

    export_model(
        model,
        fn_args.serving_model_dir,
        transform_output=fn_args.transform_graph_path,
        label_key="target",
        postprocess=best,
    )
    return history


FAMILIES = {
    "Perl": r"lib.*-perl",
    "Python": r"python3-.*",
    "R": r"r-.*",
    "Ruby": r"ruby-.*",
    "Go": r"golang-.*",
    "Qt and KDE": r"(lib(qt5|kf5)|qml-).*",
}


def draw_items(tower: ItemTower, fn_args: FnArgs) -> None:
    """Draw the vectors of the items. The family is seen in the name only, which the tower reads."""
    vectors = dict(zip(tower.names, ops.convert_to_numpy(tower.vectors()), strict=True))
    groups = {
        family: [name for name in vectors if re.fullmatch(pattern, name)]
        for family, pattern in FAMILIES.items()
    }
    frequent = [name for members in groups.values() for name in members[:2]]
    figure = map_of_vectors(groups, vectors, named=frequent)
    write_pictures(f"{fn_args.model_run_dir}/items", {"items": figure}, title="The items' vectors")


def baseline_fn(train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray]) -> np.ndarray:
    """What most others depend on, without those that a row has already."""
    popular = [name for name, _ in collections.Counter(train["target"].tolist()).most_common()]
    best = []
    for known in test["depends"]:
        has = set(known.tolist())
        best.append([name for name in popular[: RETURNED + len(has)] if name not in has][:RETURNED])
    return np.array(best)
