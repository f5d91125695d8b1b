"""TFLite models, converted from what the model itself computes."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from typing import Any

from penstock.io.processes.quiet import quiet_stderr
from penstock.training.export.forms import ExportError, TFLite
from penstock.training.export.representative_data import representative_batches
from penstock.training.export.signatures import SERVING_SIGNATURE, ModelFunctions

_OPERATIONS = {
    "int8": "TFLITE_BUILTINS_INT8",
    "int16x8": "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",
}
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
    elif form.quantization in _OPERATIONS:
        converter.representative_dataset = lambda: _rows(form.representative_data, names)
        operations = getattr(tf.lite.OpsSet, _OPERATIONS[form.quantization])
        converter.target_spec.supported_ops = [operations]


def _rows(data: Any, names: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield one row at a time, as the converter takes them."""
    for batch in representative_batches(data, names):
        for row in range(len(batch[names[0]])):
            yield SERVING_SIGNATURE, {name: each[row : row + 1] for name, each in batch.items()}


def _reason(message: str) -> str:
    """Return which operations TFLite lacks, and where they are in the model."""
    found = dict.fromkeys(_FOREIGN.findall(message))
    if not found:
        lines = [line.strip() for line in message.splitlines() if line.strip()]
        return lines[0] if lines else "the converter failed without a reason"
    places = dict.fromkeys(_PLACE.findall(message))
    where = f", in {', '.join(places)}" if places else ""
    return f"TFLite has no operation {', '.join(found)}{where}."
