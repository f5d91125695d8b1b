"""TFRecord files as blocks of records that TensorFlow reads, as tensors of strings.

No record becomes a Python object, so the work leaves Python's lock to others. The blocks end where those of
`blocks` end. Only local files are read.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.io.tfrecord.blocks import BLOCK_BYTES, BLOCK_ROWS
from penstock.io.tfrecord.records import Compression, TFRecordError, read_tfrecords

if TYPE_CHECKING:
    import tensorflow as tf

_FRAME_BYTES = 16
_FIRST_ROWS = 32
_FEW_ROWS = 256
_READ_BYTES = 1 << 20
_BLOCKS_AHEAD = 4
"""Blocks that TensorFlow reads ahead: with one it waited for whoever adds up the results."""


def read_tensor_blocks(
    path: str,
    *,
    compression: Compression,
    rows: int = BLOCK_ROWS,
    size: int = BLOCK_BYTES,
) -> Iterator[tf.Tensor]:
    """Yield the records of a local TFRecord file in blocks, each a tensor of strings `[rows]`.

    Args:
        path: The file.
        compression: "GZIP", or "" for none.
        rows: The most records per block.
        size: Bytes at which a block is full, frames included. Where the first records are small, TensorFlow
            may hold more than that before a block is cut.

    Raises:
        FileNotFoundError: If the file does not exist.
        TFRecordError: If the file is truncated or corrupt.

    Example:
        >>> sum(len(block) for block in read_tensor_blocks(path, compression="GZIP"))
        334
    """
    import tensorflow as tf

    os.stat(path)
    parts: list[tf.Tensor] = []  # of the block that is being gathered
    count = gathered = total = 0
    try:
        read = tf.data.TFRecordDataset([path], compression, buffer_size=_READ_BYTES)
        for records in read.batch(_rows_at_once(read, rows, size)).prefetch(_BLOCKS_AHEAD):
            ends = np.cumsum(tf.strings.length(records).numpy().astype(np.int64) + _FRAME_BYTES)
            total += int(ends[-1])
            start = begun = 0
            while start < len(ends):
                # As many as are still missing, up to the one that fills the block.
                full = int(np.searchsorted(ends, size - gathered + begun)) + 1
                stop = min(start + rows - count, full, len(ends))
                whole = stop - start == len(ends)
                parts.append(records if whole else records[start:stop])
                count += stop - start
                gathered += int(ends[stop - 1]) - begun
                start, begun = stop, int(ends[stop - 1])
                if count == rows or gathered >= size:
                    yield tf.concat(parts, 0) if len(parts) > 1 else parts[0]
                    parts, count, gathered = [], 0, 0
    except tf.errors.DataLossError as error:
        _check(path, compression)
        raise TFRecordError(f"{path}: {error.message}") from error
    if compression == "GZIP" and not _is_whole(path, total):
        # TensorFlow takes a file as whole that was cut off between two records.
        _check(path, compression)
    if parts:
        yield tf.concat(parts, 0) if len(parts) > 1 else parts[0]


def _rows_at_once(read: Any, rows: int, size: int) -> int:
    """Return how many records to read at once: a block, or a part of one where they are large."""
    import tensorflow as tf

    for records in read.batch(_FIRST_ROWS).take(1):
        mean = int(tf.reduce_mean(tf.strings.length(records))) + _FRAME_BYTES
        return rows if 2 * mean * rows < size else min(_FEW_ROWS, rows)
    return rows


def _is_whole(path: str, total: int) -> bool:
    """Return whether a gzip file says at its end that it has so many bytes."""
    with open(path, "rb") as file:
        file.seek(0, os.SEEK_END)
        if file.tell() < 18:
            return False
        file.seek(-4, os.SEEK_END)
        (stored,) = struct.unpack("<I", file.read())
    return bool(stored == total & 0xFFFFFFFF)


def _check(path: str, compression: Compression) -> None:
    """Read a file record by record, which says where it is damaged."""
    for _ in read_tfrecords(path, compression=compression):
        pass
