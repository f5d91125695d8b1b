"""What signatures that classify or regress returned, checked as TensorFlow Serving checks it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.bulk_inference.heads import HeadOutputs

Array = npt.NDArray[Any]

CLASSES, SCORES, REGRESSION = "classes", "scores", "outputs"
"""The names of their outputs."""


def classes_of(head: HeadOutputs) -> tuple[Array | None, Array | None]:
    """Return the labels and the scores of a classification, `[rows, classes]`; one of both may be None.

    Raises:
        ValueError: If both are missing, or one has another shape or type.
    """
    labels, scores = head.outputs.get(CLASSES), head.outputs.get(SCORES)
    if labels is None and scores is None:
        raise ValueError(
            f"The signature {head.signature!r} classifies, so it needs an output {CLASSES!r} or "
            f"{SCORES!r}. Outputs: {', '.join(head.outputs) or 'none'}"
        )
    for name, array, text in ((CLASSES, labels, True), (SCORES, scores, False)):
        if array is None:
            continue
        if (
            array.ndim != 2
            or (array.dtype == object) != text
            or (not text and array.dtype != np.float32)
        ):
            raise ValueError(
                f"The output {name!r} of the signature {head.signature!r} must be "
                f"{'strings' if text else 'float32'} of the shape [rows, classes]. Received: "
                f"{'strings' if array.dtype == object else array.dtype.name} of {list(array.shape)}"
            )
    if labels is not None and scores is not None and labels.shape != scores.shape:
        raise ValueError(
            f"The signature {head.signature!r} returned {labels.shape[1]} classes and {scores.shape[1]} "
            "scores for each row. Expected as many of both."
        )
    return labels, scores


def regressed(head: HeadOutputs) -> Array:
    """Return the values of a regression, `[rows]`.

    Raises:
        ValueError: If there are none, or they have another shape or type.
    """
    values = head.outputs.get(REGRESSION)
    if values is None:
        raise ValueError(
            f"The signature {head.signature!r} regresses, so it needs an output {REGRESSION!r}. Outputs: "
            f"{', '.join(head.outputs) or 'none'}"
        )
    if values.dtype != np.float32 or values.ndim not in (1, 2) or values.size != len(values):
        raise ValueError(
            f"The output {REGRESSION!r} of the signature {head.signature!r} must be float32 of the shape "
            f"[rows] or [rows, 1]. Received: {values.dtype.name} of {list(values.shape)}"
        )
    return values.reshape(-1)


def is_ragged(array: Array) -> bool:
    """Return whether an output has one array a row, each of its own size."""
    one_each = array.dtype == object and array.ndim == 1 and len(array) > 0
    return one_each and isinstance(array[0], np.ndarray)
