"""Labels, predictions and weights of a batch, in the shapes that metrics work on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from penstock.evaluation.keys import SubKey
from penstock.spelling import nearest

Array = npt.NDArray[Any]

CLASS_SCORES = "scores"
"""Output names under which predictions are looked for when no prediction key is given."""
PREDICTION_KEYS = (CLASS_SCORES, "outputs", "predictions", "logistic", "probabilities", "logits")
VOCABULARY_KEYS = ("all_classes", "classes")


@dataclass(frozen=True)
class Pairs:
    """Labels, scores and weights, all of shape `[rows, classes]`, as float64."""

    labels: Array
    predictions: Array
    weights: Array

    def check_binary(self) -> None:
        """Raise a `ValueError` when a label is no number from 0 to 1."""
        if len(self.labels) and not bool(np.all((self.labels >= 0) & (self.labels <= 1))):
            worst = self.labels[~((self.labels >= 0) & (self.labels <= 1))][0]
            raise _no_binary_label(worst)


def _no_binary_label(label: float) -> ValueError:
    return ValueError(
        "A binary metric needs labels between 0 and 1 (or class ids with one score per class). "
        f"Received: a label {label:g}"
    )


class InputSource(Protocol):
    """A batch's features, and all that its models returned."""

    def feature(self, name: str) -> Array:
        """Return a feature as an object array `[rows]` of one array a row."""

    def outputs(self, model_name: str) -> Mapping[str, Array]:
        """Return everything that a model's signature returned, by name."""

    def of_model(self, model_name: str, output_name: str) -> MetricInputs:
        """Return another model's labels, predictions and weights."""


@dataclass
class MetricInputs:
    """One model's (and output's) labels, predictions and weights of a batch.

    Args:
        labels: `[rows]`, `[rows, 1]` or `[rows, classes]`; class ids or values.
        predictions: `[rows]`, `[rows, 1]` or `[rows, classes]`.
        weights: `[rows]`, or None for ones.
        source: Where metrics find what is neither label, prediction nor weight.
    """

    labels: Array
    predictions: Array
    weights: Array | None = None
    source: InputSource | None = None
    _views: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.labels = _two_dimensional("labels", self.labels)
        self.predictions = _two_dimensional("predictions", self.predictions)

    def row_weights(self, weighted: bool) -> Array:
        """Return one weight per row, `[rows]`."""
        if weighted and self.weights is not None:
            return self.weights
        return np.ones(len(self.predictions))

    @property
    def is_sparse(self) -> bool:
        """Whether labels are class ids beside one score per class."""
        return bool(self.labels.shape[1] == 1 and self.predictions.shape[1] > 1)

    @cached_property
    def class_ids(self) -> Array:
        """The label as one class id per row, `[rows]`; -1 where no class is marked.

        Raises:
            ValueError: If a label is no whole number.
        """
        labels = self._numeric_labels
        if labels.shape[1] > 1:
            return np.where(labels.any(axis=1), np.argmax(labels, axis=1), -1)
        ids = labels[:, 0]
        if self.labels.dtype.kind == "f":
            whole = np.isfinite(ids) & (ids == np.floor(ids))
            if not bool(whole.all()):
                raise ValueError(
                    f"A class id must be a whole number. Received: a label {ids[np.argmin(whole)]:g}"
                )
        return np.asarray(ids.astype(np.int64))

    @cached_property
    def has_known_class(self) -> Array:
        """Whether each row's label is one of the classes that there are scores for, `[rows]`."""
        ids = self.class_ids
        return np.asarray((ids >= 0) & (ids < self.predictions.shape[1]))

    def check_predictions(self) -> None:
        """Raise a `ValueError` when the predictions are no numbers."""
        if self.predictions.dtype.kind not in "biuf":
            shown = f", such as {self.predictions[0, 0]!r}" if self.predictions.size else ""
            raise ValueError(
                f"Metrics need predictions that are numbers, one row an example. Received: "
                f"{self.predictions.dtype} values{shown}. Name another output in "
                "ModelSpec.prediction_key."
            )

    def check_binary_labels(self) -> None:
        """Raise a `ValueError` when a label is no number from 0 to 1 (or a class id)."""
        if not self.is_sparse:
            labels = self._numeric_labels
            inside = (labels >= 0) & (labels <= 1)
            if not bool(inside.all()):
                raise _no_binary_label(labels[~inside][0])

    @cached_property
    def dense_labels(self) -> Array:
        """The labels in the predictions' shape; class ids become one-hot rows."""
        if not self.is_sparse:
            return self._numeric_labels
        classes = self.predictions.shape[1]
        return np.asarray(self.class_ids[:, None] == np.arange(classes), dtype=np.float64)

    @cached_property
    def _numeric_labels(self) -> Array:
        if self.labels.dtype.kind not in "biuf":
            raise ValueError(
                f"The labels are strings, such as {self.labels[0, 0]!r}, which metrics cannot use. "
                "Set the label key to a transformed feature with class ids, export the model with "
                "class_names, or let the signature return the classes' names as "
                f"{VOCABULARY_KEYS[0]!r}."
            )
        return self.labels.astype(np.float64)

    def pairs(
        self,
        *,
        sub_key: SubKey | None = None,
        aggregated: bool = False,
        class_weights: tuple[tuple[int, float], ...] = (),
        weighted: bool = False,
    ) -> Pairs:
        """Return labels and scores as binary pairs, one per row and class.

        Args:
            sub_key: The class, or the best classes, to keep. Without one all classes are kept.
            aggregated: Whether `top_k` keeps the best classes only; else the others' scores become
                minus infinity.
            class_weights: Factors on the weights, by class; absent classes weigh nothing.
            weighted: Whether the examples' weights apply.
        """
        view = (sub_key, aggregated, class_weights, weighted)
        if view not in self._views:
            self._views[view] = self._make_pairs(*view)
        pairs: Pairs = self._views[view]
        return pairs

    def of_class(self, sub_key: SubKey) -> MetricInputs:
        """Return what a metric of one row sees that is for a class, a rank, or the best classes.

        For a class or a rank, labels and scores are `[rows, 1]`. For the best classes the other scores are
        minus infinity.
        """
        view = ("of_class", sub_key)
        if view not in self._views:
            labels, predictions = _select(
                self.dense_labels, self.predictions.astype(np.float64), sub_key, False
            )
            if sub_key.top_k is not None:
                labels = self.labels
            self._views[view] = MetricInputs(labels, predictions, self.weights, self.source)
        found: MetricInputs = self._views[view]
        return found

    def _make_pairs(
        self,
        sub_key: SubKey | None,
        aggregated: bool,
        class_weights: tuple[tuple[int, float], ...],
        weighted: bool,
    ) -> Pairs:
        labels, predictions = self.dense_labels, self.predictions.astype(np.float64)
        if sub_key is not None:
            labels, predictions = _select(labels, predictions, sub_key, aggregated)
        weights = np.repeat(self.row_weights(weighted)[:, None], predictions.shape[1], axis=1)
        if class_weights:
            factors = dict(class_weights)
            weights = weights * [factors.get(i, 0.0) for i in range(predictions.shape[1])]
        return Pairs(labels, predictions, weights)


