"""Attention: which places a transformer looks at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.explaining.explained_model import ExplainedModel
from penstock.explaining.layer_calls import replaced_calls

if TYPE_CHECKING:
    import numpy.typing as npt


def attention_scores(model: Any, inputs: Mapping[str, Any]) -> dict[str, npt.NDArray[np.float32]]:
    """Return the attention scores of every `MultiHeadAttention` of a model, in the order of its layers.

    Args:
        model: A Keras model on the TensorFlow backend.
        inputs: Its inputs by name, tensors with the rows first.

    Returns:
        By layer, shape (rows, heads, queries, keys); each query's scores add up to 1.

    Raises:
        ValueError: If the model has no such layer.

    Example:
        >>> {name: each.shape for name, each in attention_scores(model, {"patches": x}).items()}
        {'attention': (8, 4, 50, 50)}
    """
    import keras

    layers = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.MultiHeadAttention)
    ]
    if not layers:
        raise ValueError("Attention maps need a MultiHeadAttention. The model has none.")
    found: dict[str, Any] = {}
    names = _unique_names(layers)

    def asking(layer: Any) -> Any:
        def call(*arguments: Any, return_attention_scores: bool = False, **options: Any) -> Any:
            output, scores = type(layer).call(
                layer, *arguments, return_attention_scores=True, **options
            )
            found[names[id(layer)]] = np.asarray(scores, np.float32)
            return (output, scores) if return_attention_scores else output

        return call

    with replaced_calls(layers, asking):
        ExplainedModel(model).model_call(inputs)
    return {name: found[name] for name in names.values() if name in found}


def _unique_names(layers: list[Any]) -> dict[int, str]:
    """Return a name for each layer; those that share one are numbered."""
    counts: dict[str, int] = {}
    names = {}
    shared = [each.name for each in layers]
    for layer in layers:
        counts[layer.name] = counts.get(layer.name, 0) + 1
        numbered = shared.count(layer.name) > 1
        names[id(layer)] = f"{layer.name} {counts[layer.name]}" if numbered else layer.name
    return names
