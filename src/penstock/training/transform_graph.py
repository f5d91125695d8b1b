"""The transform graph of a Transform, as training and export use it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from penstock.io.files.plain_path import plain_path

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

_LEGACY_KERAS = "TF_USE_LEGACY_KERAS"


def load_transform_output(transform_graph: str) -> Any:
    """Return the `tft.TFTransformOutput` of a transform graph's folder.

    Args:
        transform_graph: The folder, as `fn_args.transform_graph_path` names it.

    Raises:
        FileNotFoundError: If there is no transform graph.
    """
    if not Path(transform_graph, "transform_fn").exists() and "://" not in transform_graph:
        raise FileNotFoundError(
            f"No transform graph at {transform_graph}: transform_fn/ is missing."
        )
    return import_tensorflow_transform().TFTransformOutput(plain_path(transform_graph))


def import_tensorflow_transform() -> ModuleType:
    """Import `tensorflow_transform`, without its side effect that child processes run Keras 2."""
    before = os.environ.get(_LEGACY_KERAS)
    import tensorflow_transform

    if before is None:
        os.environ.pop(_LEGACY_KERAS, None)
    else:
        os.environ[_LEGACY_KERAS] = before
    module: ModuleType = tensorflow_transform
    return module


class AppliedTransformGraph:
    """A transform graph, loaded once and applied in as many functions as wanted.

    Args:
        transform_output: Its folder, or a `tft.TFTransformOutput`.
    """

    def __init__(self, transform_output: Any) -> None:
        import tensorflow as tf

        if isinstance(transform_output, str | Path):
            transform_output = load_transform_output(str(transform_output))
        self.raw_schema: schema_pb2.Schema = transform_output.raw_metadata.schema
        self.path = str(transform_output.transform_savedmodel_dir)
        self.state = tf.saved_model.load(plain_path(self.path))
        if not hasattr(self.state, "transform_fn"):
            raise ValueError(
                f"The transform graph at {self.path} was made with TensorFlow 1's tracing "
                "(force_tf_compat_v1), which cannot be exported. Run Transform without it."
            )
        function = self.state.transform_fn
        self._function = function if hasattr(function, "graph") else function.concrete_functions[0]
        self._specs: Mapping[str, Any] = self._function.structured_input_signature[0][0]
        self._sources = self._find_sources()

    def inputs_for(self, model: Any) -> set[str]:
        """Return the raw features that the model's inputs depend on; all if they have no names."""
        wanted = declared_inputs(model)
        if isinstance(wanted, Mapping):
            names = list(wanted)
        else:
            tensors = wanted if isinstance(wanted, list | tuple) else [wanted]
            names = [getattr(tensor, "name", "") for tensor in tensors]
            if not set(names) <= set(self._sources):
                return set(self._specs)
        return set().union(*(self._sources.get(name, set()) for name in names))

    def apply(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Return the transformed features that can be computed from the given ones."""
        missing = [name for name in sorted(self._specs) if name not in features]
        rows = _num_rows(features)
        blanks = {name: _blank(self._specs[name], rows) for name in missing}
        outputs = self._function({**features, **blanks})
        absent = set(missing)
        return {name: outputs[name] for name in sorted(outputs) if not self._sources[name] & absent}

    def output_specs(self, given: Collection[str]) -> dict[str, Any]:
        """Return the specs of the transformed features that can be computed from some raw ones."""
        import tensorflow as tf

        outputs = self._function.structured_outputs
        known = {name for name in outputs if self._sources[name] <= set(given)}
        return {name: tf.type_spec_from_value(outputs[name]) for name in sorted(known)}

    def _find_sources(self) -> dict[str, set[str]]:
        """Return the raw features that each transformed one follows from, by walking the graph."""
        graph = self._function.graph
        inputs = zip(_flat_names(self._specs), graph.inputs, strict=False)
        names = {tensor.op.name: name for name, tensor in inputs}
        outputs = _flat_names(self._function.structured_outputs)
        sources: dict[str, set[str]] = {name: set() for name in outputs}
        for name, tensor in zip(outputs, graph.outputs, strict=True):
            pending, seen = [tensor.op], {tensor.op.name}
            while pending:
                operations = {each.op.name: each.op for each in pending.pop().inputs}
                pending += [operation for key, operation in operations.items() if key not in seen]
                seen.update(operations)
            sources[name] |= {names[key] for key in seen if key in names}
        return sources


def declared_inputs(model: Any) -> Any:
    """Return the symbolic inputs of a functional Keras model; None for a model that declares none."""
    try:
        found = getattr(model, "input", None)
    except ValueError:  # a subclassed model, one that is not built, or a Sequential called twice
        found = None
    if found is None and isinstance(inputs := getattr(model, "inputs", None), list):
        found = inputs[0] if len(inputs) == 1 else inputs
    listed = list(found.values()) if isinstance(found, Mapping) else found
    tensors = listed if isinstance(listed, list | tuple) else [found]
    return (
        found if all(hasattr(each, "shape") and hasattr(each, "name") for each in tensors) else None
    )


def _num_rows(features: Mapping[str, Any]) -> Any:
    import tensorflow as tf

    first = features[min(features)]
    if isinstance(first, tf.SparseTensor):
        return first.dense_shape[0]
    return first.nrows() if isinstance(first, tf.RaggedTensor) else tf.shape(first, tf.int64)[0]


def _blank(spec: Any, rows: Any) -> Any:
    """Return rows that say nothing, for a feature that is absent and that no output follows from."""
    import tensorflow as tf

    if isinstance(spec, tf.SparseTensorSpec):
        shape = [rows, *(size or 0 for size in spec.shape[1:])]
        indices = tf.zeros([0, len(shape)], tf.int64)
        return tf.SparseTensor(indices, tf.zeros([0], spec.dtype), shape)
    if isinstance(spec, tf.RaggedTensorSpec):
        splits = [tf.zeros([rows + 1], tf.int64)]
        splits += [tf.zeros([1], tf.int64)] * (spec.ragged_rank - 1)
        inner = [0, *(size or 1 for size in spec.shape[spec.ragged_rank + 1 :])]
        return tf.RaggedTensor.from_nested_row_splits(tf.zeros(inner, spec.dtype), splits)
    return tf.zeros([rows, *(size or 1 for size in spec.shape[1:])], spec.dtype)


def _flat_names(structure: Mapping[str, Any]) -> list[str]:
    """Return a name for each tensor of a dict, in the order in which TensorFlow flattens it."""
    import tensorflow as tf

    return [
        name
        for name in sorted(structure)
        for _ in tf.nest.flatten(structure[name], expand_composites=True)
    ]
