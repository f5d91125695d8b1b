"""A SavedModel for evaluation: serialized tf.Examples in, arrays out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from penstock.artifacts import Model
from penstock.serving.loading import load_saved_model
from penstock.serving.serialized_examples import SerializedExamples
from penstock.serving.tensor_inputs import feature_tensors
from penstock.serving.tensor_outputs import as_array, reason_of

if TYPE_CHECKING:
    import tensorflow as tf

Array = npt.NDArray[Any]

DEFAULT_SIGNATURE = "serving_default"


class SignatureModel:
    """A SavedModel whose signatures take serialized tf.Examples, or parsed features by name.

    Args:
        path: The SavedModel's folder.

    Raises:
        FileNotFoundError: If there is no SavedModel.

    Example:
        >>> model = SignatureModel("Trainer/model/7/Format-Serving")
        >>> model.call("serving_default", [example.SerializeToString()])
        {'outputs': array([[0.1, 0.2, 0.7]], dtype=float32)}
    """

    USES_TENSORFLOW: ClassVar = True
    IN_THREADS: ClassVar = True
    """Whether several threads may call it at once, and gain by it."""

    def __init__(self, path: str) -> None:
        if not (Path(path) / "saved_model.pb").exists() and "://" not in path:
            raise FileNotFoundError(
                f"No SavedModel at {path}: saved_model.pb is missing.{_only_keras(path)}"
            )
        self.path = path
        self._model = load_saved_model(path)

    @property
    def signatures(self) -> list[str]:
        """The signatures' names."""
        return list(self._model.signatures)

    def output_names(self, name: str) -> list[str]:
        """Return the names of a signature's outputs."""
        return sorted(self.function(name).structured_outputs)

    def output_size(self, name: str, output: str) -> int | None:
        """Return how many values an output has for each example; None if that is not known."""
        shape = getattr(self.function(name).structured_outputs[output], "shape", None)
        return _size_of_a_row(shape)

    def call(
        self,
        name: str,
        examples: Sequence[bytes],
        first_row: int = 0,
        *,
        only: Collection[str] | None = None,
    ) -> dict[str, Array]:
        """Call a signature on serialized tf.Examples.

        A signature that was exported for a fixed number of rows is called with so many at a time.

        Args:
            name: The signature, or another callable of the model (as TFMA's
                `preprocessing_function_names` may name).
            examples: Serialized tf.Examples.
            first_row: The number of the first one, for messages.
            only: Which outputs to return; by default all.

        Returns:
            Arrays of `[rows, ...]` by output name; strings as bytes objects. A sparse or ragged output is
            an array of one array a row.

        Raises:
            ValueError: If the model cannot be called with these examples.
        """
        function = self.function(name)
        count = _fixed_rows(function)
        if count is None or count == len(examples):
            return self._call(name, function, examples, first_row, only)
        parts = []
        for start in range(0, len(examples), count):
            part = list(examples[start : start + count])
            filled = part + part[-1:] * (count - len(part))
            outputs = self._call(name, function, filled, first_row + start, only)
            parts.append({key: values[: len(part)] for key, values in outputs.items()})
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def _call(
        self,
        name: str,
        function: Any,
        examples: Sequence[bytes],
        first_row: int,
        only: Collection[str] | None,
    ) -> dict[str, Array]:
        import tensorflow as tf

        arguments = self._arguments(function, examples, first_row)
        try:
            outputs = function(**arguments)
        except tf.errors.OpError as error:
            raise ValueError(
                f"The signature {name!r} of the model at {self.path} failed on the examples "
                f"{first_row} to {first_row + len(examples) - 1}: {reason_of(error.message)}"
            ) from error
        return {
            key: as_array(value) for key, value in outputs.items() if only is None or key in only
        }

    def function(self, name: str) -> Any:
        """Return a signature as TensorFlow loaded it.

        Raises:
            ValueError: If there is none of the name.
        """
        if name in self._model.signatures:
            return self._model.signatures[name]
        raise ValueError(
            f"The model at {self.path} has no signature {name!r}. "
            f"Signatures: {', '.join(self.signatures) or 'none'}"
        )

    def _arguments(
        self, function: Any, examples: Sequence[bytes], first_row: int
    ) -> dict[str, tf.Tensor]:
        import tensorflow as tf

        inputs = function.structured_input_signature[1]
        if len(inputs) == 1:
            ((name, spec),) = inputs.items()
            if spec.dtype == tf.string and spec.shape.rank in (None, 1):
                if isinstance(examples, SerializedExamples):
                    return {name: examples.tensor}
                return {name: tf.constant(list(examples), dtype=tf.string)}
        return feature_tensors(inputs, examples, first_row)


def _only_keras(path: str) -> str:
    """Return how to make a SavedModel, where there is another form of the model beside it."""
    root = Path(path).parent
    if (root / Model.KERAS_FOLDER / "export_request.json").exists():
        return (
            f" The model was trained without TensorFlow, which writes it. Where TensorFlow is: python -m "
            f"penstock.training.export {root} --output FOLDER"
        )
    if (root / Model.KERAS_FOLDER).exists():
        return f" There is only {Model.KERAS_FOLDER}, which the Evaluator does not load."
    return ""


def _size_of_a_row(shape: Any) -> int | None:
    if shape is None or shape.rank not in (1, 2):
        return None
    size: int | None = 1 if shape.rank == 1 else shape[1]
    return size


def _fixed_rows(function: Any) -> int | None:
    """Return the number of rows that a signature was exported for, if it is fixed."""
    shapes = [spec.shape for spec in function.structured_input_signature[1].values()]
    counts = {shape[0] for shape in shapes if shape.rank}
    return counts.pop() if len(counts) == 1 else None
