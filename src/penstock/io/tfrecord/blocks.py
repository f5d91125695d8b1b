"""TFRecord files as blocks of records, which several processes can decode.

The boundaries between blocks depend only on the file. Reading blocks costs little (only the
checksum of each length is verified); `records_of` does the rest of the work, possibly in another
process.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from penstock.io.tfrecord.framing import masked_checksums
from penstock.io.tfrecord.records import (
    Compression,
    TFRecordError,
    checked_records,
    uncompressed_chunks,
)

BLOCK_ROWS = 10_000
BLOCK_BYTES = 32 << 20
_MOST_SIZES = 100_000
_HEADER_BYTES, _FOOTER_BYTES = 12, 4


class RecordBlock(NamedTuple):
    """Consecutive records of one file.

    Attributes:
        path: The file.
        first_row: How many records of the file come before.
        offset: Where the block starts in the uncompressed file, in bytes.
        frames: The records with lengths and checksums, as bytes of the file.
        ends: Where the frame of each record ends in `frames`.
    """

    path: str
    first_row: int
    offset: int
    frames: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int64]


def read_record_blocks(
    path: str,
    *,
    compression: Compression | None = None,
    rows: int = BLOCK_ROWS,
    size: int = BLOCK_BYTES,
) -> Iterator[RecordBlock]:
    """Yield the records of a TFRecord file in blocks.

    Args:
        path: A local path or an fsspec URL.
        compression: "GZIP", "" for none, or None to detect it from the first two bytes.
        rows: The most records per block.
        size: Bytes at which a block is full, so that it holds less than this plus one record.

    Raises:
        FileNotFoundError: If the file does not exist.
        TFRecordError: If the file is truncated, or the checksum of a length does not match.

    Example:
        >>> sum(len(records_of(block)) for block in read_record_blocks(path))
        334
    """
    sizes: dict[bytes, int] = {}  # of whole frames, by header
    first_row = 0
    frames: list[bytes] = []  # those of the block that is being gathered
    ends: list[int] = []
    waiting: list[bytes] = []  # what is behind them, up to a whole record
    offset = 0  # of `waiting` in the uncompressed file
    available = needed = 0
    with contextlib.closing(uncompressed_chunks(path, compression)) as chunks:
        for chunk in chunks:
            waiting.append(chunk)
            available += len(chunk)
            if available < needed:
                continue
            buffer = b"".join(waiting)
            gathered = ends[-1] if ends else 0
            start = position = needed = 0
            while position + _HEADER_BYTES <= available:
                header = buffer[position : position + _HEADER_BYTES]
                frame = sizes.get(header)
                if frame is None:
                    frame = _frame_size(header)
                    if frame is None:
                        _fail(path, buffer[position:], offset + position)
                    if len(sizes) < _MOST_SIZES:
                        sizes[header] = frame
                if position + frame > available:
                    needed = frame
                    break
                position += frame
                end = gathered + position - start
                ends.append(end)
                if end >= size or len(ends) == rows:
                    frames.append(buffer[start:position])
                    yield _block(path, first_row, offset + position - end, frames, ends)
                    first_row += len(ends)
                    frames, ends = [], []
                    start, gathered = position, 0
            frames.append(buffer[start:position])
            waiting = [buffer[position:]]
            available -= position
            offset += position
    if ends:
        yield _block(path, first_row, offset - ends[-1], frames, ends)
    if available:
        _fail(path, b"".join(waiting), offset)


def records_of(block: RecordBlock) -> list[bytes]:
    """Return the records of a block, after checking the checksum of each.

    Raises:
        TFRecordError: If a checksum does not match.
    """
    frames = block.frames.tobytes()
    starts = [_HEADER_BYTES, *(block.ends[:-1] + _HEADER_BYTES).tolist()]
    stops = block.ends - _FOOTER_BYTES
    records = [frames[start:stop] for start, stop in zip(starts, stops.tolist(), strict=True)]
    stored = block.frames[stops[:, np.newaxis] + np.arange(_FOOTER_BYTES)].view("<u4").ravel()
    if not np.array_equal(masked_checksums(records), stored):
        _fail(block.path, frames, block.offset)
    return records


def _frame_size(header: bytes) -> int | None:
    length, checksum = struct.unpack("<QI", header)
    if masked_checksums([header[:8]])[0] != checksum:
        return None
    return _HEADER_BYTES + int(length) + _FOOTER_BYTES


def _fail(path: str, frames: bytes, offset: int) -> NoReturn:
    for _ in checked_records(path, [frames], offset=offset):
        pass
    raise TFRecordError(f"{path}: corrupt record at or after offset {offset}.")


def _block(
    path: str, first_row: int, offset: int, frames: list[bytes], ends: list[int]
) -> RecordBlock:
    # Arrays rather than bytes go to another process without being copied into a pickle.
    content = np.frombuffer(b"".join(frames), np.uint8)
    return RecordBlock(path, first_row, offset, content, np.array(ends, np.int64))
