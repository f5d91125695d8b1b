"""What TensorFlow returns: tensors as arrays, and errors in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def as_array(value: Any) -> Array:
    """Return a tensor as an array; a ragged or sparse one as an array of each row's values."""
    import tensorflow as tf

    if isinstance(value, tf.RaggedTensor):
        value = value.to_sparse()
    if isinstance(value, tf.SparseTensor):
        rows = np.asarray(value.indices)[:, 0]
        counts = np.bincount(rows, minlength=int(value.dense_shape[0]))
        result = np.empty(len(counts), dtype=object)
        result[:] = np.split(value.values.numpy(), np.cumsum(counts)[:-1])
        return result
    array = np.asarray(value.numpy())
    return array.astype(np.float32) if value.dtype == tf.bfloat16 else array


def reason_of(message: str) -> str:
    """Return what TensorFlow says, without the graph's nodes."""
    noise = ("Graph execution error", "Detected at node", "[[{{", "<stack traces")
    lines = [line.strip() for line in message.splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(noise)) or message
