"""IDX files, the format of MNIST: a header that names type and shape, and the values behind it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAGIC_BYTES = 4
_DIMENSION_BYTES = 4


def is_idx(content: bytes) -> bool:
    """Return whether a (decompressed) file begins as an IDX file does."""
    return len(content) >= _MAGIC_BYTES and content[:2] == b"\0\0" and content[2] in _TYPES


def parse_idx(content: bytes) -> npt.NDArray[Any]:
    """Return the array in an IDX file.

    Args:
        content: The whole file, decompressed.

    Raises:
        ValueError: If it is not an IDX file, or holds more or fewer values than its header says.

    Source: http://yann.lecun.com/exdb/mnist/, "The IDX file format".

    Example:
        >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
        array([7, 9], dtype=uint8)
    """
    if not is_idx(content):
        raise ValueError(
            "not an IDX file: it must begin with two zero bytes, a type (0x08 to 0x0E) and the number "
            f"of dimensions. Received: {content[:_MAGIC_BYTES].hex(' ') or 'an empty file'}"
        )
    rank = content[3]
    dtype = np.dtype(_TYPES[content[2]])
    start = _MAGIC_BYTES + _DIMENSION_BYTES * rank
    shape = tuple(
        np.frombuffer(content[_MAGIC_BYTES:start].ljust(_DIMENSION_BYTES * rank, b"\0"), ">u4")
    )
    expected = start + math.prod(map(int, shape)) * dtype.itemsize
    if len(content) != expected:
        raise ValueError(
            f"the header says {'x'.join(map(str, shape))} values of type {dtype.newbyteorder('=')}, "
            f"which are {expected} bytes with the header. Received: {len(content)} bytes"
        )
    values = np.frombuffer(content, dtype, offset=start)
    return values.astype(dtype.newbyteorder("="), copy=False).reshape(shape)
