"""The rows of a split as a Keras model takes them, and the labels beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.io import ExamplesSplit, read_columns
from penstock.spelling import did_you_mean

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Rows = tuple[dict[str, Array], Array]


def input_tensors(model: Any) -> dict[str, Any]:
    """Return a Keras model's inputs by name.

    Raises:
        ValueError: If the model does not say what its inputs are.
    """
    try:
        declared = model.input
    except (AttributeError, ValueError) as error:
        raise ValueError(
            f"The model {model.name!r} does not say what its inputs are. Build it of keras.Input."
        ) from error
    if isinstance(declared, Mapping):
        return dict(declared)
    listed = declared if isinstance(declared, list | tuple) else [declared]
    return {each.name: each for each in listed}


def structured(model: Any, columns: Mapping[str, Any]) -> Any:
    """Return inputs by name as the model takes them: a dict, a list or one array."""
    declared = model.input
    if isinstance(declared, Mapping):
        return {name: columns[name] for name in declared}
    if isinstance(declared, list | tuple):
        return [columns[each.name] for each in declared]
    return columns[declared.name]


def read_rows(model: Any, split: ExamplesSplit, label_key: str) -> Rows:
    """Read a split: the model's inputs by name, of the shapes and types that it takes, and the labels.

    Raises:
        ValueError: If an input or the label is no feature of the rows, or has another shape; if a label
            is missing or no number.
    """
    tensors = input_tensors(model)
    columns = read_columns(split)
    for name in (*tensors, label_key):
        if name not in columns:
            raise ValueError(
                f"The examples have no feature {name!r}, which "
                f"{'label_key names' if name == label_key else 'is an input of the model'}."
                f"{did_you_mean(name, columns)} Give the examples that the model was trained on: with a "
                "Transform its transformed examples."
            )
    inputs = {name: _shaped(name, columns[name], each) for name, each in tensors.items()}
    labels = columns[label_key]
    if labels.dtype == object or np.isnan(labels.astype(np.float64)).any():
        raise ValueError(
            f"The label {label_key!r} must be a number in each row: the index of a class, or a value."
        )
    return inputs, labels


def _shaped(name: str, values: Array, tensor: Any) -> Array:
    shape = tuple(-1 if size is None else size for size in tensor.shape[1:])
    try:
        kind = values.dtype if tensor.dtype == "string" else np.dtype(tensor.dtype)
        return values.astype(kind).reshape(len(values), *shape)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"The feature {name!r} has the shape {values.shape}, but the model takes {tensor.shape} of the "
            f"type {tensor.dtype}."
        ) from error
