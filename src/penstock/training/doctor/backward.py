"""Gradients of a model's weights for a few rows, on each backend of Keras."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.training.doctor.forward import cheap_operations, local_weights


@dataclass(frozen=True)
class Gradient:
    """The gradient of one weight.

    Args:
        name: The layer's name and the weight's own, "dense_1/kernel".
        size: Mean absolute value of its entries that are not 0; 0.0 if all are.
        is_finite: Whether all its entries are.
        is_matrix: Whether the weight has two axes or more, unlike a bias.
    """

    name: str
    size: float
    is_finite: bool
    is_matrix: bool


def gradients(model: Any, batch: Sequence[Any]) -> list[Gradient]:
    """Return the gradients of the loss for a few rows, in inference mode, in the order of the weights.

    No weight, metric or random state changes.

    Args:
        model: A compiled Keras model.
        batch: `(x, y)` or `(x, y, sample_weight)`.
    """
    import keras

    compute = {"tensorflow": _with_tensorflow, "jax": _with_jax, "torch": _with_torch}
    found = compute[keras.backend.backend()](model, *batch)
    variables = model.trainable_variables
    return [_gradient(variable, values) for variable, values in zip(variables, found, strict=True)]


def _gradient(variable: Any, tensor: Any) -> Gradient:
    size, finite = 0.0, True
    if tensor is not None:
        ops, values = cheap_operations(tensor)
        total = _number(ops.sum(ops.abs(values)))
        finite = math.isfinite(total)
        if finite and total:
            size = total / _number(ops.count_nonzero(values))
    name = "/".join(variable.path.split("/")[-2:])
    # The biases of attention's heads have two axes. That of the keys changes nothing: its gradient is 0.
    is_matrix = len(variable.shape) > 1 and not name.endswith("/bias")
    return Gradient(name, size, finite, is_matrix)


def _number(scalar: Any) -> float:
    import keras

    return float(keras.ops.convert_to_numpy(scalar))


def _loss(model: Any, x: Any, y: Any, weights: Any) -> Any:
    import keras

    y_pred = model(x, training=False)
    y = keras.tree.map_structure(keras.ops.convert_to_tensor, y)
    return model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weights, training=False)


def _with_tensorflow(model: Any, x: Any, y: Any, weights: Any = None) -> list[Any]:
    import tensorflow as tf

    with tf.GradientTape() as tape, local_weights(model):
        loss = _loss(model, x, y, weights)
    found = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    # The gradient of an embedding names only the rows that were looked up.
    return [each.values if isinstance(each, tf.IndexedSlices) else each for each in found]


def _with_jax(model: Any, x: Any, y: Any, weights: Any = None) -> list[Any]:
    import jax

    variables = model.trainable_variables

    def loss(values: Sequence[Any]) -> Any:
        mapping = list(zip(variables, values, strict=True))
        with local_weights(model, mapping):
            return _loss(model, x, y, weights)

    values = [_local(variable.value) for variable in variables]
    return list(jax.grad(loss)(values))


def _local(value: Any) -> Any:
    return value if getattr(value, "is_fully_addressable", True) else value.addressable_data(0)


def _with_torch(model: Any, x: Any, y: Any, weights: Any = None) -> list[Any]:
    import torch

    values = [variable.value for variable in model.trainable_variables]
    with torch.enable_grad(), local_weights(model):
        loss = _loss(model, x, y, weights)
    return list(torch.autograd.grad(loss, values, allow_unused=True))
