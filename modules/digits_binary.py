"""One digit against the rest: is it an eight? Nine of ten images are not.

User code of `pipelines/digits_binary.py`. The convolutions are those of `modules/digits.py`.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from modules.digits import SIZE, convolutions, digit, pixels_of

from penstock.plots import precision_recall, score_histogram, write_pictures
from penstock.training import Batches, FnArgs, HalveWhenWorse, export_model, fit
from penstock.transform import decode_images

POSITIVE = 8
BATCH_SIZE = 32


def preprocessing_fn(inputs):
    return {
        "pixels": decode_images(inputs["image"], SIZE, SIZE, channels=1),
        "label_xf": tf.cast(digit(inputs["label"]) == POSITIVE, tf.int64),
    }


def dataset(fn_args: FnArgs, split: str, **options) -> Batches:
    return fn_args.dataset(split, batch_size=BATCH_SIZE, label_key="label_xf", **options)


def labels_of(batches: Batches) -> np.ndarray:
    return np.concatenate([labels for _, labels in batches.epoch(0)]).ravel()


def balanced_weights(labels: np.ndarray) -> dict[int, float]:
    """Return weights by which both classes count as much in the loss as they would if they were equal."""
    return {kind: len(labels) / (2 * np.sum(labels == kind)) for kind in (0, 1)}


def build_model() -> keras.Model:
    image = keras.Input((SIZE, SIZE, 1), name="pixels")
    # One score: the loss below puts it through a sigmoid itself, which is exact for large scores, too.
    score = layers.Dense(1, dtype="float32", name="score")(convolutions(image))
    return keras.Model({"pixels": image}, score, name="digits_binary")


def best_threshold(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Return the threshold with the highest F1 on the precision-recall curve, with what it gives there."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, thresholds = precision_recall_curve(labels, probabilities)
    # The last point of the curve, where nothing is positive, has no threshold.
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    best = int(np.argmax(f1[:-1]))
    # Half way to the next lower score: the rows at the threshold itself are as certain as the others.
    lower = thresholds[best - 1] if best else 0.0
    return {
        "threshold": float((thresholds[best] + lower) / 2),
        "precision": float(precision[best]),
        "recall": float(recall[best]),
        "f1": float(f1[best]),
    }


def run_fn(fn_args: FnArgs) -> dict[str, object]:
    """Train with weights of the classes, then choose the threshold on rows that were not trained on."""
    with fn_args.strategy.scope():
        model = build_model()
        model.compile(
            optimizer=keras.optimizers.Adam(2e-3),
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
            metrics=[keras.metrics.AUC(curve="PR", from_logits=True, name="average_precision")],
        )
    history = fit(
        model,
        dataset(fn_args, "train"),
        validation_data=dataset(fn_args, "eval"),
        fn_args=fn_args,
        epochs=fn_args.custom_config["epochs"],
        class_weight=balanced_weights(labels_of(dataset(fn_args, "train", shuffle=False))),
        callbacks=[
            HalveWhenWorse("val_average_precision"),
            keras.callbacks.EarlyStopping(
                "val_average_precision", mode="max", patience=5, restore_best_weights=True
            ),
        ],
    )
    evaluation = dataset(fn_args, "eval")
    labels = labels_of(evaluation)
    scores = model.predict(evaluation.as_tf_dataset().map(lambda x, y: x), verbose=0).ravel()
    probabilities = np.asarray(keras.ops.sigmoid(scores))
    chosen = best_threshold(labels, probabilities)
    draw(labels, probabilities, chosen, f"{fn_args.model_run_dir}/threshold")

    def decide(score):
        probability = tf.sigmoid(score[:, 0])
        return {"probability": probability, "is_positive": probability >= chosen["threshold"]}

    export_model(
        model,
        fn_args.serving_model_dir,
        transform_output=fn_args.transform_graph_path,
        label_key="label",
        postprocess=decide,
    )
    return {**history.history, "chosen": chosen}


def draw(labels, probabilities, chosen, folder: str) -> None:
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(labels, probabilities)
    point = (chosen["recall"], chosen["precision"])
    groups = {"other digits": probabilities[labels == 0], "eights": probabilities[labels == 1]}
    write_pictures(
        folder,
        {
            "precision_recall": precision_recall({"validation": (recall, precision)}, chosen=point),
            "probabilities": score_histogram(
                groups, threshold=chosen["threshold"], x_label="probability of an eight"
            ),
        },
        title="The threshold, chosen on the precision-recall curve",
    )


def label_fn(columns) -> np.ndarray:
    """Return what the comparison measures by: whether it is an eight."""
    return (np.asarray(columns["label"]).astype(int) == POSITIVE).astype(np.int64)


def baseline_fn(train, test):
    """Logistic regression on the pixels, with weights of the classes."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=0.01, max_iter=300, class_weight="balanced")
    model.fit(pixels_of(train), label_fn(train))
    return model.predict_proba(pixels_of(test))[:, 1]
