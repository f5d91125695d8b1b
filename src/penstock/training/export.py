"""Export for serving: a SavedModel that takes serialized tf.Examples of raw features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow_metadata.proto.v0 import schema_pb2

SERVING_SIGNATURE = "serving_default"
TRANSFORM_SIGNATURE = "transform_features"
INPUT_NAME = "examples"
OUTPUT_NAME = "outputs"


def export_model(
    model: Any,
    directory: str,
    *,
    transform_output: Any = None,
    schema: schema_pb2.Schema | None = None,
    label_key: str | Iterable[str] = (),
    postprocess: Callable[[Any], Mapping[str, Any]] | None = None,
) -> None:
    """Writes a Keras model as a SavedModel with the transform graph inside.

    Its signature `serving_default` takes serialized tf.Examples of raw features (`examples`, a vector of
    strings) and returns the model's outputs. With a transform graph the signature `transform_features`
    takes the same and returns the transformed features, labels included. Nothing of the transform
    graph's folder is needed afterwards.

    Args:
        model: A Keras model, or anything that is called with a dict of features and has `variables`.
        directory: Where to write; `fn_args.serving_model_dir`.
        transform_output: The transform graph: its folder (`fn_args.transform_graph_path`) or a
            `tft.TFTransformOutput`. Without it the model is fed with the raw features.
        schema: The raw examples' schema; the transform graph's own when there is one.
        label_key: The raw feature (or features) that is absent when the model serves.
        postprocess: Makes the signature's outputs, by name, from what the model returns. Without it a
            single tensor is called `outputs`, and a dict stays as it is.

    Raises:
        ValueError: If there is no schema, or `label_key` is no raw feature.

    Example:
        >>> export_model(
        ...     model,
        ...     fn_args.serving_model_dir,
        ...     transform_output=fn_args.transform_graph_path,
        ...     label_key="species",
        ... )
    """
    import tensorflow as tf

    from penstock.training.parsing import feature_spec
    from penstock.transform.stable_saved_model import stabilize

    graph = _TransformGraph(transform_output) if transform_output is not None else None
    schema = schema or (graph.raw_schema if graph else None)
    if schema is None:
        raise ValueError(
            "export_model needs a transform_output, or the schema of the raw examples."
        )
    labels = {label_key} if isinstance(label_key, str) else set(label_key)
    if unknown := labels - {feature.name for feature in schema.feature}:
        raise ValueError(
            f"label_key={min(unknown)!r} is no raw feature. "
            f"Features: {', '.join(sorted(feature.name for feature in schema.feature))}"
        )
    full_spec = feature_spec(schema)
    used = graph.inputs_for(model, full_spec) if graph is not None else set(full_spec)
    serving_spec = {name: spec for name, spec in full_spec.items() if name in used - labels}
    name_outputs = tf.function(postprocess) if postprocess is not None else _named

    def serve(examples: tf.Tensor) -> Mapping[str, tf.Tensor]:
        features = tf.io.parse_example(examples, serving_spec)
        if graph is not None:
            features = graph.apply(features)
        return dict(name_outputs(model(features)))

    def transform(examples: tf.Tensor) -> Mapping[str, tf.Tensor]:
        assert graph is not None
        return graph.apply(tf.io.parse_example(examples, full_spec))

    module = tf.Module()
    module.model_state = _model_state(model)
    signature = [tf.TensorSpec([None], tf.string, name=INPUT_NAME)]
    # AutoGraph stays off: it would convert TensorFlow Transform's sources too, which takes 1.5 s.
    signatures = {SERVING_SIGNATURE: tf.function(serve, signature, autograph=False)}
    if graph is not None:
        module.transform_graph = graph.state
        signatures[TRANSFORM_SIGNATURE] = tf.function(transform, signature, autograph=False)
    tf.saved_model.save(
        module, directory, {k: f.get_concrete_function() for k, f in signatures.items()}
    )
    stabilize(directory, graph.path if graph is not None else directory)


class _TransformGraph:
    """A transform graph, loaded once and applied in as many functions as wanted."""

    def __init__(self, transform_output: Any) -> None:
        from penstock.training.transform_graph import load_transform_output

        if isinstance(transform_output, str | Path):
            transform_output = load_transform_output(str(transform_output))
        self.raw_schema: schema_pb2.Schema = transform_output.raw_metadata.schema
        from tensorflow_transform.saved.saved_transform_io_v2 import SavedModelLoader

        self.path = str(transform_output.transform_savedmodel_dir)
        self._loader = SavedModelLoader(self.path)

    @property
    def state(self) -> list[Any]:
        """What a SavedModel must keep: the graph's tables and their vocabularies."""
        import tensorflow as tf

        trackable = tf.__internal__.tracking.Trackable
        return [value for value in vars(self._loader).values() if isinstance(value, trackable)]

    def inputs_for(self, model: Any, raw: Iterable[str]) -> set[str]:
        """Returns the raw features that the model's inputs follow from; all, where that is not known."""
        wanted = getattr(model, "input", None)
        loaded = next((part for part in self.state if hasattr(part, "transform_fn")), None)
        if not isinstance(wanted, Mapping) or loaded is None:
            return set(raw)
        function = loaded.transform_fn
        if not hasattr(function, "graph"):
            (function,) = function.concrete_functions
        outputs = zip(_flat_names(function.structured_outputs), function.graph.outputs, strict=True)
        pending = [tensor.op for name, tensor in outputs if name in wanted]
        seen = {op.name for op in pending}
        while pending:
            sources = {tensor.op.name: tensor.op for tensor in pending.pop().inputs}
            pending += [op for name, op in sources.items() if name not in seen]
            seen.update(sources)
        specs = function.structured_input_signature[0][0]
        inputs = zip(_flat_names(specs), function.graph.inputs, strict=False)
        return {name for name, tensor in inputs if tensor.op.name in seen}

    def apply(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the transformed features that follow from the given ones."""
        return dict(self._loader.apply_transform_model(dict(features)))


def _flat_names(structure: Mapping[str, Any]) -> list[str]:
    """Returns a name for each tensor of a dict, in the order in which TensorFlow flattens it."""
    import tensorflow as tf

    return [
        name
        for name in sorted(structure)
        for _ in tf.nest.flatten(structure[name], expand_composites=True)
    ]


def _named(outputs: Any) -> Mapping[str, Any]:
    if isinstance(outputs, Mapping):
        return outputs
    if isinstance(outputs, list | tuple):
        return {f"{OUTPUT_NAME}_{i}": value for i, value in enumerate(outputs)}
    return {OUTPUT_NAME: outputs}


def _model_state(model: Any) -> list[Any]:
    """A model's variables, and the lookup tables of its layers.

    To save the model itself would save a function for each of its layers, which makes loading slow.
    """
    import tensorflow as tf

    lookup = tf.lookup
    tables = (
        lookup.StaticHashTable,
        lookup.StaticVocabularyTable,
        lookup.experimental.MutableHashTable,
        lookup.experimental.DenseHashTable,
    )
    state = [getattr(variable, "value", variable) for variable in model.variables]
    for layer in model._flatten_layers() if hasattr(model, "_flatten_layers") else ():
        state += [value for value in vars(layer).values() if isinstance(value, tables)]
    return state
