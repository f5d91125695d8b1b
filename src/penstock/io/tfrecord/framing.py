"""The frames of a TFRecord file around its records, without Python work per frame.

Source of the format: see `tfrecord`.
"""

import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.io.arrow.arrays import byte_strings, numbers

_MASK_DELTA = np.uint32(0xA282EAD8)


def frame_records(records: Sequence[bytes] | pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """Add length and checksums to each record, as in TFRecord files.

    Args:
        records: The records to frame.

    Returns:
        The framed records, one entry each.

    Example:
        >>> writer.write_framed(frame_records([b"first", b"second"]))
    """
    joined = records if isinstance(records, pa.Array) else byte_strings(records)
    if not len(records):
        return joined
    lengths = np.diff(
        np.frombuffer(joined.buffers()[1], np.int64, len(joined) + 1, 8 * joined.offset)
    )
    lengths = lengths.astype("<u8")
    distinct, index = np.unique(lengths, return_inverse=True)
    checksums = masked_checksums([length.tobytes() for length in distinct])
    headers = np.empty(len(distinct), dtype=[("length", "<u8"), ("checksum", "<u4")])
    headers["length"], headers["checksum"] = distinct, checksums
    values = records.to_pylist() if isinstance(records, pa.Array) else records
    footers = masked_checksums(values)
    return pc.binary_join_element_wise(
        _fixed(headers, 12).take(numbers(index)), joined, _fixed(footers, 4), _EMPTY
    )


def framed_bytes(records: Sequence[bytes]) -> bytes:
    """Return records with length and checksums, as the bytes of a TFRecord file.

    Args:
        records: The records to frame.

    Example:
        >>> writer.write_bytes(framed_bytes([b"first", b"second"]))
    """
    rows = len(records)
    lengths = list(map(len, records))
    header_of = {length: _header(length) for length in set(lengths)}
    pieces: list[bytes] = [b""] * (3 * rows)
    pieces[0::3] = map(header_of.__getitem__, lengths)
    pieces[1::3] = records
    pieces[2::3] = masked_checksums(records).astype("<u4").view("V4").tolist()
    return b"".join(pieces)


def _header(length: int) -> bytes:
    packed = struct.pack("<Q", length)
    return packed + masked_checksums([packed]).astype("<u4").tobytes()


def content(framed: pa.LargeBinaryArray) -> memoryview:
    """Return the bytes of all framed records, without copying."""
    offsets = np.frombuffer(framed.buffers()[1], np.int64)
    first, last = offsets[framed.offset], offsets[framed.offset + len(framed)]
    return memoryview(framed.buffers()[2])[first:last]


_EMPTY = byte_strings([b""])[0]


def masked_checksums(values: Sequence[bytes]) -> npt.NDArray[np.uint32]:
    """Return the checksum of each value as in TFRecord files."""
    from google_crc32c import value as crc32c

    crc = np.fromiter(map(crc32c, values), "<u4", len(values))
    return (crc >> np.uint32(15) | crc << np.uint32(17)) + _MASK_DELTA


def _fixed(values: npt.NDArray[np.generic], size: int) -> pa.LargeBinaryArray:
    offsets = np.arange(len(values) + 1, dtype=np.int64) * size
    return pa.Array.from_buffers(
        pa.large_binary(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(values)]
    )
