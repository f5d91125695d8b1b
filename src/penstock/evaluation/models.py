"""A SavedModel as evaluation sees it: serialized tf.Examples in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

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

    def __init__(self, path: str) -> None:
        import tensorflow as tf

        if not (Path(path) / "saved_model.pb").exists() and "://" not in path:
            raise FileNotFoundError(f"No SavedModel at {path}: saved_model.pb is missing.")
        self.path = path
        self._model = tf.saved_model.load(path)

    @property
    def signatures(self) -> list[str]:
        """The signatures' names."""
        return list(self._model.signatures)

    def output_names(self, name: str) -> list[str]:
        """Return what a signature returns."""
        return sorted(self._function(name).structured_outputs)

    def call(self, name: str, examples: Sequence[bytes]) -> dict[str, Array]:
        """Call a signature on serialized tf.Examples.

        Args:
            name: The signature, or another callable of the model (as TFMA's
                `preprocessing_function_names` may name).
            examples: Serialized tf.Examples.

        Returns:
            Arrays of `[rows, ...]` by output name; strings as bytes objects.
        """
        import tensorflow as tf

        function = self._function(name)
        serialized = tf.constant(list(examples), dtype=tf.string)
        outputs = function(**self._arguments(function, serialized))
        return {key: np.asarray(value.numpy()) for key, value in outputs.items()}

    def _function(self, name: str) -> Any:
        if name in self._model.signatures:
            return self._model.signatures[name]
        raise ValueError(
            f"The model at {self.path} has no signature {name!r}. "
            f"Signatures: {', '.join(self.signatures) or 'none'}"
        )

    def _arguments(self, function: Any, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        import tensorflow as tf

        inputs = function.structured_input_signature[1]
        if len(inputs) == 1:
            ((name, spec),) = inputs.items()
            if spec.dtype == tf.string and len(spec.shape) == 1:
                return {name: serialized}
        features = {
            name: tf.io.FixedLenFeature(spec.shape[1:], _parsed_dtype(spec.dtype))
            for name, spec in inputs.items()
        }
        parsed = tf.io.parse_example(serialized, features)
        return {name: tf.cast(parsed[name], spec.dtype) for name, spec in inputs.items()}


def _parsed_dtype(dtype: tf.DType) -> tf.DType:
    import tensorflow as tf

    if dtype.is_integer or dtype.is_bool:
        return tf.int64
    return tf.float32 if dtype.is_floating else tf.string
