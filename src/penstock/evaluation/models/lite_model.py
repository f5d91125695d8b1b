"""A TFLite file for evaluation: features by the names of its signature's inputs."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from penstock.evaluation.models.signature_model import DEFAULT_SIGNATURE
from penstock.serving.tensor_inputs import feature_tensors

Array = npt.NDArray[Any]


class LiteModel:
    """A TFLite file, called like a SavedModel.

    Quantized inputs and outputs are numbers as the model means them, not as it stores them.

    Args:
        path: The file.

    Raises:
        ValueError: If it is no TFLite model.
    """

    USES_TENSORFLOW: ClassVar = True
    IN_THREADS: ClassVar = False

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            self._interpreter = tflite_interpreter(path)
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"The TFLite model at {path} does not load: {error}") from error
        self._signatures = dict(self._interpreter.get_signature_list())
        if not self._signatures:
            raise ValueError(
                f"The TFLite model at {path} has no signature, so its inputs have no names. Convert it "
                "from a SavedModel or a Keras model."
            )
        self._runners: dict[str, Any] = {}

    @property
    def signatures(self) -> list[str]:
        """The signatures' names; the only one is also the default one."""
        names = list(self._signatures)
        return names if len(names) > 1 else [*names, DEFAULT_SIGNATURE]

    def output_names(self, name: str) -> list[str]:
        """Return the names of a signature's outputs."""
        return sorted(self._runner(name).get_output_details())

    def output_size(self, name: str, output: str) -> int | None:
        """Return how many values an output has for each example; None if that is not known."""
        shape = self._runner(name).get_output_details()[output]["shape_signature"][1:]
        return None if -1 in shape else int(np.prod(shape))

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
        import tensorflow as tf

        runner = self._runner(name)
        details = runner.get_input_details()
        specs = {
            key: tf.TensorSpec(
                [None, *(None if size == -1 else size for size in detail["shape_signature"][1:])],
                tf.float32 if _scale(detail) else detail["dtype"],
            )
            for key, detail in details.items()
        }
        tensors = feature_tensors(specs, examples, first_row)
        given = {
            key: _stored(tensor.numpy(), details[key]).astype(details[key]["dtype"])
            for key, tensor in tensors.items()
        }
        fixed = {int(detail["shape_signature"][0]) for detail in details.values()}
        count = fixed.pop() if len(fixed) == 1 else -1
        if count == -1:
            count = max(len(examples), 1)
        parts = [self._run(runner, given, start, count) for start in range(0, len(examples), count)]
        outputs = runner.get_output_details()
        return {
            key: _meant(np.concatenate([part[key] for part in parts]), outputs[key])[
                : len(examples)
            ]
            for key in outputs
            if only is None or key in only
        }

    def _run(
        self, runner: Any, given: Mapping[str, Array], start: int, count: int
    ) -> dict[str, Array]:
        """Run on so many rows; the last ones are repeated where there are too few."""
        last = len(next(iter(given.values()))) - 1
        rows = np.minimum(np.arange(start, start + count), last)
        with self._lock:
            found = runner(**{key: values[rows] for key, values in given.items()})
            return {key: np.array(value) for key, value in found.items()}

    def _runner(self, name: str) -> Any:
        if name == DEFAULT_SIGNATURE and name not in self._signatures:
            name = next(iter(self._signatures))
        if name not in self._runners:
            self._runners[name] = self._interpreter.get_signature_runner(name)
        return self._runners[name]


def tflite_interpreter(path: str) -> Any:
    """Return an interpreter of a TFLite file: LiteRT's where it is installed, or else TensorFlow's."""
    try:
        interpreter = import_module("ai_edge_litert.interpreter").Interpreter
    except ImportError:
        import tensorflow as tf

        with warnings.catch_warnings():
            # TensorFlow says that this moves to LiteRT, which is taken where it is installed.
            warnings.simplefilter("ignore")
            return tf.lite.Interpreter(model_path=path)
    return interpreter(model_path=path)


def _scale(detail: Mapping[str, Any]) -> float:
    """Return what one step of an integer means; 0 where the tensor is not quantized."""
    return float(detail["quantization"][0]) if np.issubdtype(detail["dtype"], np.integer) else 0.0


def _stored(values: Array, detail: Mapping[str, Any]) -> Array:
    if not (scale := _scale(detail)):
        return values
    bounds = np.iinfo(detail["dtype"])
    stored = np.round(values / scale) + detail["quantization"][1]
    return np.asarray(np.clip(stored, bounds.min, bounds.max))


def _meant(values: Array, detail: Mapping[str, Any]) -> Array:
    if not (scale := _scale(detail)):
        return values
    return np.asarray((values.astype(np.float32) - detail["quantization"][1]) * scale, np.float32)
