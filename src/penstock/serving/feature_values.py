"""Columns of raw values in the type that a model reads, converted as in ingestion.

None, NaN, `pd.NA` and `NaT` are missing values. Dates and times become text, as in ingestion (ISO
8601), decimals become floats, booleans integers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.io.arrow.arrays import numbers, to_numpy, valid_rows
from penstock.io.tables.example_columns import ColumnError, example_columns, value_type
from penstock.io.tables.plain_values import plain_value
from penstock.serving.signature import FeatureInput

_PLURALS = {"float": "floats", "int": "integers", "string": "strings"}
_ARROW_TYPES = {"float": pa.float64(), "int": pa.int64(), "string": pa.large_binary()}
_BASIC = int | float | str | bytes
_INT64 = (-(2**63), 2**63 - 1)


def feature_lists(name: str, column: Any, feature: FeatureInput | None) -> pa.LargeListArray:
    """Convert a column to the type that a model reads.

    Args:
        name: The column's name, for messages.
        column: A `pa.Array`, or a list of Python values.
        feature: The feature that the model reads; if None, it is unknown and the column's own type
            decides.

    Returns:
        One list of float64, int64 or bytes per row; null if the value is missing.

    Raises:
        ValueError: If a value is of another type or size; the message names the row and the column.
    """
    kind = _kind(feature.dtype) if feature is not None else None
    shape = feature.shape if feature is not None and len(feature.shape or ()) > 1 else None
    if isinstance(column, pa.Array) and _is_nested_list(column.type):
        column = column.to_pylist()
    if isinstance(column, pa.Array):
        lengths, present, values = _of_array(name, column)
    else:
        lengths, present, flat = _of_cells(name, column, shape)
        values = _flat_array(name, flat, lengths)
    converted = _converted(name, values, kind, lengths)
    if feature is not None and kind != "string":
        _check_range(name, converted, feature.dtype, lengths)
    if feature is not None and feature.shape is not None:
        present = _check_sizes(name, lengths, present, feature.shape)
    ends = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=ends[1:])
    mask = None if present.all() else pa.array(~present)
    return pa.LargeListArray.from_arrays(numbers(ends), converted, mask=mask)


def _kind(dtype: str) -> str:
    if dtype == "string":
        return "string"
    return "float" if "float" in dtype else "int"


def _of_array(name: str, column: pa.Array) -> tuple[Any, Any, pa.Array]:
    """Return the number of values of each row, whether it has any, and the values."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    kind = column.type
    if pa.types.is_null(kind):
        none = np.zeros(len(column), dtype=np.int64)
        return none, none.astype(bool), pa.nulls(0)
    if pa.types.is_fixed_size_list(kind):
        column = column.cast(pa.list_(kind.value_type))
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        lengths = to_numpy(pc.fill_null(pc.list_value_length(column), 0)).astype(np.int64)
        values = column.flatten()
        if values.null_count:
            place = int(np.flatnonzero(~valid_rows(values))[0])
            raise _null_within_list(name, _row_of(place, lengths))
        return lengths, valid_rows(column), values
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
    present = valid_rows(column)
    return present.astype(np.int64), present, column.drop_null()


def _is_nested_list(kind: pa.DataType) -> bool:
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    is_list = any(each(kind) for each in lists)
    return is_list and any(each(kind.value_type) for each in lists)


def _of_cells(
    name: str, cells: Sequence[Any], shape: tuple[int, ...] | None
) -> tuple[Any, Any, list[Any]]:
    """Return the same of Python values, the values as a list.

    With a shape of several sizes a cell may be lists of lists of that shape.
    """
    lengths = np.zeros(len(cells), dtype=np.int64)
    present = np.zeros(len(cells), dtype=bool)
    flat: list[Any] = []
    for row, cell in enumerate(cells):
        cell = _plain_cell(cell)
        if isinstance(cell, list | tuple):
            values = list(cell) if shape is None else _flattened(cell)
            if shape is not None and any(isinstance(each, list | tuple) for each in cell):
                _check_nested(name, row, cell, shape)
            if any(value is None for value in values):
                raise _null_within_list(name, row)
        elif is_missing(cell):
            continue
        else:
            values = [cell]
        lengths[row], present[row] = len(values), True
        flat += values
    return lengths, present, flat


