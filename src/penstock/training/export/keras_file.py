"""Keras's own files, with bytes that follow from the model alone.

Keras writes the time into `metadata.json` and into the entries of the archive, and the addresses of
shared objects into `config.json`. Here the date is fixed, and shared objects are numbered in the order
in which they appear.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from typing import Any

from penstock.training.export.forms import ExportError

METADATA = "metadata.json"
CONFIG = "config.json"

_SHARED = "shared_object_id"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_DATE = "1980-01-01@00:00:00"


def is_keras_model(model: Any) -> bool:
    """Return whether a model is one of Keras 3, without importing Keras."""
    return any(
        each.__module__.startswith("keras.") and each.__name__ == "Model"
        for each in type(model).__mro__
    )


def keras_backend(model: Any) -> str:
    """Return the backend that a model runs on; what is not Keras's runs on TensorFlow."""
    if not is_keras_model(model):
        return "tensorflow"
    import keras

    return str(keras.backend.backend())


def write_keras_file(model: Any, path: str) -> None:
    """Write a model as a `.keras` file.

    Raises:
        ExportError: If it is no Keras model, or has a layer or loss that Keras cannot describe.
    """
    if not is_keras_model(model):
        raise ExportError(
            f"Only a Keras model can be written as a .keras file. Received: {type(model).__name__}"
        )
    part = f"{path.removesuffix('.keras')}.part.keras"
    try:
        model.save(part)
        _write_stable(part, path)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ExportError(
            f"{type(model).__name__} {model.name!r} cannot be written as a .keras file: "
            f"{_undescribed(model) or error}"
        ) from error
    finally:
        if os.path.exists(part):
            os.remove(part)


def write_weights_file(model: Any, path: str) -> None:
    """Write a model's weights alone.

    Raises:
        ExportError: If it is no Keras model.
    """
    if not is_keras_model(model):
        raise ExportError(
            "Weights alone are Keras's format; those of another model are in "
            f"Format-Serving/variables. Received: {type(model).__name__}"
        )
    model.save_weights(path)


def _undescribed(model: Any) -> str:
    """Return which layer Keras cannot describe, and why."""
    for layer in [*model._flatten_layers(include_self=False), model]:
        name = type(layer).__name__
        try:
            layer.get_config()
        except (NotImplementedError, TypeError, ValueError):
            return (
                f"its layer {layer.name!r} ({name}) does not say how it is made. Define get_config() in "
                f"{name}."
            )
    return ""


def _write_stable(source: str, path: str) -> None:
    with zipfile.ZipFile(source) as read, zipfile.ZipFile(path, "w") as written:
        for name in sorted(read.namelist()):
            content = read.read(name)
            if name == METADATA:
                content = json.dumps(json.loads(content) | {"date_saved": _DATE}).encode()
            elif name == CONFIG:
                content = json.dumps(_renumbered(json.loads(content), {})).encode()
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            written.writestr(entry, content)


def _renumbered(config: Any, numbers: dict[int, int]) -> Any:
    """Return a configuration whose shared objects are numbered from 0 by their first appearance."""
    if isinstance(config, list):
        return [_renumbered(each, numbers) for each in config]
    if not isinstance(config, Mapping):
        return config
    shared = config.get(_SHARED)
    found = {key: _renumbered(each, numbers) for key, each in config.items() if key != _SHARED}
    # Policies are equal by their names; which of them are one object depends on what ran before.
    if shared is not None and not str(config.get("class_name", "")).endswith("DTypePolicy"):
        found[_SHARED] = numbers.setdefault(shared, len(numbers))
    return found
