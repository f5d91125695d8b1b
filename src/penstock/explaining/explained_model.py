"""A Keras model, its inputs made of columns, and the number of each row that is explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


class ExplainedModel:
    """A Keras model whose outputs are explained, row by row.

    Args:
        model: The model, on Keras's TensorFlow backend.
        output: The output to explain, if it has several.
        target_class: The class whose score is explained; by default that which the model gives the row.

    Raises:
        RuntimeError: If Keras has another backend.
        ValueError: If there is no such output.
    """

    def __init__(self, model: Any, output: str = "", target_class: int | None = None) -> None:
        import keras

        if keras.config.backend() != "tensorflow":
            raise RuntimeError(
                "Gradients are taken on Keras's TensorFlow backend. Received: KERAS_BACKEND="
                f"{keras.config.backend()}"
            )
        self.model = model
        self._output = output
        self._target_class = target_class

    def inputs_of(self, columns: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
        """Return the model's inputs by name, as tensors, of the columns of some rows.

        Args:
            columns: By feature, each with the rows first.

        Raises:
            ValueError: If a column is missing, or has another number of values than the input.
        """
        import tensorflow as tf

        given = getattr(self.model, "inputs", None) or ()
        found = {}
        for each in given:
            values = _column(columns, each.name)
            shape = each.shape[1:]
            dtype = np.dtype(each.dtype) if each.dtype != "string" else None
            found[each.name] = tf.constant(_shaped(each.name, values, shape, dtype))
        if not given:  # a subclassed model takes whatever the columns are
            found = {name: tf.constant(values[:, None]) for name, values in columns.items()}
        return found

    def call(self, inputs: Mapping[str, Any]) -> Any:
        """Return the output, as when the model is served.

        Args:
            inputs: Tensors by name.
        """
        found = self.model_call(inputs)
        if isinstance(found, Mapping):
            if not self._output and len(found) == 1:
                return next(iter(found.values()))
            if self._output not in found:
                raise ValueError(
                    f"Say which output is explained: {', '.join(found)}. Received: {self._output!r}"
                )
            return found[self._output]
        if isinstance(found, (list, tuple)):
            names = list(getattr(self.model, "output_names", ()))
            if self._output not in names:
                raise ValueError(
                    f"Say which output is explained: {', '.join(names)}. Received: {self._output!r}"
                )
            return found[names.index(self._output)]
        return found

    def model_call(self, inputs: Mapping[str, Any]) -> Any:
        """Return all that the model returns.

        Args:
            inputs: Tensors by name.
        """
        structure = getattr(self.model, "_inputs_struct", None)
        arguments: Any = dict(inputs)
        if structure is not None and not isinstance(structure, Mapping):
            arguments = list(inputs.values())
            arguments = arguments[0] if len(arguments) == 1 else arguments
        return self.model(arguments, training=False)

    def targets(self, inputs: Mapping[str, Any]) -> npt.NDArray[np.int64]:
        """Return the class that is explained in each row; 0 where there is one number."""
        scores = np.asarray(self.call(inputs))
        scores = scores.reshape(len(scores), -1)
        if scores.shape[1] == 1:
            return np.zeros(len(scores), np.int64)
        if self._target_class is not None:
            if not 0 <= self._target_class < scores.shape[1]:
                raise ValueError(
                    f"target_class is 0 to {scores.shape[1] - 1}. Received: {self._target_class}"
                )
            return np.full(len(scores), self._target_class, np.int64)
        chosen: npt.NDArray[np.int64] = scores.argmax(axis=1)
        return chosen

    def score(self, inputs: Mapping[str, Any], targets: npt.NDArray[np.int64]) -> Any:
        """Return the explained number of each row, a tensor of shape (rows,).

        Args:
            inputs: Tensors by name.
            targets: The class of each row.
        """
        import tensorflow as tf

        output = self.call(inputs)
        flat = tf.reshape(tf.cast(output, tf.float32), (tf.shape(output)[0], -1))
        return tf.gather(flat, targets, axis=1, batch_dims=1)


def _column(columns: Mapping[str, npt.NDArray[Any]], name: str) -> npt.NDArray[Any]:
    if name not in columns:
        raise ValueError(
            f"The model reads {name!r}, which the examples do not have. They have: "
            f"{', '.join(sorted(columns)) or 'nothing'}"
        )
    return columns[name]


def _shaped(
    name: str, values: npt.NDArray[Any], shape: Sequence[int | None], dtype: np.dtype[Any] | None
) -> npt.NDArray[Any]:
    """Return the values with the input's shape: rows first, rows of fewer values filled with zeros."""
    rows = len(values)
    if values.dtype == object and rows and isinstance(values[0], np.ndarray):
        longest = max(len(each) for each in values)
        padded = np.zeros((rows, longest), dtype or values[0].dtype)
        for place, each in enumerate(values):
            padded[place, : len(each)] = each
        values = padded
    known = [size for size in shape if size is not None]
    free = len(shape) - len(known)
    size = int(np.prod(known, dtype=np.int64)) or 1
    number = values.size // rows if rows else size
    if free > 1 or number % size or (not free and number != size):
        raise ValueError(
            f"The model's input {name!r} has the shape {tuple(shape)}. Received: {number} values a row"
        )
    target = [-1 if each is None else each for each in shape]
    shaped = values.reshape(rows, *target)
    return shaped if dtype is None else shaped.astype(dtype)