def _plain_cell(cell: Any) -> Any:
    """Return an array, a tensor, a pandas Series or another sequence as a list, or as its one value."""
    if isinstance(cell, _BASIC | list | tuple | np.generic):
        return cell
    if hasattr(cell, "__array__"):
        array = np.asarray(cell)
        return array.item() if array.ndim == 0 else array.tolist()
    return list(cell) if isinstance(cell, Sequence) and not isinstance(cell, bytearray) else cell


def _check_nested(name: str, row: int, cell: Any, shape: tuple[int, ...]) -> None:
    """Raise a `ValueError` unless lists of lists have a shape."""
    level = [cell]
    for size in shape:
        lengths = {len(each) if isinstance(each, list | tuple) else None for each in level}
        if len(lengths) > 1 or None in lengths or (size != -1 and lengths != {size}):
            raise ValueError(
                f"The model reads {name!r} in the shape {list(shape)}. Received in row {row}: {cell!r}"
            )
        level = [
            value.tolist() if isinstance(value, np.ndarray) else value
            for each in level
            for value in each
        ]


def is_missing(value: Any) -> bool:
    """Whether a cell has no value: None, NaN, `pd.NA` or `NaT`."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return not isinstance(value, str | bytes | int) and bool(value != value)


def _flattened(values: Any) -> list[Any]:
    flat: list[Any] = []
    for value in values:
        value = value.tolist() if isinstance(value, np.ndarray) else value
        flat += _flattened(value) if isinstance(value, list | tuple) else [value]
    return flat


def _flat_array(name: str, flat: list[Any], lengths: Any) -> pa.Array:
    flat = [value if isinstance(value, _BASIC) else plain_value(value) for value in flat]
    for place, value in enumerate(flat):
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise ValueError(
                    f"Row {_row_of(place, lengths)} has {value!r} in {name!r}, which is no valid text: "
                    f"{error.reason}."
                ) from error
    try:
        return pa.array(flat)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        pass
    for place, value in enumerate(flat):
        if isinstance(value, int) and not _INT64[0] <= value <= _INT64[1]:
            raise ValueError(
                f"Row {_row_of(place, lengths)} has {value} in {name!r}, which has more than 64 bits."
            )
    if all(isinstance(value, str | bytes) for value in flat):
        return pa.array([v.encode() if isinstance(v, str) else v for v in flat], pa.large_binary())
    if all(isinstance(value, int | float | np.number | np.bool_) for value in flat):
        return pa.array([float(value) for value in flat])
    first = _type_word(flat[0])
    place = next((i for i, value in enumerate(flat) if _type_word(value) != first or not first), 0)
    described = f"{flat[place]!r} ({type(flat[place]).__name__})"
    if not _type_word(flat[place]):
        raise ValueError(
            f"Row {_row_of(place, lengths)} has {described} in {name!r}. Expected a number, a string, "
            "bytes, a date or time, or a list of them."
        )
    raise ValueError(
        f"Column {name!r} has {flat[0]!r} in row {_row_of(0, lengths)} and {described} in row "
        f"{_row_of(place, lengths)}: give values of one type."
    )


def _type_word(value: Any) -> str:
    """Return "number" or "text" or the type of a date or time; "" for what Arrow has no type for."""
    if isinstance(value, int | float | np.number | np.bool_):
        return "number"
    if isinstance(value, str | bytes):
        return "text"
    try:
        return str(pa.scalar(value).type) if not isinstance(value, list | tuple | dict) else ""
    except (pa.ArrowException, TypeError, ValueError):
        return ""


def _converted(name: str, values: pa.Array, kind: str | None, lengths: Any) -> pa.Array:
    """Return values, of which none is missing, as float64, int64 or bytes."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if not len(values):
        return pa.array([], _ARROW_TYPES[kind or "string"])
    try:
        own = value_type(name, pa.list_(values.type))
    except ColumnError as error:
        raise ValueError(f"The {error}") from error
    own_kind = {pa.int64(): "int", pa.float32(): "float"}.get(own, "string")
    kind = kind or own_kind
    if (kind == "string") != (own_kind == "string"):
        raise _wrong_type(name, values, 0, kind, lengths)
    if kind == "string":
        batch = pa.RecordBatch.from_arrays([values], [name])
        return example_columns(batch, {name: own}).column(0).flatten()
    if pa.types.is_decimal(values.type) or own_kind == "float":
        values = values.cast(pa.float64(), safe=False)
    if own_kind == "float" and kind == "int":
        return _whole_numbers(name, values, lengths)
    try:
        return values.cast(_ARROW_TYPES[kind], safe=kind == "int")
    except pa.ArrowInvalid as error:
        place = int(np.argmax(to_numpy(values) > _INT64[1]))
        row = _row_of(place, lengths)
        raise ValueError(
            f"Row {row} has {values[place]} in {name!r}, which has more than 64 bits."
        ) from error


