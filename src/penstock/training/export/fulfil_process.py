"""The process that makes the forms that another one asked for; it has TensorFlow."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from pathlib import Path
from typing import Any

from penstock.artifacts import Model
from penstock.training.export.forms import ExportError
from penstock.training.export.request import PROBE_FILE, ExportRequest, Reference

_ANSI = re.compile(r"\x1b\[\d*m")


def export_in_process(connection: Any, arguments: tuple[str, str, ExportRequest]) -> None:
    """Load the model, export it, and send how that went.

    Sends a dict: `loaded` (whether the model computes here what it computed where it was trained), `made`
    (whether all forms were written), and `reason`.
    """
    directory, root, request = arguments
    answer = {"loaded": False, "made": False, "reason": ""}
    try:
        model = _loaded_model(directory, request)
        answer["loaded"] = True
        _export(model, directory, root, request)
        answer["made"] = True
    except (ExportError, ImportError) as error:
        answer["reason"] = str(error)
    except Exception as error:
        if answer["loaded"] and not isinstance(error, ValueError):
            raise
        answer["reason"] = f"{type(error).__name__}: {_first_line(error)}"
    connection.send(answer)


def _loaded_model(directory: str, request: ExportRequest) -> Any:
    """Return the model, checked against what it computed where it was trained.

    Raises:
        ExportError: If it cannot be loaded, or computes something else.
    """
    import keras
    import numpy as np

    from penstock.training.export.probe import difference

    custom: dict[str, Any] = {}
    for reference in request.modules:
        custom |= _defined_in(load(reference))
    path = os.path.join(directory, Model.KERAS_FOLDER, "model.keras")
    backend = keras.backend.backend()
    try:
        model = keras.saving.load_model(path, custom_objects=custom, compile=False, safe_mode=False)
        with np.load(Path(directory, PROBE_FILE)) as file:
            probe = dict(file)
        coarse = any("16" in str(each.dtype_policy.name) for each in model._flatten_layers())
        differs = difference(model, probe, coarse=coarse)
    except Exception as error:
        raise ExportError(
            f"The model, which was trained on {request.backend}, does not run on {backend}: "
            f"{type(error).__name__}: {_first_line(error)}"
        ) from error
    if differs:
        raise ExportError(
            f"The model, which was trained on {request.backend}, is another one on {backend}: {differs}."
        )
    if backend == "jax":
        from penstock.training.export.jax_model import ConvertedJaxModel

        return ConvertedJaxModel(model)
    return model


def _defined_in(module: Any) -> dict[str, Any]:
    """Return the classes and functions of a module by name, as Keras looks up unregistered ones."""
    return {
        name: value
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__
    }


def _export(model: Any, directory: str, root: str, request: ExportRequest) -> None:
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.training.export.model import export_model

    schema = None
    if request.schema is not None:
        schema = text_format.Parse(request.schema, schema_pb2.Schema())
    export_model(
        model,
        os.path.join(root, Model.SERVING_FOLDER),
        transform_output=request.transform_output,
        schema=schema,
        label_key=request.label_key,
        postprocess=load(request.postprocess) if request.postprocess is not None else None,
        class_names=request.class_names,
        forms=request.wanted_forms(directory),
    )


def load(reference: Reference) -> Any:
    """Import what a reference names: by the module's name, or else from its file."""
    try:
        module = importlib.import_module(reference.module)
    except ModuleNotFoundError as error:
        if not reference.file or not reference.module.startswith(f"{error.name}"):
            raise
        spec = importlib.util.spec_from_file_location(reference.module, reference.file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[reference.module] = module
        spec.loader.exec_module(module)
    return getattr(module, reference.name) if reference.name else module


def _first_line(error: Exception) -> str:
    # Keras quotes the message of the layer that failed in that of each layer around it.
    text = _ANSI.sub("", str(error).rpartition("Exception encountered: ")[2])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    count = 2 if text.startswith("Exception encountered when calling") else 1
    return " ".join(lines[:count]) or "no reason given"
