"""Integrated gradients: how much of a score each value of the inputs accounts for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from penstock.explaining.explained_model import ExplainedModel
from penstock.explaining.layer_calls import changed_calls, leaf_layers

if TYPE_CHECKING:
    import numpy.typing as npt

Start = Literal["mean", "zero"]
"""Where the path to a number begins."""


def integrated_gradients(
    model: Any,
    inputs: Mapping[str, Any],
    *,
    start: Start = "mean",
    steps: int = 32,
    output: str = "",
    target_class: int | None = None,
) -> dict[str, npt.NDArray[np.float32]]:
    """Return what each input contributes to the score, against a start that says nothing.

    Along a straight line from the start to the row the gradients are averaged and multiplied by the
    distance. Numbers start at their mean over the rows, or at zero; images, and what an Embedding or
    CategoryEncoding makes of whole numbers, start at zero. The contributions of a row add up to its score
    less the score of the start.

    Args:
        model: A Keras model on the TensorFlow backend.
        inputs: Its inputs by name, tensors with the rows first.
        start: "mean" or "zero".
        steps: Points on the line.
        output: The output to explain, if there are several.
        target_class: The class to explain; by default the model's own answer in each row.

    Returns:
        By input, the contributions in the input's own shape (of an embedded input: one for each
        token). An input of whole numbers that no such layer reads is left out.

    Source: Sundararajan, Taly, Yan (2017), Axiomatic Attribution for Deep Networks,
    https://arxiv.org/abs/1703.01365.

    Example:
        >>> found = integrated_gradients(model, inputs)
        >>> found["flipper_length_mm_xf"].shape
        (100, 1)
    """
    import tensorflow as tf

    explained = ExplainedModel(model, output, target_class)
    targets = explained.targets(inputs)
    ends = {name: tf.cast(each, tf.float32) for name, each in inputs.items() if _is_number(each)}
    starts = {name: _start(each, start) for name, each in ends.items()}
    encoders = _encoders(model)
    totals: dict[str, Any] = {}
    distances: dict[str, Any] = {}

    # The midpoint rule: the error falls with the square of the number of steps.
    for step in range(steps):
        share = (step + 0.5) / steps
        points = {name: starts[name] + share * (end - starts[name]) for name, end in ends.items()}
        encoded: dict[str, Any] = {}
        with tf.GradientTape() as tape:
            tape.watch(list(points.values()))

            def on_the_way(
                layer: Any, found: Any, encoded: Any = encoded, share: Any = share
            ) -> Any:
                whole = tf.cast(found, tf.float32)
                point = share * whole
                tape.watch(point)
                name = encoders[id(layer)]
                distances[name] = whole
                encoded[name] = point
                return tf.cast(point, found.dtype)

            with changed_calls(
                [each for each in leaf_layers(model) if id(each) in encoders], on_the_way
            ):
                score = explained.score({**inputs, **points}, targets)
        watched = {**points, **encoded}
        slopes = tape.gradient(score, watched, unconnected_gradients="zero")
        for name, slope in slopes.items():
            totals[name] = totals[name] + slope / steps if name in totals else slope / steps
    distances.update({name: end - starts[name] for name, end in ends.items()})
    found = {name: (total * distances[name]).numpy() for name, total in totals.items()}
    return {
        name: values.sum(axis=-1) if name not in ends else values for name, values in found.items()
    }


def contributions_by_feature(
    found: Mapping[str, npt.NDArray[np.float32]],
) -> dict[str, float]:
    """Return the mean absolute contribution of each input, the greatest first.

    Args:
        found: What `integrated_gradients` returned.
    """
    sums = {
        name: float(np.abs(values.reshape(len(values), -1).sum(axis=1)).mean())
        for name, values in found.items()
    }
    return dict(sorted(sums.items(), key=lambda each: -each[1]))


def _is_number(tensor: Any) -> bool:
    return bool(tensor.dtype.is_floating)


def _start(end: Any, start: Start) -> Any:
    import tensorflow as tf

    if start == "zero" or len(end.shape) > 2:
        return tf.zeros_like(end)
    return tf.zeros_like(end) + tf.reduce_mean(end, axis=0, keepdims=True)


def _encoders(model: Any) -> dict[int, str]:
    """Return the layers that make vectors of whole numbers, by id, each with its input's name."""
    import keras

    inputs = {each.name for each in getattr(model, "inputs", None) or ()}
    found: dict[int, str] = {}
    for layer in leaf_layers(model):
        if isinstance(layer, keras.layers.Embedding | keras.layers.CategoryEncoding):
            name = _input_name(layer)
            found[id(layer)] = name if name in inputs else layer.name
    return found


def _input_name(layer: Any) -> str:
    try:
        return str(getattr(layer.input, "name", ""))
    except (AttributeError, ValueError):  # called several times, or inside of another layer
        return ""