def _two_dimensional(what: str, values: Array) -> Array:
    if values.ndim == 1:
        return values[:, None]
    if values.ndim == 2:
        return values
    raise ValueError(
        f"Metrics work on {what} of shape [rows], [rows, 1] or [rows, classes]. "
        f"Received: {list(values.shape)}"
    )


def _select(
    labels: Array, predictions: Array, key: SubKey, aggregated: bool
) -> tuple[Array, Array]:
    classes = predictions.shape[1]
    wanted = key.class_id if key.class_id is not None else key.k or key.top_k or 0
    limit = classes - 1 if key.class_id is not None else classes
    if not 0 <= wanted <= limit:
        raise ValueError(f"A metric is for {key}, but the model has {classes} classes.")
    if key.class_id is not None:
        return labels[:, [key.class_id]], predictions[:, [key.class_id]]
    order = np.argsort(-predictions, axis=1, kind="stable")
    if key.k is not None:
        chosen = order[:, key.k - 1 : key.k]
    else:
        chosen = np.sort(order[:, : key.top_k], axis=1)
    if key.k is not None or aggregated:
        return (
            np.take_along_axis(labels, chosen, axis=1),
            np.take_along_axis(predictions, chosen, axis=1),
        )
    kept = np.full(predictions.shape, -np.inf)
    np.put_along_axis(kept, chosen, np.take_along_axis(predictions, chosen, axis=1), axis=1)
    return labels, kept


def select_prediction(outputs: dict[str, Array], prediction_key: str) -> Array:
    """Return the scores among a signature's outputs.

    Args:
        outputs: Arrays by output name.
        prediction_key: The output to take; empty for the only one, or the first well-known name.
    """
    return outputs[prediction_name(outputs, prediction_key)]


def prediction_name(outputs: Collection[str], prediction_key: str) -> str:
    """Return which of a signature's outputs is the prediction.

    Args:
        outputs: Their names.
        prediction_key: The output to take; empty for the only one, or the first well-known name.

    Raises:
        ValueError: If there is no such output, or it is not clear which one is meant.
    """
    if prediction_key:
        if prediction_key not in outputs:
            raise ValueError(
                f"The model's signature returns no {prediction_key!r}."
                f"{nearest(prediction_key, outputs)} It returns: {', '.join(outputs)}"
            )
        return prediction_key
    if len(outputs) == 1:
        return next(iter(outputs))
    for key in PREDICTION_KEYS:
        if key in outputs:
            return key
    raise ValueError(
        "Which of the signature's outputs is the prediction? Set prediction_key in the ModelSpec. "
        f"Outputs: {', '.join(outputs)}"
    )


def labels_to_ids(
    labels: Array, outputs: dict[str, Array], class_names: Sequence[str] = ()
) -> Array:
    """Turn string labels into class ids by the vocabulary that a classifier returns, or else carries.

    As TFMA does: `all_classes`, or `classes` beside `scores`, hold the classes' names in the order of
    the scores. Labels outside the vocabulary become -1. Other labels come back as they are.

    Args:
        labels: The labels.
        outputs: What the signature returned.
        class_names: The classes' names that lie in the SavedModel, in the order of the scores.
    """
    if labels.dtype.kind in "biuf":
        return labels
    for key in VOCABULARY_KEYS:
        if key in outputs and (key != "classes" or CLASS_SCORES in outputs):
            vocabulary = outputs[key]
            while vocabulary.ndim > 1:
                vocabulary = vocabulary[0]
            return _ids(labels, vocabulary.tolist())
    if class_names:
        return _ids(labels, [name.encode() for name in class_names])
    return labels


def _ids(labels: Array, vocabulary: Sequence[Any]) -> Array:
    ids = {name: i for i, name in enumerate(vocabulary)}
    flat = [ids.get(label, -1) for label in labels.reshape(-1).tolist()]
    return np.array(flat, dtype=np.int64).reshape(labels.shape)
