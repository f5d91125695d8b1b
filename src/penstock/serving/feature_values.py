"""Columns of raw values in the type that a model reads, converted as ingestion converts them.

None, NaN, `pd.NA` and `NaT` are missing values. Dates and times become the text that ingestion makes of
them (ISO 8601), decimals become floats, booleans integers.
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
    """Convert a column to what a model reads of it.

    Args:
        name: The column's name, for messages.
        column: A `pa.Array`, or a list of Python values.
        feature: What the model reads; None if that is not known, and the column's own type decides.

    Returns:
        A list of float64, int64 or bytes a row; null where the value is missing.

    Raises:
        ValueError: If a value is of another type or size; the message names the row and the column.
    """
    kind = _kind(feature.dtype) if feature is not None else None
    nested = feature is not None and feature.shape is not None and len(feature.shape) > 1
    if isinstance(column, pa.Array):
        lengths, present, values = _of_array(name, column)
    else:
        lengths, present, flat = _of_cells(name, column, nested)
        values = _flat_array(name, flat, lengths)
    converted = _converted(name, values, kind, lengths)
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


def _of_cells(name: str, cells: Sequence[Any], nested: bool) -> tuple[Any, Any, list[Any]]:
    """Return the same of Python values, the values as a list."""
    lengths = np.zeros(len(cells), dtype=np.int64)
    present = np.zeros(len(cells), dtype=bool)
    flat: list[Any] = []
    for row, cell in enumerate(cells):
        if isinstance(cell, np.ndarray):
            cell = cell.item() if cell.ndim == 0 else cell.tolist()
        if isinstance(cell, list | tuple):
            values = _flattened(cell) if nested else list(cell)
            if any(value is None for value in values):
                raise _null_within_list(name, row)
        elif is_missing(cell):
            continue
        else:
            values = [cell]
        lengths[row], present[row] = len(values), True
        flat += values
    return lengths, present, flat


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


def _whole_numbers(name: str, values: pa.Array, lengths: Any) -> pa.Array:
    """Return floats as int64: pandas makes floats of integers where some are missing."""
    floats = to_numpy(values)
    fits = (np.floor(floats) == floats) & (np.abs(floats) < 2.0**63)
    if not fits.all():
        raise _wrong_type(name, values, int(np.argmin(fits)), "int", lengths)
    return pa.array(floats.astype(np.int64))


def _wrong_type(name: str, values: pa.Array, place: int, kind: str, lengths: Any) -> ValueError:
    value = values[place].as_py()
    hint = " Give the text that it was in the training data." if kind == "string" else ""
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
            f"The model reads {name!r} as {_size_words(size, shape)} a row. Received in row {row}: "
            f"{int(lengths[row])} values"
        )
    return present


def _size_words(size: int, shape: tuple[int, ...]) -> str:
    count = "1 value" if size == 1 else f"{size} values"
    return f"a multiple of {count}" if -1 in shape else count
