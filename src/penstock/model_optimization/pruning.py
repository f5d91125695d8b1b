"""Pruning by magnitude for Keras 3: masks that are kept while the model is trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from penstock.model_optimization.model_rows import structured
from penstock.model_optimization.techniques import Pruning
from penstock.spelling import did_you_mean

if TYPE_CHECKING:
    from penstock.model_optimization.model_rows import Rows

_GROWS = 2 / 3  # of the training; the rest heals the model at its last sparsity


class PruneByMagnitude(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets the smallest weights of each layer to 0 after each batch, more of them from batch to batch.

    Args:
        pruning: The sparsity of each layer.
        steps: The batches of the whole training.

    Raises:
        ValueError: If `layer_sparsity` names a layer that has no weights to prune.
    """

    def __init__(self, pruning: Pruning, steps: int) -> None:
        super().__init__()
        self._pruning = pruning
        self._grows = max(1, int(steps * _GROWS))
        self._masks: list[tuple[Any, float, Any]] = []
        self._step = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Find what is pruned."""
        del logs
        found = prunable(self.model)
        for name in self._pruning.layer_sparsity:
            if name not in found:
                raise ValueError(
                    f"layer_sparsity names {name!r}, which is no layer with weights to prune."
                    f"{did_you_mean(name, found)} Layers: {', '.join(found)}"
                )
        self._masks = [
            (variable, self._pruning.of_layer(name), None)
            for name, variables in found.items()
            for variable in variables
            if self._pruning.of_layer(name)
        ]
        self._step = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Take the masks anew while the sparsity grows, and put them on."""
        del batch, logs
        self._step += 1
        grows = self._step <= self._grows
        reached = 1 - (1 - min(1.0, self._step / self._grows)) ** 3
        for i, (variable, sparsity, mask) in enumerate(self._masks):
            values = keras.ops.convert_to_numpy(variable)
            if grows or mask is None:
                mask = magnitude_mask(values, sparsity * reached, mask)
                self._masks[i] = (variable, sparsity, mask)
            variable.assign(values * mask)


def magnitude_mask(values: Any, sparsity: float, before: Any = None) -> Any:
    """Return 0 for the share of values nearest to 0, and 1 for the others.

    Args:
        values: Weights of any shape.
        sparsity: The share, rounded down to whole weights.
        before: An earlier mask: what it has taken away stays so.

    Example:
        >>> magnitude_mask(np.array([0.1, -2.0, 0.3, 1.0]), 0.5)
        array([0., 1., 0., 1.])
    """
    sizes = np.abs(values) if before is None else np.abs(values) * before - (before == 0)
    mask = np.ones(values.size, values.dtype)
    mask[np.argsort(sizes, axis=None, kind="stable")[: int(values.size * sparsity)]] = 0
    return mask.reshape(values.shape)


def prunable(model: Any) -> dict[str, list[Any]]:
    """Return the trainable variables of two or more dimensions, by the name of their layer."""
    found: dict[str, list[Any]] = {}
    for layer in model._flatten_layers(include_self=False):
        own = [each for each in layer._trainable_variables if len(each.shape) > 1]
        if own and layer.trainable:
            found.setdefault(layer.name, []).extend(own)
    return found


def prune(model: Any, rows: Rows, pruning: Pruning) -> dict[str, float]:
    """Prune a model and train it on; the model itself changes.

    Args:
        model: A compiled Keras model.
        rows: Its inputs by name, and the labels.
        pruning: How.

    Returns:
        The sparsity of each layer that was pruned, as it is afterwards.

    Raises:
        ValueError: If the model is not compiled, or has nothing to prune.
    """
    if getattr(model, "loss", None) is None:
        raise ValueError(
            f"The model {model.name!r} is not compiled, so its loss is not known. Compile it before it is "
            "exported: its .keras file then says with which loss it is trained on."
        )
    if not prunable(model):
        raise ValueError(f"The model {model.name!r} has no weights of two or more dimensions.")
    inputs, labels = rows
    steps = -(-len(labels) // pruning.batch_size) * pruning.epochs
    model.compile(optimizer=keras.optimizers.Adam(pruning.learning_rate), loss=model.loss)
    model.fit(
        structured(model, inputs),
        labels,
        epochs=pruning.epochs,
        batch_size=pruning.batch_size,
        callbacks=[PruneByMagnitude(pruning, steps)],
        verbose=0,
    )
    return {
        name: 1 - sum(map(np.count_nonzero, arrays)) / sum(each.size for each in arrays)
        for name, variables in prunable(model).items()
        if pruning.of_layer(name)
        for arrays in [[keras.ops.convert_to_numpy(each) for each in variables]]
    }
