"""Serialized protobuf messages, one a row, put together without Python work per row.

The bytes of a row are parts: constants, and columns of byte strings. A field around them has a header that
depends on their length alone, so a few distinct headers are built and taken by index. Arrow joins all parts
at the end. Source of the format: https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.io.arrow.arrays import byte_strings, numbers, to_numpy

_SMALL_RANGE = 1 << 20
_EMPTY = byte_strings([b""])[0]

Lengths = npt.NDArray[np.int64]


def varint(value: int) -> bytes:
    """Return a number as a varint.

    Example:
        >>> varint(300)
        b'\\xac\\x02'
    """
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def delimited(tag: bytes, length: int) -> bytes:
    """Return what stands before `length` bytes of a field with this tag."""
    return tag + varint(length)


def tag_of(field: int) -> bytes:
    """Return the tag of a field that holds bytes, text, a message or packed numbers."""
    return varint(field << 3 | 2)


def field(number: int, content: bytes) -> bytes:
    """Return a field that holds bytes, text, a message or packed numbers.

    Example:
        >>> field(1, b"ab")
        b'\\n\\x02ab'
    """
    return delimited(tag_of(number), len(content)) + content


def binary_array(offsets: Lengths, data: npt.NDArray[np.uint8] | pa.Buffer) -> pa.Array:
    """Wrap flat bytes as byte strings, which end at the offsets behind the first one."""
    buffer = data if isinstance(data, pa.Buffer) else pa.py_buffer(np.ascontiguousarray(data))
    offsets = np.ascontiguousarray(offsets, dtype=np.int64)
    return pa.Array.from_buffers(
        pa.large_binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), buffer]
    )


def flat_bytes(array: pa.Array) -> tuple[Lengths, npt.NDArray[np.uint8]]:
    """Return the offsets of byte strings, from 0, and the bytes that they are in; nothing is copied."""
    offsets = large_offsets(array)
    data = array.buffers()[2]
    flat = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return offsets - offsets[0], flat[offsets[0] : offsets[-1]]


def large_offsets(array: pa.Array) -> Lengths:
    """Return where each byte string of a large_binary array starts, and the last one ends."""
    offsets = np.frombuffer(array.buffers()[1], dtype=np.int64) if len(array) else np.zeros(1)
    return offsets[array.offset : array.offset + len(array) + 1].astype(np.int64)


def offsets_of(lengths: Lengths) -> Lengths:
    """Return where values of these lengths start, and the last one ends."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def by_length(
    lengths: Lengths, make: Callable[[int], bytes]
) -> tuple[pa.Array | pa.Scalar, Lengths]:
    """Return `make(length)` for each row, calling it once per distinct length, and its lengths.

    Where all rows have one length, the first is a scalar.
    """
    if len(lengths) == 0:
        return byte_strings([]), lengths
    low, high = int(lengths.min()), int(lengths.max())
    if low == high:
        header = make(low)
        return byte_strings([header])[0], np.full(len(lengths), len(header))
    if high < _SMALL_RANGE:
        distinct = np.flatnonzero(np.bincount(lengths))
        index_of = np.zeros(high + 1, dtype=np.int64)
        index_of[distinct] = np.arange(len(distinct))
        indices = index_of[lengths]
    else:
        distinct, indices = np.unique(lengths, return_inverse=True)
    headers = [make(int(length)) for length in distinct]
    taken = byte_strings(headers).take(numbers(indices))
    return taken, np.array([len(header) for header in headers])[indices]


def varint_payloads(values: npt.NDArray[np.int64]) -> tuple[Lengths, npt.NDArray[np.uint8]]:
    """Encode int64 values as varints; return offsets and the flat bytes."""
    unsigned = values.view(np.uint64)
    lengths = np.ones(len(values), dtype=np.int64)
    highest = int(unsigned.max()) if len(unsigned) else 0
    longest = 1
    for size in range(1, 10):
        if highest < 1 << (7 * size):
            break
        lengths += unsigned >= np.uint64(1 << (7 * size))
        longest += 1
    digits = np.empty((len(values), longest), dtype=np.uint8)
    for place in range(longest):
        digit = (unsigned >> np.uint64(7 * place)).astype(np.uint8) & np.uint8(0x7F)
        digits[:, place] = digit | np.where(lengths > place + 1, 0x80, 0).astype(np.uint8)
    if longest == 1:
        return np.arange(len(values) + 1, dtype=np.int64), digits.ravel()
    return offsets_of(lengths), digits[np.arange(longest) < lengths[:, None]]


