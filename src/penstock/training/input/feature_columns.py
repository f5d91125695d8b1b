"""What a schema says of the form of each feature, without TensorFlow.

The rules are those by which TensorFlow Transform turns a schema into a feature spec
(`schema_utils.schema_as_feature_spec`): a feature with a shape is dense, any other has a variable
length, and what `tensor_representation_group` says wins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

_GUESSED_STRING_BYTES = 32
_GUESSED_VALUES = 4


@dataclass(frozen=True)
class FeatureColumn:
    """The form of a feature in a batch.

    Attributes:
        name: The feature's name in a batch.
        source: The feature of the examples that holds its values; usually the same name.
        dtype: float32, int64, or object for bytes.
        shape: The shape of a row: (1,), (n,) and so on, or () for a scalar. None if rows have
            different lengths.
        default: The values of a row that has none, flat; None if every row must have them.
        is_ragged: Whether TensorFlow gets a feature of variable length as a `tf.RaggedTensor`
            instead of a `tf.SparseTensor`.
    """

    name: str
    source: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...] | None
    default: tuple[Any, ...] | None = None
    is_ragged: bool = False

    @property
    def width(self) -> int:
        """Values of a row; those of a feature of variable length are not known."""
        return math.prod(self.shape or ())

    @property
    def is_dense(self) -> bool:
        """Whether every row has the same shape."""
        return self.shape is not None

    @property
    def holds_bytes(self) -> bool:
        """Whether the values are bytes and not numbers."""
        return self.dtype.kind == "O"

    @property
    def row_bytes(self) -> int:
        """Roughly the bytes that a row takes in memory."""
        size = 4 if self.dtype == np.float32 else 8
        if self.holds_bytes:
            size += _GUESSED_STRING_BYTES
        return size * self.width if self.is_dense else 8 + size * _GUESSED_VALUES


def feature_columns(
    schema: schema_pb2.Schema,
) -> tuple[dict[str, FeatureColumn], dict[str, str]]:
    """Return the form of each feature by name, and why the others have none that NumPy can hold.

    Args:
        schema: The schema of the examples.

    Raises:
        ValueError: If the schema contradicts itself: a shape for a feature that may be missing.

    Example:
        >>> forms, others = feature_columns(schema)
        >>> forms["age_xf"].shape
        (1,)
    """
    types = {feature.name: feature.type for feature in schema.feature}
    forms: dict[str, FeatureColumn] = {}
    others: dict[str, str] = {}
    used: set[str] = set()
    group = schema.tensor_representation_group.get("")
    for name, representation in ({} if group is None else group.tensor_representation).items():
        form, sources = _represented(name, representation, types)
        used.update(sources)
        if isinstance(form, str):
            others[name] = form
        else:
            forms[name] = form
    for sparse in schema.sparse_feature:
        if sparse.lifecycle_stage in _excluded() or sparse.name in others or sparse.name in forms:
            continue
        used.update([sparse.value_feature.name, *(each.name for each in sparse.index_feature)])
        others[sparse.name] = "a sparse feature with indices of its own"
    for feature in schema.feature:
        name = feature.name
        if name in used or name in forms or name in others or _is_left_out(feature):
            continue
        dtype = _dtype(feature.type)
        if dtype is None:
            others[name] = "a struct"
        elif feature.HasField("shape"):
            if feature.presence.min_fraction != 1:
                raise ValueError(
                    f"The schema gives feature {name!r} a shape, and says that it may be missing "
                    f"(presence.min_fraction {feature.presence.min_fraction}). Remove the shape, or "
                    "set min_fraction to 1."
                )
            shape = tuple(dim.size for dim in feature.shape.dim)
            forms[name] = FeatureColumn(name, name, dtype, shape)
        else:
            ragged = bool(schema.represent_variable_length_as_ragged)
            forms[name] = FeatureColumn(name, name, dtype, None, is_ragged=ragged)
    return dict(sorted(forms.items())), others


def _represented(
    name: str, representation: schema_pb2.TensorRepresentation, types: Mapping[str, int]
) -> tuple[FeatureColumn | str, list[str]]:
    """Return the form that a TensorRepresentation gives, or why there is none, and its sources."""
    kind = representation.WhichOneof("kind")
    if kind == "dense_tensor":
        dense = representation.dense_tensor
        dtype = _dtype(types.get(dense.column_name, 0))
        shape = tuple(dim.size for dim in dense.shape.dim)
        default = None
        if dense.HasField("default_value"):
            value = getattr(dense.default_value, dense.default_value.WhichOneof("kind"))
            default = (value,) * math.prod(shape)
        if dtype is not None:
            return FeatureColumn(name, dense.column_name, dtype, shape, default), [
                dense.column_name
            ]
    elif kind == "varlen_sparse_tensor":
        source = representation.varlen_sparse_tensor.column_name
        dtype = _dtype(types.get(source, 0))
        if dtype is not None:
            return FeatureColumn(name, source, dtype, None), [source]
    elif kind == "ragged_tensor":
        ragged = representation.ragged_tensor
        steps = list(ragged.feature_path.step)
        dtype = _dtype(types.get(steps[0], 0)) if len(steps) == 1 else None
        if dtype is not None and not ragged.partition:
            return FeatureColumn(name, steps[0], dtype, None, is_ragged=True), steps
        lengths = [each.row_length for each in ragged.partition if each.HasField("row_length")]
        return "a ragged feature of several dimensions", [*steps[:1], *lengths]
    elif kind == "sparse_tensor":
        sparse = representation.sparse_tensor
        return "a sparse feature with indices of its own", [
            sparse.value_column_name,
            *sparse.index_column_names,
        ]
    return f"a {kind} that is not known here", []


def _dtype(feature_type: int) -> np.dtype[Any] | None:
    from tensorflow_metadata.proto.v0 import schema_pb2

    dtypes: dict[int, np.dtype[Any]] = {
        schema_pb2.FLOAT: np.dtype(np.float32),
        schema_pb2.INT: np.dtype(np.int64),
        schema_pb2.BYTES: np.dtype(object),
    }
    return dtypes.get(feature_type)


def _excluded() -> tuple[int, ...]:
    from tensorflow_metadata.proto.v0 import schema_pb2

    return (
        schema_pb2.DEPRECATED,
        schema_pb2.DISABLED,
        schema_pb2.PLANNED,
        schema_pb2.ALPHA,
        schema_pb2.DEBUG_ONLY,
        schema_pb2.VALIDATION_DERIVED,
    )


def _is_left_out(feature: schema_pb2.Feature) -> bool:
    return bool(feature.deprecated) or feature.lifecycle_stage in _excluded()
