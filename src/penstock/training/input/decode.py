"""Columns of Arrow as NumPy arrays of the form that the schema gives a feature."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.io.arrow.arrays import to_numpy, valid_rows
from penstock.training.input.columns import Array, Column, RaggedArray
from penstock.training.input.feature_columns import FeatureColumn

_KIND_TESTS: dict[str, tuple[Callable[[pa.DataType], bool], ...]] = {
    "float32": (pa.types.is_floating,),
    "int64": (pa.types.is_integer, pa.types.is_boolean),
    "object": (
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_string,
        pa.types.is_large_string,
    ),
}
_OBJECT_BYTES = 33
"""Of a Python bytes object, beside its content."""


def decode_columns(
    batch: pa.RecordBatch, features: Iterable[FeatureColumn], where: str
) -> tuple[dict[str, Column], int]:
    """Return the features of a batch as NumPy arrays, and the bytes that they take.

    A row without a value gets the feature's default, or no values if its length varies.

    Args:
        batch: Columns of single values or of lists of values.
        features: What to take from it.
        where: The file and the rows, for messages.

    Raises:
        ValueError: If a row of a dense feature has no value or another number of values, or a
            column holds values of another type than the schema says.
    """
    columns: dict[str, Column] = {}
    size = 0
    for feature in features:
        index = batch.schema.get_field_index(feature.source)
        try:
            if index < 0:
                found: pa.Array = pa.nulls(batch.num_rows)
            else:
                found = batch.column(index)
            columns[feature.name], nbytes = _decode(found, feature, absent=index < 0)
        except ValueError as error:
            raise ValueError(f"{where}: feature {feature.source!r} {error}") from error
        size += nbytes
    return columns, size


def _decode(column: pa.Array, feature: FeatureColumn, absent: bool) -> tuple[Column, int]:
    values, lengths = _flat(column)
    array, size = _values(values, feature)
    if not feature.is_dense:
        splits = np.zeros(len(column) + 1, np.int64)
        np.cumsum(np.ones(len(column), np.int64) if lengths is None else lengths, out=splits[1:])
        return RaggedArray(array, splits), size + splits.nbytes
    if lengths is not None and feature.default is not None and column.null_count:
        array, lengths = _with_default(array, lengths, ~valid_rows(column), feature)
        size = array.nbytes
    _check_lengths(lengths, feature, len(column), absent)
    return array.reshape(len(column), *(feature.shape or ())), size


def _flat(column: pa.Array) -> tuple[pa.Array, npt.NDArray[np.int64] | None]:
    """Return the values of all rows, and how many each row has; None if each has one."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_fixed_size_list(kind):
        column = column.cast(pa.list_(kind.value_type))
        kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        if pa.types.is_nested(kind.value_type):
            raise ValueError(f"holds {kind}, rows of several dimensions, which have no NumPy form.")
        lengths = np.diff(to_numpy(column.offsets)).astype(np.int64)
        if column.null_count:
            lengths[~valid_rows(column)] = 0
        return column.flatten(), lengths
    if pa.types.is_null(kind):
        return column.slice(0, 0), np.zeros(len(column), np.int64)
    if column.null_count:
        return column.drop_null(), valid_rows(column).astype(np.int64)
    return column, None


def _values(values: pa.Array, feature: FeatureColumn) -> tuple[Array, int]:
    kind, dtype = values.type, feature.dtype
    if pa.types.is_null(kind):
        return np.zeros(0, dtype), 0
    if values.null_count:
        raise ValueError("has a null inside a list.")
    if not any(test(kind) for test in _KIND_TESTS[str(dtype)]):
        expected = {"float32": "FLOAT", "int64": "INT", "object": "BYTES"}[str(dtype)]
        raise ValueError(f"holds {kind}, but the schema says {expected}.")
    if not feature.holds_bytes:
        array = to_numpy(values)
        if array.dtype != dtype:
            array = array.astype(dtype)
        return array, array.nbytes
    # Equal strings become one object: most columns of strings have few distinct ones.
    encoded = pc.dictionary_encode(values.cast(pa.large_binary()))
    distinct = np.empty(len(encoded.dictionary), object)
    distinct[:] = encoded.dictionary.to_pylist()
    content = int(pc.sum(pc.binary_length(encoded.dictionary)).as_py() or 0)
    array = distinct.take(to_numpy(encoded.indices))
    return array, array.nbytes + content + _OBJECT_BYTES * len(distinct)


def _with_default(
    array: Array,
    lengths: npt.NDArray[np.int64],
    missing: npt.NDArray[np.bool_],
    feature: FeatureColumn,
) -> tuple[Array, npt.NDArray[np.int64]]:
    filled = np.where(missing, feature.width, lengths)
    complete = np.empty(int(filled.sum()), feature.dtype)
    of_missing = np.repeat(missing, filled)
    complete[~of_missing] = array
    default = np.empty(feature.width, feature.dtype)
    default[:] = feature.default
    complete[of_missing] = np.tile(default, int(missing.sum()))
    return complete, filled


def _check_lengths(
    lengths: npt.NDArray[np.int64] | None, feature: FeatureColumn, rows: int, absent: bool
) -> None:
    if lengths is None:
        if feature.width != 1:
            raise ValueError(f"has one value a row, but the schema's shape needs {feature.width}.")
        return
    (wrong,) = np.nonzero(lengths != feature.width)
    if not len(wrong):
        return
    found = int(lengths[wrong[0]])
    if absent or (found == 0 and len(wrong) == rows):
        raise ValueError(
            f"is missing in all {rows} of these rows, but the schema's shape requires "
            f"{feature.width} in every row."
        )
    raise ValueError(
        f"has {found or 'no'} value{'' if found == 1 else 's'} in row {wrong[0]} of these "
        f"({len(wrong)} such rows of {rows}), but the schema's shape requires {feature.width} in "
        "every row. Fill missing values in Transform, or remove the shape from the schema."
    )
