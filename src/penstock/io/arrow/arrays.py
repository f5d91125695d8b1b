"""Conversions between Arrow arrays, NumPy arrays and byte strings, without pandas.

`pyarrow.array` and `Array.to_numpy` import pandas to see whether a Series is involved, which costs a
quarter of a second in every process; these do not.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_TYPES = {
    np.dtype(np.float32): pa.float32(),
    np.dtype(np.float64): pa.float64(),
    np.dtype(np.int32): pa.int32(),
    np.dtype(np.int64): pa.int64(),
    np.dtype(np.uint64): pa.uint64(),
}
# Arrow's names of the types whose NumPy names differ.
_FLOATS = {"halffloat": "float16", "float": "float32", "double": "float64"}


def numbers(values: npt.NDArray[Any]) -> pa.Array:
    """Wrap a NumPy array of numbers without copying it."""
    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(_TYPES[values.dtype], len(values), [None, pa.py_buffer(values)])


def booleans(values: npt.NDArray[np.bool_]) -> pa.BooleanArray:
    """Pack a NumPy array of booleans."""
    packed = np.packbits(values, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(packed)])


def byte_strings(values: Sequence[bytes]) -> pa.LargeBinaryArray:
    """Join byte strings into one array."""
    offsets = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, values), np.int64, len(values)), out=offsets[1:])
    return pa.Array.from_buffers(
        pa.large_binary(),
        len(values),
        [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(values))],
    )


def to_numpy(array: pa.Array) -> npt.NDArray[Any]:
    """View an array of numbers, or unpack one of booleans; entries at nulls are arbitrary."""
    data = array.buffers()[1]
    end = array.offset + len(array)
    if pa.types.is_boolean(array.type):
        if data is None:
            return np.zeros(len(array), dtype=bool)
        bits = np.unpackbits(np.frombuffer(data, np.uint8), count=end, bitorder="little")
        return bits[array.offset :].astype(bool)
    dtype = np.dtype(_FLOATS.get(str(array.type), str(array.type)))
    if data is None:
        return np.zeros(len(array), dtype=dtype)
    return np.frombuffer(data, dtype, count=end)[array.offset :]


def valid_rows(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Return which entries are not null."""
    return to_numpy(array.is_valid()) if array.null_count else np.ones(len(array), dtype=bool)


def one_value_lists(values: pa.Array) -> pa.LargeListArray:
    """Wrap each value in a list of one; a null stays a null."""
    offsets = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(valid_rows(values), out=offsets[1:])
    mask = values.is_null() if values.null_count else None
    return pa.LargeListArray.from_arrays(numbers(offsets), values.drop_null(), mask=mask)
