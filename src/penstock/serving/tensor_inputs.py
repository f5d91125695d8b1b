"""Features of tf.Examples as the tensors of a signature that takes them by name, as Keras exports it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    import tensorflow as tf


def feature_tensors(
    inputs: Mapping[str, Any], examples: Sequence[bytes], first_row: int = 0
) -> dict[str, tf.Tensor]:
    """Return a signature's inputs from serialized tf.Examples.

    Integers are taken where the model reads floats, and whole floats where it reads integers.

    Args:
        inputs: The signature's `tf.TensorSpec`s by name.
        examples: Serialized tf.Examples.
        first_row: The number of the first one, for messages.

    Raises:
        ValueError: If an example lacks a feature, or has values of another type or number than the model
            reads; the message names the feature and the row.
    """
    import tensorflow as tf
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    try:
        batch = ExamplesToRecordBatchDecoder().DecodeBatch(list(examples))
    except RuntimeError as error:
        raise ValueError(
            f"The examples from row {first_row} on do not fit together: {error}"
        ) from error
    tensors = {}
    for name, spec in inputs.items():
        index = batch.schema.get_field_index(name)
        if index < 0 or pa.types.is_null(batch.schema.field(index).type):
            raise ValueError(
                f"The model reads {name!r}, which the examples from row {first_row} on do not have. "
                f"Features: {', '.join(sorted(batch.schema.names))}"
            )
        column = batch.column(index)
        shape = _shape(name, column, spec, first_row)
        values = _values(name, column, spec, first_row)
        tensors[name] = tf.constant(values.reshape(shape), dtype=spec.dtype)
    return tensors


def _shape(name: str, column: Any, spec: Any, first_row: int) -> tuple[int, ...]:
    """Return the tensor's shape, after a look at the rows' numbers of values."""
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    sizes = [None] if spec.shape.rank is None else spec.shape.as_list()[1:]
    if sizes.count(None) > 1:
        raise ValueError(
            f"The model reads {name!r} as a tensor of the shape {sizes}, of which several sizes may vary: "
            "tf.Examples do not say them. Export the model with fixed sizes but one, or with a signature "
            "that takes serialized tf.Examples."
        )
    known = math.prod(size for size in sizes if size is not None)
    expected = known
    if None in sizes and len(lengths):
        expected = int(np.bincount(lengths).argmax()) // max(known, 1) * known
    wrong = lengths != expected
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"The model reads {name!r} as {expected} {'value' if expected == 1 else 'values'} a row. "
            f"Received in row {first_row + row}: {int(lengths[row])}"
        )
    return (len(lengths), *(expected // max(known, 1) if size is None else size for size in sizes))


def _values(name: str, column: Any, spec: Any, first_row: int) -> npt.NDArray[Any]:
    values = column.flatten()
    is_text = not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type))
    kinds = {True: "strings", False: "numbers"}
    if is_text != (spec.dtype.name == "string"):
        raise ValueError(
            f"The model reads {name!r} as {spec.dtype.name}. The examples have {kinds[is_text]}."
        )
    array: npt.NDArray[Any] = values.to_numpy(zero_copy_only=False)
    if is_text:
        return array
    cast = array.astype(spec.dtype.as_numpy_dtype)
    exact = array if spec.dtype.is_floating else cast.astype(array.dtype)
    if not bool(np.array_equal(exact, array, equal_nan=array.dtype.kind == "f")):
        wrong = int(np.argmax(exact != array))
        ends = np.cumsum(column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
        row = first_row + int(np.searchsorted(ends, wrong, side="right"))
        raise ValueError(
            f"The model reads {name!r} as {spec.dtype.name}. Received in row {row}: {array[wrong]}"
        )
    return cast
