"""`export_model`: a trained model in all forms that are asked for."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.training.export.forms import (
    ExportError,
    Form,
    KerasFile,
    TFLite,
    Weights,
    as_forms,
    form_path,
    is_serving_folder,
)
from penstock.training.export.keras_file import (
    is_keras_model,
    keras_backend,
    write_keras_file,
    write_weights_file,
)

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.training.export.signatures import ModelFunctions

_log = logging.getLogger(__name__)


def export_model(
    model: Any,
    directory: str,
    *,
    transform_output: Any = None,
    schema: schema_pb2.Schema | None = None,
    label_key: str | Iterable[str] = (),
    postprocess: Callable[[Any], Mapping[str, Any]] | None = None,
    class_names: Sequence[str] | str = (),
    forms: Iterable[str | Form] | None = None,
) -> None:
    """Write a model as a SavedModel with the transform graph inside, and in other forms beside it.

    The SavedModel has these signatures. Its transform graph's folder is not needed afterwards.

    * `serving_default` takes serialized tf.Examples of raw features (`examples`, a vector of strings)
      and returns what is served: the model's outputs, or what `postprocess` makes of them.
    * `serving_tensors` returns the same from tensors by name: `[rows, ...]` for a feature with a shape,
      `[rows, values]` for one without. There NaN, "" and -2**63 pad rows of fewer values.
    * `evaluation` takes the same as `serving_default`, and returns the model's own outputs.
    * `transform_features`, with a transform graph, returns the transformed features, labels included.

    In a process whose Keras runs on JAX or PyTorch, only the `.keras` file (and the weights) are written,
    and a request for the rest, which `fulfil_export` makes where TensorFlow is. A Trainer does so itself.

    Args:
        model: A Keras model, or anything that is called with a dict of features and has `variables`.
        directory: The folder to write; usually `fn_args.serving_model_dir`.
        transform_output: The transform graph: its folder (`fn_args.transform_graph_path`) or a
            `tft.TFTransformOutput`. Without it, the model receives the raw features.
        schema: The raw examples' schema; the transform graph's own when there is one.
        label_key: The raw feature (or features) that is absent when the model serves.
        postprocess: Returns the signature's outputs, by name, from the model's. Without it, a
            single tensor is called `outputs`, and a dict is not changed.
        class_names: The names of the classes in the order of the model's scores, or the name of a
            vocabulary that they are. They travel along, see `penstock.serving.read_labels`.
        forms: What to write beside a folder called `Format-Serving`: "keras", "weights", "tflite",
            "tflite_float16", "tflite_dynamic_range", "onnx", or `TFLite(...)` and `Onnx(...)` with
            options. These hold what the model itself computes, from its own inputs. By default, a Keras
            model's `.keras` file.

    Raises:
        ValueError: If there is no schema, or `label_key` is not a raw feature.
        ExportError: If the model cannot be written in a form: the message names the layer or the
            operation, and the reason.

    Example:
        >>> export_model(
        ...     model,
        ...     fn_args.serving_model_dir,
        ...     transform_output=fn_args.transform_graph_path,
        ...     label_key="species",
        ...     class_names="species",
        ...     forms=["keras", "tflite_float16"],
        ... )
    """
    wanted = as_forms(forms)
    _check_directory(directory, wanted)
    labels = [label_key] if isinstance(label_key, str) else list(label_key)
    backend = keras_backend(model)
    if is_keras_model(model) and not model.built:
        raise ExportError(
            f"{type(model).__name__} {model.name!r} has no weights yet: train it, or call it once, before "
            "you export it."
        )
    if backend != "tensorflow":
        from penstock.training.export.request import write_request

        if not is_serving_folder(directory):
            raise ValueError(
                f"With Keras's backend {backend!r} the export needs fn_args.serving_model_dir, a folder "
                f"called Format-Serving. Received: {directory!r}"
            )
        with without_warnings():
            write_request(
                model,
                directory,
                backend=backend,
                transform_output=transform_output,
                schema=schema,
                labels=labels,
                postprocess=postprocess,
                class_names=class_names,
                forms=wanted,
                caller=sys._getframe(1).f_globals.get("__name__", ""),
            )
        return
    from penstock.training.export.labels import write_labels
    from penstock.training.export.saved_model import write_saved_model
    from penstock.training.export.signatures import ModelFunctions
    from penstock.training.transform_graph import AppliedTransformGraph

    graph = AppliedTransformGraph(transform_output) if transform_output is not None else None
    schema = schema or (graph.raw_schema if graph else None)
    if schema is None:
        raise ValueError(
            "export_model needs a transform_output, or the schema of the raw examples."
        )
    functions = ModelFunctions(model, graph, schema, labels, postprocess)
    write_saved_model(functions, directory)
    labels_written = write_labels(
        directory, model, graph.path if graph is not None else None, class_names
    )
    functions.check_class_names(labels_written.class_names)
    if forms is None and is_serving_folder(directory) and is_keras_model(model):
        _write_keras_file_if_possible(model, functions, directory)
    for form in wanted:
        write_form(form, model, functions, directory)


def _check_directory(directory: str, wanted: Sequence[Form]) -> None:
    if wanted and not is_serving_folder(directory):
        raise ValueError(
            "The forms lie beside a folder called Format-Serving, such as fn_args.serving_model_dir. "
            f"Received: {directory!r}"
        )


def _write_keras_file_if_possible(model: Any, functions: ModelFunctions, directory: str) -> None:
    try:
        write_form(KerasFile(), model, functions, directory)
    except ExportError as error:
        _log.warning("Only the SavedModel was written. %s", error)


def write_form(form: Form, model: Any, functions: ModelFunctions, directory: str) -> None:
    """Write a model in one form, beside its SavedModel.

    Raises:
        ExportError: If it cannot be written; then no folder is left.
    """
    path = form_path(directory, form)
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    try:
        with without_warnings():
            _write(form, model, functions, path)
    finally:
        if not os.listdir(folder):
            os.rmdir(folder)


@contextlib.contextmanager
def without_warnings() -> Iterator[None]:
    """Hide what Keras and the converters say about NumPy and each other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
        yield


def _write(form: Form, model: Any, functions: ModelFunctions, path: str) -> None:
    if isinstance(form, KerasFile):
        write_keras_file(model, path)
    elif isinstance(form, Weights):
        write_weights_file(model, path)
    elif isinstance(form, TFLite):
        from penstock.training.export.tflite import write_tflite

        write_tflite(functions, form, path)
    else:
        from penstock.training.export.onnx import write_onnx

        write_onnx(functions, form, path)
