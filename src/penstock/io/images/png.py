"""Pixels as PNG files whose bytes depend on the pixels alone."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}
"""Grey, grey with alpha, RGB, RGBA."""
_STORED_BYTES = 0xFFFF
_FEWEST, _MOST = 2, 3


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return an image as a PNG file.

    The pixels are stored, not compressed: what compression gives differs between versions of zlib,
    and with it the split that a row is hashed into. The files that hold the rows are compressed.

    Args:
        pixels: uint8 of the shape (height, width) or (height, width, channels), with 1 to 4 channels:
            grey, grey with alpha, RGB, RGBA.

    Raises:
        ValueError: If the array is not such an image.

    Source: PNG, third edition, https://www.w3.org/TR/png-3/; RFC 1950 and 1951, stored blocks.

    Example:
        >>> encode_png(np.zeros((28, 28), np.uint8))[:4]
        b'\\x89PNG'
    """
    channels = pixels.shape[2] if pixels.ndim == _MOST else 1
    if (
        pixels.dtype != np.uint8
        or pixels.ndim not in (_FEWEST, _MOST)
        or channels not in _COLOR_TYPE
        or not pixels.size
    ):
        raise ValueError(
            "A PNG file needs uint8 pixels of the shape (height, width) or (height, width, channels) "
            f"with 1 to 4 channels. Received: {pixels.dtype} of the shape {pixels.shape}"
        )
    height, width = pixels.shape[:2]
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # each line begins with filter 0
    lines[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">2I5B", width, height, 8, _COLOR_TYPE[channels], 0, 0, 0)
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", _stored(lines.tobytes())),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _stored(data: bytes) -> bytes:
    parts: list[Any] = [b"\x78\x01"]
    for start in range(0, len(data), _STORED_BYTES):
        block = data[start : start + _STORED_BYTES]
        last = start + _STORED_BYTES >= len(data)
        parts += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    parts.append(struct.pack(">I", zlib.adler32(data)))
    return b"".join(parts)
