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
    first_row = offset = 0
    frames: list[bytes] = []  # those of the block that is being gathered
    ends: list[int] = []
    for run in _runs_of_frames(path, compression, rows, size):
        shift = (ends[-1] if ends else 0) - run.start
        frames.append(run.buffer[run.start : run.ends[-1]])
        ends += [end + shift for end in run.ends] if shift else run.ends
        if run.is_full:
            yield _block(path, first_row, offset, frames, ends)
            first_row += len(ends)
            offset += ends[-1]
            frames, ends = [], []
    if ends:
        yield _block(path, first_row, offset, frames, ends)


def read_record_lists(
    path: str,
    *,
    compression: Compression | None = None,
    rows: int = BLOCK_ROWS,
    size: int = BLOCK_BYTES,
) -> Iterator[list[bytes]]:
    """Yield the records of a TFRecord file in the blocks of `read_record_blocks`, as lists.

    Where they are wanted at once and in this process, this copies them once less.

    Raises:
        FileNotFoundError: If the file does not exist.
        TFRecordError: If the file is truncated, or a checksum does not match.

    Example:
        >>> sum(map(len, read_record_lists(path)))
        334
    """
    records: list[bytes] = []
    offset = 0
    for run in _runs_of_frames(path, compression, rows, size):
        buffer, start = run.buffer, run.start
        ends = np.array(run.ends, np.int64)
        records += _checked(path, buffer, start, ends, offset)
        offset += run.ends[-1] - start
        if run.is_full:
            yield records
            records = []
    if records:
        yield records


class _Run(NamedTuple):
    """Frames behind one another in a part of the file's content.

    Args:
        buffer: The part of the content.
        start: Where the first frame starts in it.
        ends: Where each frame ends in it.
        is_full: Whether a block ends with them.
    """

    buffer: bytes
    start: int
    ends: list[int]
    is_full: bool


def _runs_of_frames(
    path: str, compression: Compression | None, rows: int, size: int
) -> Iterator[_Run]:
    sizes: dict[bytes, int] = {}  # of whole frames, by header
    waiting: list[bytes] = []  # what is behind the last run, up to a whole record
    offset = 0  # of `waiting` in the uncompressed file
    available = needed = gathered = count = 0
    with contextlib.closing(uncompressed_chunks(path, compression)) as chunks:
        for chunk in chunks:
            waiting.append(chunk)
            available += len(chunk)
            if available < needed:
                continue
            buffer = b"".join(waiting)
            position = needed = 0
            while not needed:
                start = position
                full = size - gathered + start
                ends: list[int] = []
                for _ in range(rows - count):
                    frame = sizes.get(buffer[position : position + _HEADER_BYTES])
                    if frame is None:
                        if position + _HEADER_BYTES > available:
                            needed = _HEADER_BYTES
                            break
                        frame = _frame_size(path, buffer, position, offset)
                        if len(sizes) < _MOST_SIZES:
                            sizes[buffer[position : position + _HEADER_BYTES]] = frame
                    if position + frame > available:
                        needed = frame
                        break
                    position += frame
                    ends.append(position)
                    if position >= full:
                        break
                if ends:
                    yield _Run(buffer, start, ends, not needed)
                count, gathered = count + len(ends), gathered + position - start
                if not needed:
                    count = gathered = 0
            waiting = [buffer[position:]]
            available -= position
            offset += position
    if available:
        _fail(path, b"".join(waiting), offset)


def records_of(block: RecordBlock) -> list[bytes]:
    """Return the records of a block, after checking the checksum of each.

    Raises:
        TFRecordError: If a checksum does not match.
    """
    return _checked(block.path, block.frames.tobytes(), 0, block.ends, block.offset)


def _checked(
    path: str, buffer: bytes, start: int, ends: npt.NDArray[np.int64], offset: int
) -> list[bytes]:
    """Return the records of frames that start and end at these places of a buffer.

    The first one is at `offset` in the uncompressed file.
    """
    stops = ends - _FOOTER_BYTES
    starts = [start + _HEADER_BYTES, *(ends[:-1] + _HEADER_BYTES).tolist()]
    records = [buffer[at:to] for at, to in zip(starts, stops.tolist(), strict=True)]
    data = np.frombuffer(buffer, np.uint8)
    stored = data[stops[:, np.newaxis] + np.arange(_FOOTER_BYTES)].view("<u4").ravel()
    if not np.array_equal(masked_checksums(records), stored):
        _fail(path, buffer[start:], offset)
    return records


def _frame_size(path: str, buffer: bytes, position: int, offset: int) -> int:
    header = buffer[position : position + _HEADER_BYTES]
    length, checksum = struct.unpack("<QI", header)
    if masked_checksums([header[:8]])[0] != checksum:
        _fail(path, buffer[position:], offset + position)
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
