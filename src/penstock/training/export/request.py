"""What a process that trains without TensorFlow leaves for one that has it: the export to make.

Beside `Format-Keras/model.keras` lie `export_request.json` and `probe.npz`: inputs, and what the model
made of them where it was trained. `penstock.training.export.fulfil_export` reads and removes both.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.artifacts import Model
from penstock.spelling import did_you_mean
from penstock.training.export.forms import (
    ExportError,
    Form,
    KerasFile,
    Onnx,
    TFLite,
    Weights,
    form_path,
)
from penstock.training.export.keras_file import write_keras_file, write_weights_file
from penstock.training.without_tensorflow import without_tensorflow

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

REQUEST_FILE = f"{Model.KERAS_FOLDER}/export_request.json"
PROBE_FILE = f"{Model.KERAS_FOLDER}/probe.npz"
SAMPLE_FILE = f"{Model.KERAS_FOLDER}/representative_data.npz"

_SAMPLE_ROWS = 1000


@dataclass(frozen=True)
class Reference:
    """Something in a module: the module's name and file, and the name in it ("" for the module)."""

    module: str
    file: str
    name: str = ""


@dataclass(frozen=True)
class ExportRequest:
    """The arguments of `export_model`, as JSON.

    Args:
        backend: Keras's backend, which trained the model.
        transform_output: The transform graph's folder, or None.
        schema: The raw examples' schema as text, or None.
        label_key: The raw features that are absent when the model serves.
        class_names: The names of the classes, or a vocabulary's name.
        postprocess: Where the function is.
        modules: The modules that define the model's own layers.
        forms: The other forms to write: the options of each, and its kind.
    """

    backend: str
    transform_output: str | None = None
    schema: str | None = None
    label_key: list[str] = field(default_factory=list)
    class_names: list[str] | str = field(default_factory=list)
    postprocess: Reference | None = None
    modules: list[Reference] = field(default_factory=list)
    forms: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def read(cls, directory: str) -> ExportRequest:
        """Read the request of a Model artifact's folder."""
        content = json.loads(Path(directory, REQUEST_FILE).read_text())
        content = {key: content[key] for key in (each.name for each in fields(cls))}
        content["modules"] = [Reference(**each) for each in content["modules"]]
        if content["postprocess"] is not None:
            content["postprocess"] = Reference(**content["postprocess"])
        return cls(**content)

    def wanted_forms(self, directory: str) -> list[Form]:
        """Return the forms to write, with the data that int8 needs."""
        import numpy as np

        found: list[Form] = []
        for options in self.forms:
            options = dict(options)
            if options.pop("kind") == "onnx":
                found.append(Onnx(**options))
                continue
            data = None
            if options["quantization"] == "int8":
                with np.load(Path(directory, SAMPLE_FILE)) as file:
                    data = dict(file)
            found.append(TFLite(**options, representative_data=data))
        return found


def write_request(
    model: Any,
    directory: str,
    *,
    backend: str,
    transform_output: Any,
    schema: schema_pb2.Schema | None,
    labels: Sequence[str],
    postprocess: Callable[[Any], Mapping[str, Any]] | None,
    class_names: Sequence[str] | str,
    forms: Sequence[Form],
    caller: str,
) -> None:
    """Write a model's `.keras` file, and what is to be exported from it, without TensorFlow.

    Args:
        model: A Keras model.
        directory: The folder of the SavedModel to come, `.../Format-Serving`.
        backend: Keras's backend.
        transform_output: The transform graph's folder, or None.
        schema: The raw examples' schema; needed without a transform graph.
        labels: The raw features that are absent when the model serves.
        postprocess: Returns what is served from the model's outputs.
        class_names: The names of the classes, or a vocabulary's name.
        forms: The other forms.
        caller: The module that exports the model, which may define functions that it uses.

    Raises:
        ExportError: If something cannot be found by another process, such as a function within a
            function.
        ValueError: If `label_key` or `class_names` are not in the transform graph.
    """
    graph = os.path.abspath(transform_output) if transform_output is not None else None
    _check_names(graph, schema, labels, class_names)
    request = ExportRequest(
        backend=backend,
        transform_output=graph,
        schema=str(schema) if schema is not None else None,
        label_key=list(labels),
        class_names=class_names if isinstance(class_names, str) else list(class_names),
        postprocess=reference_to(postprocess) if postprocess is not None else None,
        modules=own_modules(model, caller),
        forms=[_options(form) for form in forms if isinstance(form, TFLite | Onnx)],
    )
    root = os.path.dirname(os.path.abspath(directory))
    os.makedirs(f"{root}/{Model.KERAS_FOLDER}", exist_ok=True)
    with without_tensorflow():
        _write_files(model, directory, root, forms)
    Path(root, REQUEST_FILE).write_text(request.to_json())


