"""Several signatures of SavedModels, and features of the examples, from one parse of the examples.

Each signature that takes serialized tf.Examples begins with a parser of its own. To ask a model for its
predictions and its transform graph for the labels parses each row twice, and to read the features that
slices are made of once more. Here the signatures are put into one graph, whose parsers are replaced by
one that reads what all of them need.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.serving.parse_specs import PARSER, Dense, ParseSpec, Ragged, Sparse
from penstock.serving.tensor_outputs import as_array

if TYPE_CHECKING:
    import tensorflow as tf

Array = npt.NDArray[Any]

# Loops and branches that TensorFlow cannot put into another graph without rewriting them.
_CONTROL_FLOW = {"While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase"}

# How the names of functions end that were made for one call.
_SPECIALIZED = "_at_graph_to_optimize"


class AskedSignature(NamedTuple):
    """A signature, and what of it is wanted.

    Attributes:
        function: The signature of a loaded SavedModel.
        only: The outputs that are wanted; None for all.
    """

    function: Any
    only: Collection[str] | None = None


class JointCall:
    """Calls several signatures on serialized tf.Examples, which are parsed once.

    Args:
        signatures: The signatures. Each takes one tensor of serialized tf.Examples, of any number.
        features: The types of the features that are wanted as columns.

    Raises:
        NotJoinable: If the graphs cannot be joined, or share no parser.

    Example:
        >>> call = JointCall([AskedSignature(model.signatures["serving_default"])], {"day": pa.int64()})
        >>> outputs, columns = call(tf.constant(records))
        >>> outputs[0]["outputs"], columns["day"]
    """

    def __init__(
        self, signatures: Sequence[AskedSignature], features: Mapping[str, pa.DataType]
    ) -> None:
        self._types = dict(features)
        # The graph knows variables and tables of the models only as handles.
        self._signatures = list(signatures)
        self._function = _joined(self._signatures, self._types)

    def __call__(self, examples: tf.Tensor) -> tuple[list[dict[str, Array]], dict[str, pa.Array]]:
        """Return the outputs of each signature, and a column of lists for each feature.

        Raises:
            tf.errors.OpError: If a signature or the parser does not take the examples.
        """
        outputs, features = self._function(examples)
        rows = int(examples.shape[0])
        columns = {name: _lists(found, self._types[name], rows) for name, found in features.items()}
        return [{key: as_array(value) for key, value in each.items()} for each in outputs], columns


class NotJoinable(Exception):
    """Signatures cannot be called together; each must be called by itself."""


def _joined(signatures: list[AskedSignature], types: Mapping[str, pa.DataType]) -> Any:
    """Return a function from examples to the outputs of each signature, and the features."""
    import tensorflow as tf

    for each in signatures:
        _check_inputs(each.function)
    text = [tf.TensorSpec([None], tf.string)]

    @tf.function(input_signature=text, autograph=False)  # type: ignore[untyped-decorator]
    def one_by_one(examples: tf.Tensor) -> Any:
        return [_call(each, examples) for each in signatures]

    separate = one_by_one.get_concrete_function()
    graph = _inlined(separate)
    nodes = {node.name: node for node in graph.node}
    replaced, spec = _parsers(graph, nodes, separate.inputs[0].op.name)
    beside = _with_features(spec, types)
    if len(replaced) + bool(types.keys() - beside) < 2:
        raise NotJoinable("There is nothing that is parsed twice.")

    def joint(examples: tf.Tensor) -> Any:
        parsed = spec.parse(examples)
        given = {separate.inputs[0].name: examples}
        for place, value in zip(separate.inputs[1:], separate.captured_inputs, strict=True):
            given[place.name] = tf.identity(value)
        for name, own in replaced.items():
            for i, part in enumerate(own.outputs()):
                given[f"{name}:{i}"] = parsed[part]
        used = _used(graph)
        found = tf.graph_util.import_graph_def(
            graph,
            {name: value for name, value in given.items() if name in used},
            [output.name for output in separate.outputs],
            name="",
        )
        outputs = tf.nest.pack_sequence_as(separate.structured_outputs, found)
        features = {
            name: _parts(name, spec, parsed) for name in types if name not in beside
        } | _ragged(examples, {name: types[name] for name in beside})
        return outputs, features

    return tf.function(joint, input_signature=text, autograph=False)


def _check_inputs(function: Any) -> None:
    import tensorflow as tf

    specs = list(function.structured_input_signature[1].values())
    if len(specs) != 1 or specs[0].dtype != tf.string:
        raise NotJoinable("A signature does not take serialized examples.")
    if specs[0].shape.rank not in (None, 1) or (specs[0].shape.rank and specs[0].shape[0]):
        raise NotJoinable("A signature takes a fixed number of rows.")
    if not all(isinstance(each, tf.TensorSpec) for each in function.structured_outputs.values()):
        raise NotJoinable("A signature returns sparse or ragged tensors.")


def _call(asked: AskedSignature, examples: tf.Tensor) -> dict[str, tf.Tensor]:
    (name,) = asked.function.structured_input_signature[1]
    outputs = asked.function(**{name: examples})
    return {key: value for key, value in outputs.items() if asked.only is None or key in asked.only}


def _inlined(function: Any) -> Any:
    """Return the graph of a function with the functions that it calls in their places."""
    from tensorflow.core.protobuf import config_pb2, meta_graph_pb2

    try:
        from tensorflow.python.eager.context import context
        from tensorflow.python.grappler.tf_optimizer import OptimizeGraph as optimized
    except ImportError as error:
        raise NotJoinable("TensorFlow does not offer to inline functions.") from error
    called = function.graph.as_graph_def()
    bodies = [called.node, *(each.node_def for each in called.library.function)]
    if any(node.op in _CONTROL_FLOW for body in bodies for node in body):
        raise NotJoinable("A signature has loops or branches.")
    meta = meta_graph_pb2.MetaGraphDef(graph_def=called)
    kept = [tensor.name for tensor in (*function.inputs, *function.outputs)]
    meta.collection_def["train_op"].node_list.value.extend(kept)
    config = config_pb2.ConfigProto()
    rewriting = config.graph_options.rewrite_options
    rewriting.min_graph_nodes = -1
    rewriting.optimizers.append("function")
    graph = optimized(config, meta)
    # Calls that could not be inlined go to functions that are made for them, which TensorFlow must know.
    for each in graph.library.function:
        name = each.signature.name
        if not context().has_function(name):
            context().add_function_def(each)
        elif context().get_function_def(name) != each and name.endswith(_SPECIALIZED):
            raise NotJoinable("The signatures are joined with others already.")
    return graph


def _parsers(
    graph: Any, nodes: Mapping[str, Any], examples: str
) -> tuple[dict[str, ParseSpec], ParseSpec]:
    """Return the parsers of the examples that one can stand for, by name, and what that one reads."""
    replaced: dict[str, ParseSpec] = {}
    together = ParseSpec()
    for node in graph.node:
        if node.op != PARSER or _origin(node.input[0], nodes) != examples:
            continue
        spec = ParseSpec.of_node(node, nodes)
        if spec is not None and together.agrees_with(spec):
            together.add(spec)
            replaced[node.name] = spec
    return replaced, together


def _origin(name: str, nodes: Mapping[str, Any]) -> str:
    """Return the node that a tensor comes from, through those that only hand it on."""
    node = nodes[name.partition(":")[0]]
    while node.op == "Identity":
        node = nodes[node.input[0].partition(":")[0]]
    return str(node.name)


def _with_features(spec: ParseSpec, types: Mapping[str, pa.DataType]) -> set[str]:
    """Let a parser read further features; return those that it reads in a way that hides what is there."""
    import tensorflow as tf

    beside = set()
    for name, kind in types.items():
        known = spec.features.get(name)
        dtype = _dtype(kind).as_datatype_enum
        if known is None:
            spec.features[name] = Ragged(dtype, tf.int64.as_datatype_enum)
        elif known.dtype != dtype or (isinstance(known, Dense) and not spec.needs_every_row(name)):
            beside.add(name)
    return beside


def _used(graph: Any) -> set[str]:
    """Return the tensors of a graph that its nodes take, each with its number."""
    names = (name for node in graph.node for name in node.input if not name.startswith("^"))
    return {name if ":" in name else f"{name}:0" for name in names}


def _parts(name: str, spec: ParseSpec, parsed: Mapping[tuple[str, str], tf.Tensor]) -> Any:
    """Return a feature's values, and where each row's begin and end, or which row each is of."""
    kind, values = spec.features[name], parsed[name, "values"]
    if isinstance(kind, Sparse):
        return {"values": values, "rows": parsed[name, "indices"][:, 0]}
    if isinstance(kind, Ragged):
        return {"values": values, "splits": parsed[name, "splits"]}
    return {"values": values}


def _ragged(examples: tf.Tensor, types: Mapping[str, pa.DataType]) -> dict[str, Any]:
    import tensorflow as tf

    if not types:
        return {}
    features = {
        name: tf.io.RaggedFeature(_dtype(kind), row_splits_dtype=tf.int64)
        for name, kind in types.items()
    }
    parsed = tf.io.parse_example(examples, features)
    return {
        name: {"values": found.values, "splits": found.row_splits} for name, found in parsed.items()
    }


def _dtype(kind: pa.DataType) -> Any:
    import tensorflow as tf

    if pa.types.is_integer(kind):
        return tf.int64
    return tf.float32 if pa.types.is_floating(kind) else tf.string


def _lists(found: Mapping[str, tf.Tensor], kind: pa.DataType, rows: int) -> pa.LargeListArray:
    """Return a feature as a column of lists."""
    values = found["values"].numpy()
    if "splits" in found:
        splits = found["splits"].numpy()
    elif "rows" in found:
        counts = np.bincount(found["rows"].numpy(), minlength=rows)
        splits = np.concatenate([[0], np.cumsum(counts)])
    else:
        splits = np.arange(rows + 1) * (values.size // max(rows, 1))
    splits = np.asarray(splits, dtype=np.int64)
    return pa.LargeListArray.from_arrays(pa.array(splits), pa.array(values.reshape(-1), kind))
