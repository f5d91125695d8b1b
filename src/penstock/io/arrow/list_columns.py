"""Columns of any Arrow table, such as a DataFrame's, converted to the list columns that statistics take.

Values keep their precision: float64 stays float64. Types that tf.Examples lack are converted as by
ParquetExampleGen: dates and times to ISO 8601 text, categories to their values, decimals to floats.
"""

import functools
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.io.arrow.arrays import byte_strings, numbers, one_value_lists, to_numpy

_KindTest = Callable[[pa.DataType], bool]
_LISTS: tuple[_KindTest, ...] = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_map,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)
_LEAVES: tuple[_KindTest, ...] = (
    pa.types.is_null,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_date,
    pa.types.is_time,
    pa.types.is_timestamp,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
)


def has_list_form(kind: pa.DataType) -> bool:
    """Return whether statistics support a column of a type; they do not support durations and unions."""
    if isinstance(kind, pa.BaseExtensionType):
        return has_plain_storage(kind) and has_list_form(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return has_list_form(kind.value_type)
    if pa.types.is_map(kind):
        return has_list_form(kind.key_type) and has_list_form(kind.item_type)
    if any(test(kind) for test in _LISTS):
        return has_list_form(kind.value_type)
    if pa.types.is_struct(kind):
        return all(has_list_form(field.type) for field in kind)
    return _is_view(kind) or any(test(kind) for test in _LEAVES)


def has_plain_storage(kind: pa.BaseExtensionType) -> bool:
    """Whether the stored values of an extension type say what the value is."""
    # A pandas Period is stored as a number whose meaning lies in its type.
    return bool(kind.extension_name != "pandas.period")


def stored_values(column: pa.ExtensionArray) -> pa.Array:
    """Return the stored values of an extension array; UUIDs as text, as databases write them.

    Example:
        >>> stored_values(pa.array([uuid.UUID(int=7).bytes], pa.uuid())).to_pylist()
        [b'00000000-0000-0000-0000-000000000007']
    """
    stored = column.storage
    if column.type.extension_name != "arrow.uuid":
        return stored
    text = byte_strings(
        [str(uuid.UUID(bytes=cell)).encode() for cell in stored.drop_null().to_pylist()]
    )
    return pc.replace_with_mask(pa.nulls(len(stored), text.type), stored.is_valid(), text)


def plain_lists(column: pa.Array) -> pa.Array:
    """Return lists of fixed size and list views as plain lists; anything else as it is."""
    if _has_other_list_form(column.type):
        return column.cast(pa.large_list(column.type.value_type))
    return column


def _has_other_list_form(kind: pa.DataType) -> bool:
    tests = (pa.types.is_fixed_size_list, pa.types.is_list_view, pa.types.is_large_list_view)
    return any(test(kind) for test in tests)


def list_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Convert every column to lists, including a struct's fields; a null cell stays null.

    Columns without such a form (see `has_list_form`) are left out.

    Example:
        >>> batch = pa.record_batch({"fare": [1.5, None], "trip": [{"km": 3}, {"km": 4}]})
        >>> list_columns(batch).to_pydict()
        {'fare': [[1.5], None], 'trip': [[{'km': [3]}], [{'km': [4]}]]}
    """
    kept = [field.name for field in batch.schema if has_list_form(field.type)]
    columns = [
        _lists(column)
        for column, field in zip(batch.columns, batch.schema, strict=True)
        if has_list_form(field.type)
    ]
    return pa.RecordBatch.from_arrays(columns, kept)


def with_list_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch with list columns: itself if it has them already, else from `list_columns`.

    Columns without such a form stay as they are.
    """
    ready = [_is_ready(field.type) for field in batch.schema]
    if all(ready):
        return batch
    columns = [
        column if done or not has_list_form(column.type) else _lists(column)
        for column, done in zip(batch.columns, ready, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


@functools.cache
def _is_ready(kind: pa.DataType) -> bool:
    """Whether a column is one of lists, or of structs of them."""
    if pa.types.is_struct(kind):
        return all(_is_ready(field.type) for field in kind)
    if not _is_any_list(kind):
        return bool(pa.types.is_null(kind))
    while _is_any_list(kind):
        kind = kind.value_type
    return _is_ready(kind) if pa.types.is_struct(kind) else _is_known(kind)


def _is_known(kind: pa.DataType) -> bool:
    """Whether statistics take values of a type as they are; what has no list form they refuse."""
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    plain = ("null", "bool", "string", "binary", "large_string", "large_binary")
    return bool(is_number or str(kind) in plain or not has_list_form(kind))


def _is_any_list(kind: pa.DataType) -> bool:
    return _is_plain_list(kind) or bool(pa.types.is_fixed_size_list(kind))


def repeated(names: Sequence[str]) -> list[str]:
    """Return the names that come more than once, sorted."""
    return (
        sorted({name for name in names if names.count(name) > 1})
        if len(set(names)) < len(names)
        else []
    )


def empty_batch(columns: pa.Schema) -> pa.RecordBatch:
    """Return an empty batch with these columns."""
    return pa.RecordBatch.from_arrays(
        [pa.nulls(0, field.type) for field in columns], [field.name for field in columns]
    )


def _lists(column: pa.Array) -> pa.Array:
    values = _values(column)
    if pa.types.is_null(values.type) or _is_plain_list(values.type):
        return values
    return one_value_lists(values)


def _values(column: pa.Array) -> pa.Array:
    """Return values in the types that statistics know; of structs with lists as their fields."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _values(stored_values(column))
    if pa.types.is_dictionary(kind):
        return _values(column.dictionary_decode())
    if pa.types.is_run_end_encoded(kind):
        return _values(pc.run_end_decode(column))
    if pa.types.is_map(kind):
        entries: Any = pa.StructArray.from_arrays([column.keys, column.items], ["key", "value"])
        return _relisted(pa.ListArray.from_arrays(column.offsets, entries), column)
    if _has_other_list_form(kind):
        return _values(plain_lists(column))
    if _is_plain_list(kind):
        return _relisted(column, column)
    if pa.types.is_struct(kind):
        fields = [_lists(field) for field in column.flatten()]
        names = [field.name for field in kind]
        mask = column.is_null() if column.null_count else None
        return pa.StructArray.from_arrays(fields, names, mask=mask)
    return _leaf(column)


def _relisted(lists: pa.Array, original: pa.Array) -> pa.Array:
    """Return lists of the same lengths whose values have types that statistics know."""
    values = _values(lists.values)
    if values.type == lists.type.value_type and lists is original:
        return lists
    mask = original.is_null() if original.null_count else None
    # Of a slice Arrow takes no mask, unless its offsets are an array of their own.
    return type(lists).from_arrays(numbers(to_numpy(lists.offsets)), values, mask=mask)


def _leaf(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_boolean(kind) or (pa.types.is_integer(kind) and not pa.types.is_uint64(kind)):
        return column.cast(pa.int64())
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_temporal(kind):
        return iso_8601(column).cast(pa.binary())
    if _is_view(kind):
        column = column.cast(pa.large_string() if "string" in str(kind) else pa.large_binary())
        kind = column.type
    if pa.types.is_string(kind) or pa.types.is_fixed_size_binary(kind):
        return column.cast(pa.binary())
    return column.cast(pa.large_binary()) if pa.types.is_large_string(kind) else column


def iso_8601(values: pa.Array) -> pa.Array:
    """Write dates as 2026-01-31, times as 12:30:00, timestamps as 2026-01-31T12:30:00[Z]."""
    kind = values.type
    if not pa.types.is_timestamp(kind):
        return values.cast(pa.string())
    text = values.cast(pa.timestamp(kind.unit)).cast(pa.string())
    text = pc.replace_substring(text, " ", "T", max_replacements=1)
    return text if kind.tz is None else pc.binary_join_element_wise(text, "Z", "")


def _is_plain_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_view(kind: pa.DataType) -> bool:
    return str(kind) in ("string_view", "binary_view")
