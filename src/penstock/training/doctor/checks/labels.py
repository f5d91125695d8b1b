"""Whether labels have the shape, the type and the values that the loss expects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from penstock.spelling import counted
from penstock.training.doctor.case import Case
from penstock.training.doctor.finding import Finding
from penstock.training.doctor.heads import Head

if TYPE_CHECKING:
    import numpy as np

_ENOUGH_ROWS = 1_000
"""A label of one row in 200 is then missing by chance in one of 150 samples."""
_ROWS_A_CLASS = 20
"""Rows for each unit before a class without rows counts as unused."""


def _shaped(case: Case) -> Iterator[tuple[Head, np.ndarray, int]]:
    """Yield the heads with numeric labels, and the sizes of their outputs' last axis."""
    for head in case.heads:
        if head.labels is not None and head.labels.dtype.kind in "biuf" and head.units is not None:
            yield head, head.labels, head.units


def one_hot_labels(case: Case) -> Iterator[Finding]:
    """Find one-hot vectors where the loss expects indices."""
    for head, labels, units in _shaped(case):
        if head.kind == "sparse" and labels.shape[1:] and labels.shape[-1] == units > 1:
            same_rank = head.outputs is not None and labels.ndim == head.outputs.ndim
            if same_rank:
                yield Finding(
                    "one-hot-labels",
                    head.label_subject,
                    f"{head.loss} expects the index of the class, but the {head.label_subject} are "
                    f"vectors of {units} numbers.",
                    "Use categorical_crossentropy, or labels.argmax(-1).",
                )


def class_indices(case: Case) -> Iterator[Finding]:
    """Find indices where the loss expects one-hot vectors."""
    for head, labels, units in _shaped(case):
        width = labels.shape[-1] if labels.ndim > 1 else 1
        if head.kind == "categorical" and units > 1 and width == 1:
            yield Finding(
                "class-indices",
                head.label_subject,
                f"{head.loss} expects vectors of {units} numbers, but the {head.label_subject} have the "
                f"shape (rows{''.join(f', {n}' for n in labels.shape[1:])}).",
                "Use sparse_categorical_crossentropy, or keras.utils.to_categorical(labels).",
            )


def label_shape(case: Case) -> Iterator[Finding]:
    """Find labels with another number of columns than the output, of which one is repeated to fit."""
    for head, labels, units in _shaped(case):
        width = labels.shape[-1] if labels.ndim > 1 else 1
        if head.kind not in ("binary", "regression") or width == units:
            continue
        if head.outputs is None or head.outputs.ndim != 2 or labels.ndim > 2:
            continue
        yield Finding(
            "label-shape",
            head.label_subject,
            f"{_capital(head.subject)} gives {counted(units, 'number')} a row, but the "
            f"{head.label_subject} are {width} a row: {head.loss} repeats the shorter one or fails.",
            f"Give the layer {counted(width, 'unit')}, or the labels {counted(units, 'column')}.",
        )


def label_type(case: Case) -> Iterator[Finding]:
    """Find labels that are text."""
    for head in case.heads:
        if head.labels is not None and head.labels.dtype.kind in "OSU" and head.loss:
            yield Finding(
                "label-type",
                head.label_subject,
                f"The {head.label_subject} are text ({_shown(head.labels)}), but {head.loss} takes "
                "numbers.",
                "Turn them into indices, in Transform with tft.compute_and_apply_vocabulary.",
            )


def labels_out_of_range(case: Case) -> Iterator[Finding]:
    """Find labels of classes that the model has no unit for, and of values that the loss does not take."""
    import numpy as np

    for head, labels, units in _shaped(case):
        if labels.dtype.kind == "f" and not np.isfinite(labels).all():
            continue
        if head.ignored is not None:
            labels = labels[labels != head.ignored]
        if not labels.size:
            continue
        low, high = float(labels.min()), float(labels.max())
        if head.kind == "sparse" and units > 1 and not _is_one_hot_shape(head, labels):
            fractions = labels.dtype.kind == "f" and bool((labels != np.floor(labels)).any())
            if low < 0 or high >= units or fractions:
                what = "are no whole numbers" if fractions else f"go from {low:g} to {high:g}"
                yield Finding(
                    "labels-out-of-range",
                    head.label_subject,
                    f"The {head.label_subject} {what}, but {head.subject} has {units} units, for the "
                    f"classes 0 to {units - 1}.",
                    "Let the labels count from 0, and give the layer one unit for each class. Labels of "
                    "a regression need a loss such as mean_squared_error.",
                )
        elif _holds_probabilities(head, labels) and (low < 0 or high > 1):
            yield Finding(
                "labels-out-of-range",
                head.label_subject,
                f"The {head.label_subject} go from {low:g} to {high:g}, but {head.loss} takes "
                "probabilities from 0 to 1.",
                "Turn them into 0 and 1, or use a loss for the kind of label that they are.",
            )
        elif head.loss in ("poisson", "mean_squared_logarithmic_error") and low < 0:
            yield Finding(
                "labels-out-of-range",
                head.label_subject,
                f"The {head.label_subject} go down to {low:g}, but {head.loss} takes numbers from 0.",
                "Use mean_squared_error, or shift the labels.",
            )


def unused_classes(case: Case) -> Iterator[Finding]:
    """Find heads most of whose units stand for classes that no row has."""
    import numpy as np

    for head, labels, units in _shaped(case):
        if head.kind != "sparse" or _is_one_hot_shape(head, labels) or units < 3:
            continue
        used = len(np.unique(labels))
        if used == 1 or len(labels) < _ROWS_A_CLASS * units or used > units / 2:
            continue
        yield Finding(
            "unused-classes",
            head.subject,
            f"{_capital(head.subject)} has {units} units, but {_rows(case)} have {used} classes.",
            "Give the layer one unit for each class.",
        )


def constant_labels(case: Case) -> Iterator[Finding]:
    """Find labels that are the same in all rows."""
    for head in case.heads:
        labels, train = head.labels, case.train
        if labels is None or train is None or len(labels) < 2 or labels.ndim > 2:
            continue
        if not train.is_whole and len(labels) < _ENOUGH_ROWS:
            continue
        if (labels == labels[:1]).all():
            hint = (
                ""
                if train.is_whole
                else " Are the rows sorted by it? Then they need to be shuffled."
            )
            yield Finding(
                "constant-labels",
                head.label_subject,
                f"The {head.label_subject} are {_shown(labels)} in {train.rows}: there is nothing to "
                "learn.",
                f"Look at how the label is made.{hint}",
            )


def _is_one_hot_shape(head: Head, labels: np.ndarray) -> bool:
    out = head.outputs
    return out is not None and out.ndim > 1 and labels.ndim == out.ndim and labels.shape[-1] > 1


def _holds_probabilities(head: Head, labels: np.ndarray) -> bool:
    """Whether the loss takes the labels as probabilities; indices are another mistake."""
    is_index = labels.ndim == 1 or labels.shape[-1] == 1
    return head.kind == "binary" or (head.kind == "categorical" and not is_index)


def _rows(case: Case) -> str:
    return case.train.rows if case.train is not None else "the rows"


def _shown(labels: np.ndarray) -> str:
    first = labels.reshape(len(labels), -1)[0]
    value = first[0] if len(first) == 1 else first.tolist()
    return repr(value.decode(errors="replace")) if isinstance(value, bytes) else f"{value}"


def _capital(subject: str) -> str:
    return subject[0].upper() + subject[1:]


CHECKS = (
    one_hot_labels,
    class_indices,
    label_shape,
    label_type,
    labels_out_of_range,
    unused_classes,
    constant_labels,
)
