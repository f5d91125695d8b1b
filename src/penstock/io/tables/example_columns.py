"""Columns of tables (Parquet, Avro, SQL) in the types that a tf.Example holds."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from penstock.io.arrow.arrays import one_value_lists
from penstock.io.arrow.list_columns import (
    has_plain_storage,
    iso_8601,
    plain_lists,
    stored_values,
)


class ColumnError(ValueError):
    """A column does not fit into tf.Examples; the message names it and its type.

    Args:
        column: The column's name.
        reason: The problem.
    """

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"column {column!r} {reason}")
        self.column = column
        self.reason = reason


def value_type(column: str, kind: pa.DataType) -> pa.DataType:
    """Return the type of a column's values in a tf.Example: int64, float32, binary; null if it has none.

    Integers and booleans become int64; floats and decimals float32; strings, binaries, dates and
    times (in ISO 8601) bytes; a list's values become what its element type becomes.

    Raises:
        ColumnError: If the type does not fit: structs, maps, lists of lists.
    """
    inner = _element_type(kind)
    if pa.types.is_null(inner):
        return pa.null()
    if pa.types.is_integer(inner) or pa.types.is_boolean(inner):
        return pa.int64()
    if pa.types.is_floating(inner) or pa.types.is_decimal(inner):
        return pa.float32()
    if _is_text(inner) or (pa.types.is_temporal(inner) and not pa.types.is_duration(inner)):
        return pa.large_binary()
    raise ColumnError(
        column,
        f"of type {kind} does not fit into a tf.Example. Expected numbers, booleans, strings, bytes, "
        f"dates or times, or lists of them: convert or leave out the column.",
    )


def _element_type(kind: pa.DataType) -> pa.DataType:
    kind = _unwrapped(kind)
    return _unwrapped(kind.value_type) if any(test(kind) for test in _LISTS) else kind


_LISTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)


def _unwrapped(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values behind a dictionary's or an extension's."""
    if isinstance(kind, pa.BaseExtensionType) and has_plain_storage(kind):
        is_uuid = kind.extension_name == "arrow.uuid"
        return pa.large_binary() if is_uuid else _unwrapped(kind.storage_type)
    return _unwrapped(kind.value_type) if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return str(kind).removeprefix("large_") in (
        "string",
        "binary",
        "string_view",
        "binary_view",
    ) or (pa.types.is_fixed_size_binary(kind))


def example_columns(batch: pa.RecordBatch, types: Mapping[str, pa.DataType]) -> pa.RecordBatch:
    """Convert a table's rows to columns of lists; a null cell stays null.

    Args:
        batch: The rows.
        types: Every column's type from `value_type`, in the order wanted; a column that the batch
            lacks becomes nulls.

    Raises:
        ColumnError: If a value does not fit.
    """
    columns = []
    for name, kind in types.items():
        index = batch.schema.get_field_index(name)
        if pa.types.is_null(kind):
            columns.append(pa.nulls(batch.num_rows))
        elif index < 0 or pa.types.is_null(batch.column(index).type):
            columns.append(pa.nulls(batch.num_rows, pa.large_list(kind)))
        else:
            columns.append(_as_lists(name, batch.column(index), kind))
    return pa.RecordBatch.from_arrays(columns, list(types))


def _as_lists(name: str, column: pa.Array, kind: pa.DataType) -> pa.Array:
    if isinstance(column.type, pa.BaseExtensionType):
        column = stored_values(column)
    column = plain_lists(column)
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        return one_value_lists(_values(name, column, kind))
    lists = column.cast(pa.large_list(column.type.value_type))
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    values = lists.flatten()
    if values.null_count:
        raise ColumnError(
            name,
            "has a null within a list; a tf.Example cannot hold one. Make the whole cell null, or "
            "leave the null out.",
        )
    ends = pc.cumulative_sum(lengths)
    offsets = pa.concat_arrays([_ZERO, ends.cast(pa.int64())])
    mask = lists.is_null() if lists.null_count else None
    return pa.LargeListArray.from_arrays(offsets, _values(name, values, kind), mask=mask)


_ZERO = pa.Array.from_buffers(pa.int64(), 1, [None, pa.py_buffer(bytes(8))])


def _values(name: str, values: pa.Array, kind: pa.DataType) -> pa.Array:
    if isinstance(values.type, pa.BaseExtensionType):
        values = stored_values(values)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.float64())
    if pa.types.is_temporal(values.type):
        values = iso_8601(values)
    try:
        if pa.types.is_float32(kind):
            return _single_precision(name, values)
        if pa.types.is_large_binary(kind) and str(values.type).endswith("_view"):
            values = values.cast(pa.large_string() if "string" in str(values.type) else kind)
        return values.cast(kind)
    except pa.ArrowInvalid as error:
        raise ColumnError(name, f"has a value that does not fit: {error}") from error


def _single_precision(name: str, values: pa.Array) -> pa.Array:
    single = values.cast(pa.float32(), safe=False)
    if pa.types.is_float64(values.type):
        beyond = pc.and_(pc.is_inf(single), pc.invert(pc.is_inf(values)))
        if pc.any(beyond).as_py():
            found = values.filter(beyond)[0].as_py()
            raise ColumnError(
                name,
                f"has a value that does not fit: {found} is beyond the floats of a tf.Example (3.4e38 at "
                f"most)",
            )
    return single
