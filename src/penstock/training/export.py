"""Export for serving: a SavedModel that takes serialized tf.Examples of raw features."""

from __future__ import annotations

import re
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
    """Write a Keras model as a SavedModel with the transform graph inside.

    Its signature `serving_default` takes serialized tf.Examples of raw features (`examples`, a
    vector of strings) and returns the model's outputs. With a transform graph the signature
    `transform_features` takes the same and returns the transformed features, labels included. The
    transform graph's folder is not needed afterwards.

    Args:
        model: A Keras model, or anything that is called with a dict of features and has `variables`.
        directory: The folder to write; usually `fn_args.serving_model_dir`.
        transform_output: The transform graph: its folder (`fn_args.transform_graph_path`) or a
            `tft.TFTransformOutput`. Without it, the model receives the raw features.
        schema: The raw examples' schema; the transform graph's own when there is one.
        label_key: The raw feature (or features) that is absent when the model serves.
        postprocess: Returns the signature's outputs, by name, from the model's. Without it, a
            single tensor is called `outputs`, and a dict is not changed.

    Raises:
        ValueError: If there is no schema, or `label_key` is not a raw feature.

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
    from penstock.training.transform_graph import AppliedTransformGraph
    from penstock.transform.stable_saved_model import stabilize

    graph = AppliedTransformGraph(transform_output) if transform_output is not None else None
    schema = schema or (graph.raw_schema if graph else None)
    if schema is None:
        raise ValueError(
            "export_model needs a transform_output, or the schema of the raw examples."
        )
    labels = {label_key} if isinstance(label_key, str) else set(label_key)
    if unknown := labels - {feature.name for feature in schema.feature}:
        raise ValueError(
            f"label_key={min(unknown)!r} is not a raw feature. "
            f"Features: {', '.join(sorted(feature.name for feature in schema.feature))}"
        )
    full_spec = feature_spec(schema)
    used = graph.inputs_for(model) if graph is not None else set(full_spec)
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
    _renumber_tables(directory)
    stabilize(directory, graph.path if graph is not None else directory)


_LOADED_TABLE = re.compile(rb"_load_(\d+)_(\d+)$")


def _renumber_tables(directory: str) -> None:
    """Renumbers the tables that were loaded with the transform graph.

    TensorFlow names a loaded table by counters of the process, and the name stays in the export.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    path = Path(directory, "saved_model.pb")
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    names = []
    for graph in model.meta_graphs:
        functions = graph.graph_def.library.function
        for nodes in (graph.graph_def.node, *(function.node_def for function in functions)):
            names += [node.attr["shared_name"] for node in nodes if "shared_name" in node.attr]
    found = {match[0] for name in names if (match := _LOADED_TABLE.search(name.s))}
    by_counters = sorted(found, key=lambda suffix: [int(n) for n in suffix.split(b"_")[2:]])
    for name in names:
        if match := _LOADED_TABLE.search(name.s):
            name.s = name.s[: match.start()] + b"_load_%d" % by_counters.index(match[0])
    path.write_bytes(model.SerializeToString(deterministic=True))


def _named(outputs: Any) -> Mapping[str, Any]:
    if isinstance(outputs, Mapping):
        return outputs
    if isinstance(outputs, list | tuple):
        return {f"{OUTPUT_NAME}_{i}": value for i, value in enumerate(outputs)}
    return {OUTPUT_NAME: outputs}


def _model_state(model: Any) -> list[Any]:
    """Return a model's variables, and the lookup tables of its layers.

    Saving the model itself would save a function for each of its layers, which makes loading slow.
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
