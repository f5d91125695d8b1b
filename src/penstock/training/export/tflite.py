"""TFLite models, converted from what the model itself computes."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from penstock.training.export.forms import ExportError, TFLite
from penstock.training.export.signatures import SERVING_SIGNATURE, ModelFunctions
from penstock.training.quiet import quiet_stderr

_MOST_BATCHES = 100
_FOREIGN = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
_PLACE = re.compile(r'error: loc\((?:callsite\()?fused\["(?:\w+:)?", "([^"@]+)/\w+@')


def write_tflite(functions: ModelFunctions, form: TFLite, path: str) -> None:
    """Write a TFLite model with the signature `serving_default`, tensors by name.

    Args:
        functions: What the model computes.
        form: The quantization.
        path: The file to write.

    Raises:
        ExportError: If TFLite has no operation for something that the model computes.
    """
    import tensorflow as tf

    try:
        function = functions.own_function().get_concrete_function()
    except ValueError as error:
        raise ExportError(f"The model cannot become {os.path.basename(path)}: {error}") from error
    names = [each.name for each in function.structured_input_signature[0][0].values()]
    with tempfile.TemporaryDirectory() as folder, quiet_stderr():
        module = tf.Module()
        module.model_state = functions.state()
        tf.saved_model.save(module, folder, {SERVING_SIGNATURE: function})
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=[SERVING_SIGNATURE]
        )
        _configure(converter, form, names)
        try:
            content = converter.convert()
        except ExportError:
            raise
        except Exception as error:
            raise ExportError(
                f"The model cannot become {os.path.basename(path)}: {_reason(str(error))}"
            ) from error
    with open(path, "wb") as file:
        file.write(content)


def _configure(converter: Any, form: TFLite, names: list[str]) -> None:
    import tensorflow as tf

    if form.quantization == "none":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form.quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    elif form.quantization == "int8":
        converter.representative_dataset = lambda: _batches(form.representative_data, names)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]


def _batches(data: Any, names: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of some batches, one at a time, as the converter takes them."""
    batches = [data] if isinstance(data, Mapping) else islice(iter(data), _MOST_BATCHES)
    count = 0
    for batch in batches:
        features = batch[0] if isinstance(batch, list | tuple) else batch
        if not isinstance(features, Mapping):
            features = {names[0]: features}
        if missing := [name for name in names if name not in features]:
            raise ExportError(
                f"representative_data has no {missing[0]!r}. The model's inputs: {', '.join(names)}. "
                f"Received: {', '.join(map(str, features))}"
            )
        arrays = {name: _array(features[name]) for name in names}
        for row in range(len(arrays[names[0]])):
            count += 1
            yield SERVING_SIGNATURE, {name: each[row : row + 1] for name, each in arrays.items()}
    if not count:
        raise ExportError("representative_data has no rows.")


def _array(values: Any) -> Any:
    import numpy as np

    array = np.asarray(values.numpy() if hasattr(values, "numpy") else values)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _reason(message: str) -> str:
    """Return which operations TFLite lacks, and where they are in the model."""
    found = dict.fromkeys(_FOREIGN.findall(message))
    if not found:
        lines = [line.strip() for line in message.splitlines() if line.strip()]
        return lines[0] if lines else "the converter failed without a reason"
    places = dict.fromkeys(_PLACE.findall(message))
    where = f", in {', '.join(places)}" if places else ""
    return f"TFLite has no operation {', '.join(found)}{where}."
