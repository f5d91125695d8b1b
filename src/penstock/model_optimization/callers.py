"""Models as they are measured: a TFLite file in its interpreter, or a Keras model as one graph."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from penstock.evaluation.models.lite_model import tflite_interpreter
from penstock.model_optimization.model_rows import structured
from penstock.training.export.forms import TFLite
from penstock.training.export.keras_file import write_keras_file
from penstock.training.export.signatures import ModelFunctions
from penstock.training.export.tflite import write_tflite

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

_BATCH = 256


class Caller(Protocol):
    """A model that is asked with arrays by name, and is a file."""

    file: Path

    def __call__(self, inputs: Mapping[str, Array]) -> Array:
        """Return the model's output for the rows."""
        ...


class LiteCaller:
    """A TFLite file of one output.

    Args:
        file: The file, with the signature `serving_default`.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._interpreter = tflite_interpreter(str(file))
        self._runner = self._interpreter.get_signature_runner()

    def __call__(self, inputs: Mapping[str, Array]) -> Array:
        """Return the model's output for the rows."""
        (output,) = self._runner(**inputs).values()
        return np.array(output)


class KerasCaller:
    """A Keras model of one output, as a `tf.function`; its file has no optimizer's state.

    Args:
        model: The model.
        file: Where the `.keras` file is written.
    """

    def __init__(self, model: Any, file: Path) -> None:
        import keras
        import tensorflow as tf

        self.file = file
        # A copy that is not compiled: the optimizer's state would count as the model's size.
        with tempfile.TemporaryDirectory() as folder:
            write_keras_file(model, f"{folder}/model.keras")
            bare = keras.saving.load_model(f"{folder}/model.keras", compile=False)
        write_keras_file(bare, str(file))
        self._model = bare
        self._function = tf.function(lambda inputs: bare(inputs, training=False))

    def __call__(self, inputs: Mapping[str, Array]) -> Array:
        """Return the model's output for the rows."""
        import tensorflow as tf

        tensors = {name: tf.convert_to_tensor(each) for name, each in inputs.items()}
        found: Array = self._function(structured(self._model, tensors)).numpy()
        return found


def write_lite(model: Any, form: TFLite, file: Path) -> LiteCaller:
    """Convert a Keras model, and return the file's caller.

    Raises:
        ExportError: If TFLite has no operation for something that the model computes.
    """
    from tensorflow_metadata.proto.v0 import schema_pb2

    file.parent.mkdir(parents=True, exist_ok=True)
    functions = ModelFunctions(model, None, schema_pb2.Schema(), (), None)
    write_tflite(functions, form, str(file))
    return LiteCaller(file)


def predict(caller: Caller, inputs: Mapping[str, Array]) -> Array:
    """Return the outputs for all rows, asked in batches."""
    count = len(next(iter(inputs.values())))
    parts = [
        caller({name: each[start : start + _BATCH] for name, each in inputs.items()})
        for start in range(0, count, _BATCH)
    ]
    return np.concatenate(parts)


def sizes(file: Path) -> tuple[int, int]:
    """Return a file's bytes, and its bytes compressed by gzip."""
    content = file.read_bytes()
    return len(content), len(gzip.compress(content, mtime=0))