def _check_range(name: str, values: pa.Array, dtype: str, lengths: Any) -> None:
    """Raise a `ValueError` for a number that does not fit into the type that the model reads."""
    if dtype in ("float64", "bfloat16", "int64") or not len(values):
        return
    array = to_numpy(values)
    if dtype == "bool":
        least, most = 0.0, 1.0
    elif "int" in dtype:
        least, most = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    elif dtype in ("float16", "float32"):
        least, most = float(np.finfo(dtype).min), float(np.finfo(dtype).max)
    else:
        return
    outside = np.isfinite(array) & ((array < least) | (array > most))
    if outside.any():
        place = int(np.argmax(outside))
        raise ValueError(
            f"The model reads {name!r} as {dtype}, from {least:g} to {most:g}. Received in row "
            f"{_row_of(place, lengths)}: {array[place]}"
        )


def _whole_numbers(name: str, values: pa.Array, lengths: Any) -> pa.Array:
    """Return floats as int64: pandas converts integers to floats if some are missing."""
    floats = to_numpy(values)
    fits = (np.floor(floats) == floats) & (np.abs(floats) < 2.0**63)
    if not fits.all():
        raise _wrong_type(name, values, int(np.argmin(fits)), "int", lengths)
    return pa.array(floats.astype(np.int64))


def _wrong_type(name: str, values: pa.Array, place: int, kind: str, lengths: Any) -> ValueError:
    value = values[place].as_py()
    hint = " Give the string that it was in the training data." if kind == "string" else ""
    return ValueError(
        f"The model reads {name!r} as {_PLURALS[kind]}. Received in row {_row_of(place, lengths)}: "
        f"{value!r} ({type(value).__name__}).{hint}"
    )


def _null_within_list(name: str, row: int) -> ValueError:
    return ValueError(
        f"Row {row} has a missing value within the list in {name!r}. Leave it out of the list, or "
        "leave out the whole list."
    )


def _row_of(place: int, lengths: Any) -> int:
    """Return the row that a flat value is of."""
    return int(np.searchsorted(np.cumsum(lengths), place, side="right"))


def _check_sizes(name: str, lengths: Any, present: Any, shape: tuple[int, ...]) -> Any:
    """Check the number of values, and return which rows have a value: an empty list is none."""
    size = math.prod(abs(each) for each in shape)
    if -1 in shape:
        wrong = lengths % size != 0
    elif size == 0:
        return present
    else:
        present = present & (lengths > 0)
        wrong = present & (lengths != size)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"The model reads {name!r} as {_size_words(size, shape)} per row. Received in row "
            f"{row}: {int(lengths[row])} values"
        )
    return present


def _size_words(size: int, shape: tuple[int, ...]) -> str:
    count = "1 value" if size == 1 else f"{size} values"
    return f"a multiple of {count}" if -1 in shape else count
