"""Shapes that the outputs of a `preprocessing_fn` may have."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from penstock.transform.tracing import Trace


def check_output_shapes(trace: Trace, function: str) -> None:
    """Check that every output has one row for each row that comes in, and a known size otherwise.

    A size that depends on an analyzer is passed over as long as the analyzer has not run. An output with
    a fixed number of rows that is made of the inputs is counted when there are rows.

    Args:
        trace: the traced function.
        function: what to call it in messages.

    Raises:
        ValueError: if an output has a shape that a tf.Example cannot hold.
    """
    unknown = {sink.tensor.op.name for sink in trace.sinks}
    given = tf.nest.flatten(dict(trace.inputs), expand_composites=True)
    inputs = {tensor.op.name for tensor in given}
    for name, value in trace.concrete.structured_outputs.items():
        if not isinstance(value, tf.Tensor):
            continue
        shape = value.shape
        if shape.rank and shape[0] is not None and not _depends_on(value.op, inputs):
            raise ValueError(
                f"{function} returned {name!r} with {shape[0]} rows, however many it is called with. "
                "It must return one row for each row it gets. To give every row the same value, use "
                f"tf.repeat or tf.tile with tf.shape(feature)[0]. Received: {value!r}"
            )
        if shape.rank and shape[1:].is_fully_defined():
            continue
        if shape.rank != 0 and _depends_on(value.op, unknown):
            continue
        raise ValueError(
            f"{function} returned {name!r} with the shape {shape}. A dense feature needs a first "
            "dimension for the rows and known sizes of the others: use tf.reshape, "
            "penstock.transform.fill_missing, tft.sparse_tensor_to_dense_with_shape or set_shape, or "
            f"return a tf.SparseTensor or tf.RaggedTensor. Received: {value!r}"
        )


def _depends_on(operation: Any, names: set[str]) -> bool:
    """Whether one of the named operations is among those before an operation, or is itself it."""
    seen: set[str] = set()
    waiting = [operation]
    while waiting:
        here = waiting.pop()
        if here.name in names:
            return True
        if here.name not in seen:
            seen.add(here.name)
            waiting.extend(tensor.op for tensor in here.inputs)
    return False
