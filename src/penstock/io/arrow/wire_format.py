"""Serialized protobuf messages, one a row, put together without Python work per row.

The bytes of a row are parts: constants, and columns of byte strings. A field around them has a header that
depends on their length alone, so a few distinct headers are built and taken by index. Arrow joins all parts
at the end. Source of the format: https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

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


def lengths_of(values: Sequence[bytes]) -> Lengths:
    """Return how many bytes each byte string has."""
    return np.fromiter(map(len, values), np.int64, len(values))


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
    distinct, indices = _distinct(lengths)
    headers = [make(int(length)) for length in distinct]
    taken = byte_strings(headers).take(numbers(indices))
    return taken, np.array([len(header) for header in headers])[indices]


def list_by_length(lengths: Lengths, make: Callable[[int], bytes]) -> list[bytes]:
    """Return `make(length)` for each row, calling it once per distinct length."""
    distinct, indices = _distinct(lengths)
    headers = np.empty(len(distinct), dtype=object)
    headers[:] = [make(int(length)) for length in distinct]
    listed: list[bytes] = headers[indices].tolist()
    return listed


def _distinct(lengths: Lengths) -> tuple[Lengths, Lengths]:
    """Return the distinct lengths, and the place of each row's among them."""
    high = int(lengths.max()) if len(lengths) else 0
    if high >= _SMALL_RANGE:
        return np.unique(lengths, return_inverse=True)
    distinct = np.flatnonzero(np.bincount(lengths))
    index_of = np.zeros(high + 1, dtype=np.int64)
    index_of[distinct] = np.arange(len(distinct))
    return distinct, index_of[lengths]


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


class _Header(NamedTuple):
    """What stands before the bytes of each row in a field: a tag, and how many they are."""

    tag: bytes
    lengths: Lengths


# Constant bytes, a header, as many bytes of each row, or a byte string for each row.
_Part: TypeAlias = "bytes | _Header | npt.NDArray[np.uint8] | pa.Array | list[bytes]"


