"""A `.keras` file for evaluation: features by the names of its inputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from penstock.evaluation.models.keras_objects import unknown_objects
from penstock.evaluation.models.signature_model import DEFAULT_SIGNATURE
from penstock.serving.tensor_inputs import feature_tensors

Array = npt.NDArray[Any]


class KerasModel:
    """A `.keras` file, called like a SavedModel with the one signature `serving_default`.

    It takes features by the names of its inputs, as the examples have them: such a file holds no
    transform graph.

    Args:
        path: The file.

    Raises:
        ValueError: If it does not load, or does not name its inputs.

    Example:
        >>> KerasModel("model.keras").call("serving_default", [example.SerializeToString()])
        {'dense': array([[0.1, 0.2, 0.7]], dtype=float32)}
    """

    USES_TENSORFLOW: ClassVar = True
    IN_THREADS: ClassVar = True
    signatures = (DEFAULT_SIGNATURE,)

    def __init__(self, path: str) -> None:
        import keras
        import tensorflow as tf

        self.path = path
        try:
            self._model = keras.saving.load_model(path, compile=False)
        except Exception as error:  # Keras raises of any kind
            unknown = unknown_objects(path)
            reason = (
                f"it needs what is not known here: {' and '.join(unknown)}."
                if unknown
                else _first_line(error)
            )
            raise ValueError(
                f"Keras {keras.version()} does not load the model at {path}: {reason} What is your own "
                "must be registered (keras.saving.register_keras_serializable) in a module that is "
                "imported before. Or export a SavedModel, which needs no code."
            ) from error
        try:
            structure = self._model.input
        except (AttributeError, ValueError) as error:
            raise ValueError(
                f"The model at {path} does not say what its inputs are named. Build it of keras.Input, or "
                "export a SavedModel with a signature."
            ) from error
        self._structure = structure
        self._specs = {
            name: tf.TensorSpec(tensor.shape, tensor.dtype, name)
            for name, tensor in _named(structure).items()
        }

    def output_names(self, name: str) -> list[str]:
        """Return the names of what it returns."""
        del name
        output = self._model.output
        return sorted(output) if isinstance(output, Mapping) else list(self._model.output_names)

    def output_size(self, name: str, output: str) -> int | None:
        """Return how many values an output has for each example; None if that is not known."""
        del name
        given = self._model.output
        names = self.output_names("")
        tensors = [given] if len(names) == 1 and not isinstance(given, Mapping | list) else given
        tensor = tensors[output] if isinstance(tensors, Mapping) else tensors[names.index(output)]
        sizes = tensor.shape[1:]
        return None if None in sizes else int(np.prod(sizes))

    def call(
        self,
        name: str,
        examples: Sequence[bytes],
        first_row: int = 0,
        *,
        only: Collection[str] | None = None,
    ) -> dict[str, Array]:
        """Predict from serialized tf.Examples.

        Raises:
            ValueError: If an example lacks a feature, or it has another type or number of values.
        """
        import keras

        del name
        try:
            tensors = feature_tensors(self._specs, examples, first_row)
        except ValueError as error:
            error.add_note(
                "A .keras file takes features as its inputs are named, transformed ones too."
            )
            raise
        found = self._model(_filled(self._structure, tensors), training=False)
        if not isinstance(found, Mapping):
            values = found if isinstance(found, list | tuple) else [found]
            found = dict(zip(self.output_names(""), values, strict=True))
        return {
            key: np.asarray(keras.ops.convert_to_numpy(value))
            for key, value in found.items()
            if only is None or key in only
        }


def _named(structure: Any) -> dict[str, Any]:
    """Return a Keras model's input tensors by the names of the features that they take."""
    if isinstance(structure, Mapping):
        return dict(structure)
    tensors = structure if isinstance(structure, list | tuple) else [structure]
    return {tensor.name: tensor for tensor in tensors}


def _filled(structure: Any, tensors: Mapping[str, Any]) -> Any:
    """Return tensors in the structure that a Keras model takes them in."""
    if isinstance(structure, Mapping):
        return {name: tensors[name] for name in structure}
    if isinstance(structure, list | tuple):
        return [tensors[tensor.name] for tensor in structure]
    return tensors[structure.name]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".") + "."
