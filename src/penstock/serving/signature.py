"""The inputs of a SavedModel's signature: tensors, or the features that it parses from tf.Examples.

They are read from the graph, without TensorFlow. The Pusher's check and `load_model` both use this,
so a pushed model can be used to predict.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DEFAULT_SIGNATURE = "serving_default"

# What stands before the name of a method in tensorflow/core/protobuf/meta_graph.proto's SignatureDef.
_METHODS = "tensorflow/serving/"

# Numbers of tensorflow/core/framework/types.proto.
_DTYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string",
    9: "int64", 10: "bool", 14: "bfloat16", 17: "uint16", 19: "float16", 22: "uint32", 23: "uint64",
}  # fmt: skip


@dataclass(frozen=True)
class FeatureInput:
    """A feature that a signature reads.

    Args:
        dtype: TensorFlow's name of its type, such as "float32" or "string".
        shape: The shape of a row's value, -1 for a size that may vary; None for any number of values.
        required: Whether a row without it is an error: it has no default.
    """

    dtype: str
    shape: tuple[int, ...] | None
    required: bool


@dataclass(frozen=True)
class Signature:
    """A signature of a SavedModel.

    Args:
        name: Its name.
        inputs: Its tensors by name; the shapes are those of a row, without the batch.
        outputs: The names of its outputs.
        takes_examples: Whether its one tensor holds serialized tf.Examples.
        features: The features that a row may hold, by name: those parsed from the tf.Examples, or
            else the inputs. None if the graph does not show them.
        batch_size: The number of rows that it takes at once: None for any number, 0 where an input is a
            scalar, so that there is no place for rows.
        method: What it is for: "predict", or "classify" or "regress", which take tf.Examples and have
            outputs of fixed names.
    """

    name: str
    inputs: Mapping[str, FeatureInput]
    outputs: tuple[str, ...]
    takes_examples: bool
    features: Mapping[str, FeatureInput] | None
    batch_size: int | None = None
    method: str = "predict"


def read_signatures(saved_model: Any) -> dict[str, Signature]:
    """Return the signatures of a parsed `saved_model.pb` by name.

    Args:
        saved_model: What `parse_saved_model` returned.

    Raises:
        ValueError: If the graph contradicts itself.
    """
    found: dict[str, Signature] = {}
    for graph in saved_model.meta_graphs:
        reader = _Graph(graph.graph)
        for entry in graph.signatures:
            if not entry.key.startswith("__"):
                found[entry.key] = _signature(entry, reader)
    return dict(sorted(found.items()))


def _signature(entry: Any, graph: _Graph) -> Signature:
    inputs = {
        tensor.key: FeatureInput(
            dtype_name(tensor.value.dtype), _row_shape(tensor.value.shape), required=True
        )
        for tensor in entry.value.inputs
    }
    shapes = [_sizes(tensor.value.shape) for tensor in entry.value.inputs]
    counts = {shape[0] if shape else 0 for shape in shapes if shape is not None} - {-1}
    batch_size = min(counts, default=None)
    outputs = tuple(sorted(tensor.key for tensor in entry.value.outputs))
    features: Mapping[str, FeatureInput] | None = inputs
    takes_examples = False
    if len(inputs) == 1:
        ((tensor, described),) = ((t.value, inputs[t.key]) for t in entry.value.inputs)
        vector = tensor.shape.unknown_rank or len(tensor.shape.dims) == 1
        if described.dtype == "string" and vector:
            names = [output.value.name for output in entry.value.outputs]
            takes_examples, features = _parsed_features(graph.reached_from(names), inputs)
    method = entry.value.method_name.removeprefix(_METHODS) or "predict"
    return Signature(entry.key, inputs, outputs, takes_examples, features, batch_size, method)


def _row_shape(shape: Any) -> tuple[int, ...] | None:
    sizes = _sizes(shape)
    return None if sizes is None else sizes[1:]


def _parsed_features(
    scopes: Iterable[Mapping[str, Any]], inputs: Mapping[str, FeatureInput]
) -> tuple[bool, Mapping[str, FeatureInput] | None]:
    """Return whether nodes parse tf.Examples, and the features that they parse."""
    features: dict[str, FeatureInput] = {}
    parses, unknown = False, False
    for nodes in scopes:
        for node in nodes.values():
            if not node.op.startswith(("Parse", "DecodeProto")) or node.op == "ParseTensor":
                continue
            parses = True
            parsed = _features_of(node, nodes)
            unknown |= parsed is None
            features |= parsed or {}
    if not parses:
        return False, inputs
    return True, None if unknown else features


def _features_of(node: Any, nodes: Mapping[str, Any]) -> dict[str, FeatureInput] | None:
    """Return what a node parses; None where its keys are not in the graph."""
    attributes = {entry.key: entry.value for entry in node.attributes}
    dense_types = attributes["Tdense"].list.types if "Tdense" in attributes else ()
    dense_shapes = attributes["dense_shapes"].list.shapes if "dense_shapes" in attributes else ()
    sparse_types = attributes["sparse_types"].list.types if "sparse_types" in attributes else ()
    keys: list[Sequence[bytes] | None]
    ragged_types: Sequence[int] = ()
    if node.op == "ParseExampleV2":
        ragged_types = attributes["ragged_value_types"].list.types
        keys = [_texts(nodes, name) for name in node.inputs[2:5]]
        defaults = node.inputs[5:]
    elif node.op == "ParseExample":
        first, count = 2 + len(sparse_types), len(dense_types)
        keys = [
            _joined(nodes, node.inputs[2:first]),
            _joined(nodes, node.inputs[first : first + count]),
            (),
        ]
        defaults = node.inputs[first + count :]
    elif node.op == "ParseSingleExample":
        keys = [attributes[name].list.texts for name in ("sparse_keys", "dense_keys")] + [()]
        defaults = node.inputs[1:]
    else:
        return None
    sparse, dense, ragged = keys
    if sparse is None or dense is None or ragged is None:
        return None
    features = {}
    for names, types in ((sparse, sparse_types), (ragged, ragged_types)):
        for name, kind in zip(names, types, strict=True):
            features[name.decode()] = FeatureInput(dtype_name(kind), None, required=False)
    for name, kind, shape, default in zip(dense, dense_types, dense_shapes, defaults, strict=True):
        features[name.decode()] = FeatureInput(
            dtype_name(kind), _sizes(shape), required=_is_empty(nodes, default)
        )
    return features


def _joined(nodes: Mapping[str, Any], names: Sequence[str]) -> list[bytes] | None:
    texts = [_texts(nodes, name) for name in names]
    return None if None in texts else [text for each in texts for text in each or ()]


def _constant(nodes: Mapping[str, Any], name: str) -> Any:
    """Return the tensor of a constant, or None where the input is something else."""
    node = nodes.get(_node_name(name))
    while node is not None and node.op == "Identity":
        node = nodes.get(_node_name(node.inputs[0]))
    if node is None or node.op != "Const":
        return None
    return next((entry.value.tensor for entry in node.attributes if entry.key == "value"), None)


def _texts(nodes: Mapping[str, Any], name: str) -> list[bytes] | None:
    tensor = _constant(nodes, name)
    if tensor is None:
        return None
    size = math.prod(_sizes(tensor.shape) or ())
    texts = list(tensor.texts)[:size]
    # Equal last values are written once.
    return texts + (texts or [b""])[-1:] * (size - len(texts))


def _is_empty(nodes: Mapping[str, Any], name: str) -> bool:
    tensor = _constant(nodes, name)
    return tensor is not None and 0 in (_sizes(tensor.shape) or ())


class _Graph:
    """The nodes of a graph and of its functions."""

    def __init__(self, graph: Any) -> None:
        self._main = {node.name: node for node in graph.nodes}
        self._functions = {each.signature.name: each for each in graph.library.functions}

    def reached_from(self, outputs: Iterable[str]) -> list[dict[str, Any]]:
        """Return the nodes that some outputs are computed by: the graph's, and each function's."""
        reached: dict[str, Any] = {}
        pending = [_node_name(name) for name in outputs]
        while pending:
            name = pending.pop()
            node = self._main.get(name)
            if node is not None and name not in reached:
                reached[name] = node
                pending += [_node_name(each) for each in node.inputs]
        scopes = [reached]
        called = _called(reached.values())
        seen = set(called)
        while called:
            function = self._functions.get(called.pop())
            if function is None:
                continue
            nodes = {node.name: node for node in function.nodes}
            scopes.append(nodes)
            new = [name for name in _called(nodes.values()) if name not in seen]
            called += new
            seen.update(new)
        return scopes


def _called(nodes: Iterable[Any]) -> list[str]:
    names = []
    for node in nodes:
        for entry in node.attributes:
            if entry.value.HasField("function"):
                names.append(entry.value.function.name)
            names += [function.name for function in entry.value.list.functions]
    return list(dict.fromkeys(names))


def _node_name(tensor: str) -> str:
    return tensor.removeprefix("^").split(":")[0]


def dtype_name(number: int) -> str:
    """Return TensorFlow's name of a data type, such as "float32", by its number."""
    return _DTYPES.get(number, f"dtype {number}")


def _sizes(shape: Any) -> tuple[int, ...] | None:
    return None if shape.unknown_rank else tuple(dim.size for dim in shape.dims)