class RowBytes:
    """The bytes of each row, in parts until they are joined.

    Args:
        rows: The number of rows.
        parts: The parts, in order.
        lengths: The bytes of each row; one number if all have as many.
        columns: How many byte strings of any length are among the parts.

    Example:
        >>> name = RowBytes.of(byte_strings([b"Ann", b"Bo"])).in_field(1)
        >>> (name + RowBytes.constant(2, b"\x10\x01")).joined().to_pylist()
        [b'\n\x03Ann\x10\x01', b'\n\x02Bo\x10\x01']
    """

    def __init__(
        self, rows: int, parts: Iterable[_Part], lengths: Lengths | int, columns: int = 0
    ) -> None:
        self.rows = rows
        self._parts = tuple(parts)
        self._lengths = lengths
        self._columns = columns

    @classmethod
    def constant(cls, rows: int, data: bytes) -> RowBytes:
        """Repeat the same bytes in each row."""
        return cls(rows, [data] if data else [], len(data))

    @classmethod
    def of(cls, column: pa.LargeBinaryArray | list[bytes]) -> RowBytes:
        """Take a byte string for each row."""
        if isinstance(column, list):
            return cls(len(column), [column], lengths_of(column), 1)
        return cls(len(column), [column], np.diff(large_offsets(column)), 1)

    @classmethod
    def of_fixed(cls, values: npt.NDArray[Any]) -> RowBytes:
        """Take the bytes of numbers `[rows, ...]`, one after another."""
        rows = len(values)
        data = np.ascontiguousarray(values).reshape(rows, -1).view(np.uint8)
        return cls(rows, [data], data.shape[1])

    def __add__(self, other: RowBytes) -> RowBytes:
        parts = self._parts + other._parts
        lengths = self._lengths + other._lengths
        return RowBytes(self.rows, parts, lengths, self._columns + other._columns)

    def in_field(self, number: int) -> RowBytes:
        """Return a field that holds the bytes of each row, which are bytes, text or a message."""
        tag = tag_of(number)
        if isinstance(self._lengths, int):
            header = delimited(tag, self._lengths)
            length = self._lengths + len(header)
            return RowBytes(self.rows, [header, *self._parts], length, self._columns)
        sizes = np.full(self.rows, len(tag) + 1, dtype=np.int64)
        for size in range(1, 5):
            sizes += self._lengths >= 1 << 7 * size
        parts = [_Header(tag, self._lengths), *self._parts]
        return RowBytes(self.rows, parts, self._lengths + sizes, self._columns)

    def grouped(self, size: int) -> RowBytes:
        """Return the bytes of each `size` rows as those of one."""
        offsets, data = flat_bytes(self.joined())
        return RowBytes.of(binary_array(offsets[::size], data))

    def joined(self) -> pa.LargeBinaryArray:
        """Join the parts of each row."""
        if not self.rows:
            return byte_strings([])
        parts = [self._made(run) for run in self._runs()]
        if all(isinstance(part, pa.Scalar) for part in parts):
            return byte_strings([b"".join(part.as_py() for part in parts)] * self.rows)
        return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, _EMPTY)

    def as_list(self) -> list[bytes]:
        """Join the parts of each row, to Python's byte strings."""
        parts = [self._listed(run) for run in self._runs()]
        if len(parts) == 1 and isinstance(parts[0], list):
            return parts[0]
        return list(map(b"".join, zip(*parts, strict=True))) if parts else [b""] * self.rows

    def _runs(self) -> Iterator[list[Any]]:
        return _runs(self._parts, together=self._columns == 1)

    def _listed(self, run: list[Any]) -> Iterable[bytes]:
        if isinstance(run[0], list):
            return run[0]
        if isinstance(run[0], pa.Array):
            return cast("list[bytes]", run[0].to_pylist())
        if any(isinstance(part, np.ndarray) for part in run):
            data = self._beside(run)
            return cast("list[bytes]", data.view(f"V{data.shape[1]}").reshape(-1).tolist())
        if outer := _outermost(run):
            return list_by_length(outer.lengths, _header_of(run, outer))
        return itertools.repeat(b"".join(run), self.rows)

    def _made(self, run: list[Any]) -> pa.Array | pa.Scalar:
        if isinstance(run[0], pa.Array):
            return run[0]
        if isinstance(run[0], list):
            return byte_strings(run[0])
        if any(isinstance(part, np.ndarray) for part in run):
            data = self._beside(run)
            offsets = np.arange(self.rows + 1, dtype=np.int64) * data.shape[1]
            return binary_array(offsets, data.reshape(-1))
        if outer := _outermost(run):
            return by_length(outer.lengths, _header_of(run, outer))[0]
        return byte_strings([b"".join(run)])[0]

    def _beside(self, run: list[Any]) -> npt.NDArray[np.uint8]:
        """Return constants and bytes of a fixed number beside each other, `[rows, bytes]`."""
        widths = [len(part) if isinstance(part, bytes) else part.shape[1] for part in run]
        data = np.empty((self.rows, sum(widths)), dtype=np.uint8)
        start = 0
        for part, width in zip(run, widths, strict=True):
            bytes_of = np.frombuffer(part, np.uint8) if isinstance(part, bytes) else part
            data[:, start : start + width] = bytes_of
            start += width
        return data


def _outermost(run: Iterable[Any]) -> _Header | None:
    return next((part for part in run if isinstance(part, _Header)), None)


def _header_of(run: Sequence[Any], outer: _Header) -> Callable[[int], bytes]:
    """Return what makes a run of headers and constants.

    Where rows are as long, so is what is within them: they differ by one byte string alone.
    """
    first_of = _first_rows(outer.lengths)

    def make(length: int) -> bytes:
        row = first_of[length]
        return b"".join(
            part if isinstance(part, bytes) else delimited(part.tag, int(part.lengths[row]))
            for part in run
        )

    return make


def _runs(parts: Iterable[Any], *, together: bool) -> Iterator[list[Any]]:
    """Yield the parts that are made at once: constants beside headers, or beside fixed bytes.

    Args:
        parts: The parts.
        together: Whether headers beside each other are made at once, too.
    """
    run: list[Any] = []
    kind: type | None = None
    for part in parts:
        this = None if isinstance(part, bytes) else type(part)
        alone = this is not None and issubclass(this, pa.Array | list)
        apart = this is _Header and kind is _Header and not together
        changed = this is not None and kind is not None and this is not kind
        if run and (alone or apart or changed):
            yield run
            run, kind = [], None
        if alone:
            yield [part]
            continue
        run.append(part)
        kind = kind or this
    if run:
        yield run


def _first_rows(lengths: Lengths) -> dict[int, int]:
    """Return a row of each length."""
    distinct, first = np.unique(lengths, return_index=True)
    return dict(zip(distinct.tolist(), first.tolist(), strict=True))


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