class RowBytes:
    """The bytes of each row, in parts until they are joined.

    Args:
        rows: The number of rows.
        parts: Scalars and large_binary arrays, in order.
        lengths: The bytes of each row; one number if all have as many.

    Example:
        >>> name = RowBytes.of(byte_strings([b"Ann", b"Bo"])).in_field(1)
        >>> (name + RowBytes.constant(2, b"\\x10\\x01")).joined().to_pylist()
        [b'\\n\\x03Ann\\x10\\x01', b'\\n\\x02Bo\\x10\\x01']
    """

    def __init__(
        self, rows: int, parts: Iterable[pa.Array | pa.Scalar], lengths: Lengths | int
    ) -> None:
        self.rows = rows
        self._parts = tuple(parts)
        self._lengths = lengths

    @classmethod
    def constant(cls, rows: int, data: bytes) -> RowBytes:
        """Repeat the same bytes in each row."""
        return cls(rows, [byte_strings([data])[0]] if data else [], len(data))

    @classmethod
    def of(cls, column: pa.LargeBinaryArray) -> RowBytes:
        """Take a byte string for each row."""
        return cls(len(column), [column], np.diff(large_offsets(column)))

    @classmethod
    def of_fixed(cls, values: npt.NDArray[Any]) -> RowBytes:
        """Take the bytes of numbers `[rows, ...]`, one after another."""
        data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        size = len(data) // max(1, len(values))
        offsets = np.arange(len(values) + 1, dtype=np.int64) * size
        return cls(len(values), [binary_array(offsets, data)], size)

    def __add__(self, other: RowBytes) -> RowBytes:
        return RowBytes(self.rows, self._parts + other._parts, self._lengths + other._lengths)

    def in_field(self, number: int) -> RowBytes:
        """Return a field that holds the bytes of each row, which are bytes, text or a message."""
        tag = tag_of(number)
        header: pa.Array | pa.Scalar
        if isinstance(self._lengths, int):
            made = delimited(tag, self._lengths)
            header, sizes = byte_strings([made])[0], len(made)
            return RowBytes(self.rows, [header, *self._parts], self._lengths + sizes)
        header, lengths = by_length(self._lengths, lambda length: delimited(tag, length))
        return RowBytes(self.rows, [header, *self._parts], self._lengths + lengths)

    def grouped(self, size: int) -> RowBytes:
        """Return the bytes of each `size` rows as those of one."""
        flat = self.joined()
        offsets, data = flat_bytes(flat)
        return RowBytes.of(binary_array(offsets[::size], data))

    def joined(self) -> pa.LargeBinaryArray:
        """Join the parts of each row."""
        if all(isinstance(part, pa.Scalar) for part in self._parts):
            data = b"".join(part.as_py() for part in self._parts)
            return byte_strings([data] * self.rows)
        return pc.binary_join_element_wise(*self._parts, _EMPTY)

    @property
    def lengths(self) -> Lengths:
        """The number of bytes of each row."""
        if isinstance(self._lengths, int):
            return np.full(self.rows, self._lengths, dtype=np.int64)
        return self._lengths


def text_fields(number: int, values: pa.Array) -> tuple[Lengths, pa.Array]:
    """Encode byte strings as fields of one number, as in a repeated field.

    Returns:
        Where each field starts in the flat bytes, and the last one ends; the fields.
    """
    tag = tag_of(number)
    lengths = to_numpy(pc.binary_length(values)).astype(np.int64)
    headers, _ = by_length(lengths, lambda length: delimited(tag, length))
    joined = pc.binary_join_element_wise(headers, values, _EMPTY)
    return large_offsets(joined), joined
