"""Making the forms that a process without TensorFlow asked for."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from penstock.artifacts import Model
from penstock.installation import install_command
from penstock.io.processes.child_process import ChildProcess, describe_status, print_line
from penstock.training.export.forms import ExportError
from penstock.training.export.request import (
    PROBE_FILE,
    REQUEST_FILE,
    SAMPLE_FILE,
    ExportRequest,
)

_log = logging.getLogger(__name__)

_MADE_BY = {
    "tensorflow": "Keras's TensorFlow backend, from the .keras file",
    "jax2tf": "jax2tf, since the model does not run on Keras's TensorFlow backend",
}
# No accelerator: the one that trained may still be held, and the numbers are the same.
_ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


_NATIVE = re.compile(
    r"^\[export\] (?:[IWE]\d{4} \d\d:|WARNING: All log messages before|To enable the)"
)


@dataclass(frozen=True)
class FulfilledExport:
    """What `fulfil_export` made.

    Args:
        forms: The folders that the model now has, such as "Format-Serving".
        made_by: "tensorflow" where the `.keras` file was loaded with that backend, "jax2tf" where it was
            converted from JAX; "" if no SavedModel was made.
        missing: What is missing, why, and what finishes it, in a sentence or two; "" if nothing is.
    """

    forms: tuple[str, ...] = ()
    made_by: str = ""
    missing: str = ""


def fulfil_export(
    directory: str, *, output: str | None = None, transform_output: str | None = None
) -> FulfilledExport:
    """Write the forms that a training process without TensorFlow asked for; nothing without a request.

    The `.keras` file is loaded with Keras's TensorFlow backend, in a process of its own. If the model
    computes the same there as where it was trained, all forms are written from it. Else, or if a layer
    is written in JAX, the model is converted from JAX by jax2tf: the SavedModel then holds XLA's code
    for CPUs and CUDA, and cannot become ONNX.

    Args:
        directory: The Model artifact's folder, which holds `Format-Keras/export_request.json`.
        output: The folder to write to; the same one by default. Name another one for a model that is
            published: artifacts do not change.
        transform_output: The transform graph's folder, if it is now elsewhere.

    Raises:
        ExportError: If a form that was asked for cannot be made.

    Example:
        >>> fulfil_export("Trainer/model/7").forms
        ('Format-Serving', 'Format-Keras')
    """
    if not Path(directory, REQUEST_FILE).is_file():
        return FulfilledExport()
    request = ExportRequest.read(directory)
    if transform_output is not None:
        request = replace(request, transform_output=os.path.abspath(transform_output))
    if importlib.util.find_spec("tensorflow") is None:
        return FulfilledExport((Model.KERAS_FOLDER,), missing=_without_tensorflow(directory))
    root = output or directory
    if output is not None:
        ignored = shutil.ignore_patterns(*(Path(each).name for each in _LEFTOVERS))
        source = os.path.join(directory, Model.KERAS_FOLDER)
        shutil.copytree(source, os.path.join(root, Model.KERAS_FOLDER), ignore=ignored)
    made_by, missing = _make(directory, root, request)
    if output is None:
        for file in _LEFTOVERS:
            Path(directory, file).unlink(missing_ok=True)
    model = Model()
    model.uri = root
    if made_by:
        _log.info("Exported %s with %s", ", ".join(model.forms), _MADE_BY[made_by])
    return FulfilledExport(tuple(model.forms), made_by, missing)


_LEFTOVERS = (REQUEST_FILE, PROBE_FILE, SAMPLE_FILE)


def _make(directory: str, root: str, request: ExportRequest) -> tuple[str, str]:
    """Return how the forms were made, and what is missing."""
    answer = _in_process(directory, root, request, "tensorflow")
    if answer["made"]:
        return "tensorflow", ""
    reason = answer["reason"]
    if answer["loaded"]:
        raise ExportError(reason)
    if request.backend == "jax":
        answer = _in_process(directory, root, request, "jax")
        if answer["made"]:
            return "jax2tf", ""
        raise ExportError(
            f"The model cannot be exported. With Keras's TensorFlow backend: {reason} "
            f"Converted from JAX: {answer['reason']}"
        )
    if request.forms:
        raise ExportError(
            f"The forms that were asked for cannot be made, since {reason[0].lower()}{reason[1:]}"
        )
    return "", (
        f"There is no SavedModel, only {Model.KERAS_FOLDER}/model.keras: {reason} A model whose layers use "
        "keras.ops alone runs on each backend."
    )


def _in_process(
    directory: str, root: str, request: ExportRequest, backend: str
) -> Mapping[str, Any]:
    from penstock.training.export.fulfil_process import export_in_process

    environment = {**_ENVIRONMENT, "KERAS_BACKEND": backend}
    arguments = (directory, root, request)
    with ChildProcess(
        export_in_process,
        arguments,
        name="export",
        environment=environment,
        print_line=_print_if_telling,
    ) as child:
        try:
            answer: Mapping[str, Any] = child.connection.recv()
        except (EOFError, ConnectionResetError):
            raise ExportError(
                f"The process that exports the model {describe_status(child.wait(60))}; its output above "
                "says more."
            ) from None
    return answer


def _print_if_telling(line: str) -> None:
    """Print a line, unless a native library tells of the machine in it."""
    if not _NATIVE.search(line):
        print_line(line)


def _without_tensorflow(directory: str) -> str:
    return (
        f"The model has only {Model.KERAS_FOLDER}/model.keras: TensorFlow, which writes the SavedModel for "
        f"the Evaluator and servers, is not installed here. Where it is ({install_command('run')}), this "
        f"adds it: python -m penstock.training.export {directory}"
    )
