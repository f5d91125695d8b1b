"""What the parsers in TensorFlow graphs read of serialized tf.Examples, and one parser for all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import tensorflow as tf

PARSER = "ParseExampleV2"
"""The operation of `tf.io.parse_example`."""


@dataclass(frozen=True)
class Sparse:
    """A feature of any number of values a row."""

    dtype: int


@dataclass(frozen=True)
class Dense:
    """A feature of a shape, with a default for rows that lack it; an empty one refuses such rows."""

    dtype: int
    shape: bytes
    default: bytes


@dataclass(frozen=True)
class Ragged:
    """A feature of any number of values a row, with the type of the row splits."""

    dtype: int
    splits: int


Feature: TypeAlias = Sparse | Dense | Ragged


@dataclass
class ParseSpec:
    """The features that a parser reads, by name."""

    features: dict[str, Feature] = field(default_factory=dict)
    _defaults: dict[str, npt.NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def of_node(cls, node: Any, nodes: Mapping[str, Any]) -> ParseSpec | None:
        """Return what the operation of a graph reads; None if its keys are not written in the graph.

        Args:
            node: The `NodeDef` of a parser.
            nodes: All nodes of its graph, by name.
        """
        count = len(node.attr["Tdense"].list.type)
        constants = [_constant(name, nodes) for name in node.input[1 : 5 + count]]
        if any(each is None for each in constants) or len(constants) != 4 + count:
            return None
        names, sparse, dense, ragged, *defaults = constants
        if names is None or names.size:
            return None
        attr = node.attr
        found = cls()
        for key, dtype in zip(_texts(sparse), attr["sparse_types"].list.type, strict=True):
            found.features[key] = Sparse(dtype)
        described = zip(
            _texts(dense),
            attr["Tdense"].list.type,
            attr["dense_shapes"].list.shape,
            defaults,
            strict=True,
        )
        for key, dtype, shape, default in described:
            assert default is not None
            written = repr((default.dtype.str, default.shape, default.tolist())).encode()
            found.features[key] = Dense(dtype, shape.SerializeToString(deterministic=True), written)
            found._defaults[key] = default
        types = zip(
            attr["ragged_value_types"].list.type, attr["ragged_split_types"].list.type, strict=True
        )
        for key, (dtype, splits) in zip(_texts(ragged), types, strict=True):
            found.features[key] = Ragged(dtype, splits)
        return found

    def agrees_with(self, other: ParseSpec) -> bool:
        """Return whether one parser can read the features of both."""
        return all(self.features.get(key, kind) == kind for key, kind in other.features.items())

    def add(self, other: ParseSpec) -> None:
        """Read the features of another spec, too."""
        self.features.update(other.features)
        self._defaults.update(other._defaults)

    def keys(self, kind: type[Feature]) -> list[str]:
        """Return the features of a kind, in the order in which a parser returns them."""
        return [key for key, feature in self.features.items() if isinstance(feature, kind)]

    def needs_every_row(self, key: str) -> bool:
        """Return whether each row has this feature, or the parser fails."""
        return key in self._defaults and not self._defaults[key].size

    def outputs(self) -> list[tuple[str, str]]:
        """Return which part of which feature each output of the operation is, in order."""
        sparse, dense, ragged = self.keys(Sparse), self.keys(Dense), self.keys(Ragged)
        return [
            *((key, "indices") for key in sparse),
            *((key, "values") for key in sparse),
            *((key, "shape") for key in sparse),
            *((key, "values") for key in dense),
            *((key, "values") for key in ragged),
            *((key, "splits") for key in ragged),
        ]

    def parse(self, examples: tf.Tensor) -> dict[tuple[str, str], tf.Tensor]:
        """Add the operation to the graph and return its outputs, by feature and part."""
        import tensorflow as tf
        from tensorflow.core.framework import tensor_shape_pb2

        sparse, dense, ragged = self.keys(Sparse), self.keys(Dense), self.keys(Ragged)

        def dtypes(keys: list[str]) -> list[Any]:
            return [tf.dtypes.as_dtype(self.features[key].dtype) for key in keys]

        shapes, splits = [], []
        for key in dense:
            kind = self.features[key]
            assert isinstance(kind, Dense)
            shapes.append(tf.TensorShape(tensor_shape_pb2.TensorShapeProto.FromString(kind.shape)))
        for key in ragged:
            kind = self.features[key]
            assert isinstance(kind, Ragged)
            splits.append(tf.dtypes.as_dtype(kind.splits))
        found = tf.raw_ops.ParseExampleV2(
            serialized=examples,
            names=tf.constant([], tf.string),
            sparse_keys=tf.constant(sparse, tf.string),
            dense_keys=tf.constant(dense, tf.string),
            ragged_keys=tf.constant(ragged, tf.string),
            dense_defaults=[
                tf.constant(self._defaults[key], dtype)
                for key, dtype in zip(dense, dtypes(dense), strict=True)
            ],
            num_sparse=len(sparse),
            sparse_types=dtypes(sparse),
            ragged_value_types=dtypes(ragged),
            ragged_split_types=splits,
            dense_shapes=shapes,
        )
        return dict(zip(self.outputs(), tf.nest.flatten(list(found)), strict=True))


def _constant(name: str, nodes: Mapping[str, Any]) -> npt.NDArray[Any] | None:
    import tensorflow as tf

    node = nodes.get(name.partition(":")[0])
    if node is not None and node.op == "Reshape":
        values, shape = (_constant(each, nodes) for each in node.input[:2])
        return None if values is None or shape is None else values.reshape(shape)
    if node is None or node.op != "Const":
        return None
    return np.asarray(tf.make_ndarray(node.attr["value"].tensor))


def _texts(keys: npt.NDArray[Any] | None) -> list[str]:
    assert keys is not None
    return [key.decode() for key in keys.reshape(-1).tolist()]