def _write_files(model: Any, directory: str, root: str, forms: Sequence[Form]) -> None:
    write_keras_file(model, form_path(directory, KerasFile()))
    for form in forms:
        if isinstance(form, Weights):
            path = form_path(directory, form)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            write_weights_file(model, path)
        if isinstance(form, TFLite) and form.representative_data is not None:
            _write_sample(model, form.representative_data, f"{root}/{SAMPLE_FILE}")
    _write_probe(model, f"{root}/{PROBE_FILE}")


def reference_to(function: Callable[..., Any]) -> Reference:
    """Return where another process finds a function.

    Raises:
        ExportError: If it is not at the top of a module.
    """
    name = getattr(function, "__qualname__", type(function).__name__)
    module = sys.modules.get(getattr(function, "__module__", "") or "")
    if (
        module is None
        or module.__name__ == "__main__"
        or getattr(module, name, None) is not function
    ):
        raise ExportError(
            f"postprocess={name} is called in another process, which imports it by its name. Define it "
            "at the top of a module, not in a function, in __main__ or as a lambda."
        )
    return Reference(module.__name__, _file_of(module), name)


def own_modules(model: Any, caller: str) -> list[Reference]:
    """Return the modules that define a model's layers, other than Keras's, and the one that exports it.

    Raises:
        ExportError: If a layer is defined in `__main__`, which another process cannot import.
    """
    found: dict[str, Reference] = {}
    if caller in sys.modules and caller not in ("__main__", __name__):
        found[caller] = Reference(caller, _file_of(sys.modules[caller]))
    for layer in model._flatten_layers(include_self=True):
        name = type(layer).__module__
        if name.partition(".")[0] in ("keras", "builtins"):
            continue
        if name == "__main__":
            raise ExportError(
                f"{type(layer).__name__} (the layer {layer.name!r}) is defined in __main__, which the "
                "process that exports the model cannot import. Define it in a module."
            )
        found[name] = Reference(name, _file_of(sys.modules[name]))
    return list(found.values())


def _file_of(module: Any) -> str:
    file = getattr(module, "__file__", None)
    return os.path.abspath(file) if file else ""


def _check_names(
    graph: str | None,
    schema: schema_pb2.Schema | None,
    labels: Iterable[str],
    class_names: Sequence[str] | str,
) -> None:
    if graph is None and schema is None:
        raise ValueError(
            "export_model needs a transform_output, or the schema of the raw examples."
        )
    if graph is not None and not Path(graph, "transform_fn").exists():
        raise FileNotFoundError(f"No transform graph at {graph}: transform_fn/ is missing.")
    if schema is None:
        from google.protobuf import text_format
        from tensorflow_metadata.proto.v0 import schema_pb2

        text = Path(str(graph), "metadata", "schema.pbtxt").read_text()
        schema = text_format.Parse(text, schema_pb2.Schema())
    names = [feature.name for feature in schema.feature]
    if unknown := set(labels) - set(names):
        raise ValueError(
            f"label_key={min(unknown)!r} is not a raw feature. Features: {', '.join(sorted(names))}"
        )
    if isinstance(class_names, str):
        files = Path(graph, "transform_fn", "assets").glob("*") if graph is not None else ()
        known = [file.name.removesuffix(".gz").removesuffix(".tfrecord") for file in files]
        if class_names not in known:
            raise ValueError(
                f"class_names={class_names!r} is not a vocabulary of the transform graph."
                f"{did_you_mean(class_names, known)} Or give a list of names."
            )


def _options(form: TFLite | Onnx) -> dict[str, Any]:
    if isinstance(form, Onnx):
        return {"kind": "onnx", "opset": form.opset}
    return {"kind": "tflite", "quantization": form.quantization}


def _write_sample(model: Any, data: Any, path: str) -> None:
    import numpy as np

    from penstock.training.export.representative_data import representative_batches
    from penstock.training.export.signatures import input_names

    names = input_names(model)
    parts: list[dict[str, Any]] = []
    rows = 0
    for batch in representative_batches(data, names):
        parts.append(batch)
        rows += len(next(iter(batch.values())))
        if rows >= _SAMPLE_ROWS:
            break
    together: dict[str, Any] = {
        name: np.concatenate([part[name] for part in parts]) for name in names
    }
    np.savez(path, **together)


def _write_probe(model: Any, path: str) -> None:
    import numpy as np

    from penstock.training.export.probe import flat, probe_inputs, values_of

    inputs = probe_inputs(model)
    outputs = values_of(model(inputs, training=False))
    np.savez(path, **flat("input", inputs), **flat("output", outputs))
