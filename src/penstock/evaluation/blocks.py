"""The rows of files in blocks, as they lie there; another thread or process makes batches of them.

Where a block ends depends on the files alone, so an evaluation that is made of the same blocks in the
same order has the same result, wherever each is worked on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from penstock.io import read_record_batches
from penstock.io.examples.formats import file_format_named
from penstock.io.tfrecord.blocks import RecordBlock, read_record_blocks
from penstock.io.tfrecord.tensor_blocks import read_tensor_blocks

if TYPE_CHECKING:
    import tensorflow as tf

BLOCKS_A_PART = 8
"""How many blocks have kernels of their own, which are then merged."""


class Block(NamedTuple):
    """Consecutive rows of one file; picklable, unless it holds a tensor.

    Attributes:
        content: Records with their frames, a batch of columns of lists, or records as a tensor of strings.
        num_rows: How many rows it has.
        first_row: How many rows come before in all files.
        shard: The number of the file.
        first_of_shard: How many rows come before in the file.
    """

    content: RecordBlock | pa.RecordBatch | tf.Tensor
    num_rows: int
    first_row: int
    shard: int
    first_of_shard: int


def read_blocks(
    files: Sequence[str],
    *,
    file_format: str,
    batch_size: int,
    first_shard: int = 0,
    as_tensors: bool = False,
) -> Iterator[Block]:
    """Yield the rows of files of tf.Examples, in order.

    Args:
        files: Local paths or fsspec URLs.
        file_format: "tfrecords_gzip", "tfrecords" or "parquet".
        batch_size: The most rows a block; blocks of large rows are smaller.
        first_shard: The number of the first file.
        as_tensors: Whether TensorFlow reads local files of records, as tensors.

    Raises:
        FileNotFoundError: If a file does not exist.
        TFRecordError: If a file is corrupt or truncated.
    """
    compression = file_format_named(file_format).compression
    first_row = 0
    for shard, file in enumerate(files, first_shard):
        contents: Iterable[RecordBlock | pa.RecordBatch | tf.Tensor]
        if compression is None:
            contents = read_record_batches([file], file_format=file_format, batch_size=batch_size)
        elif as_tensors and "://" not in file:
            contents = read_tensor_blocks(file, compression=compression, rows=batch_size)
        else:
            contents = read_record_blocks(file, compression=compression, rows=batch_size)
        first_of_shard = 0
        for content in contents:
            rows = _num_rows(content)
            if rows:
                yield Block(content, rows, first_row, shard, first_of_shard)
            first_of_shard += rows
            first_row += rows


def _num_rows(content: RecordBlock | pa.RecordBatch | tf.Tensor) -> int:
    if isinstance(content, RecordBlock):
        return len(content.ends)
    return content.num_rows if isinstance(content, pa.RecordBatch) else int(content.shape[0])


def parts_of(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Gather blocks into parts, each of one file."""
    for _, of_shard in groupby(blocks, key=lambda block: block.shard):
        part: list[Block] = []
        for block in of_shard:
            part.append(block)
            if len(part) == BLOCKS_A_PART:
                yield part
                part = []
        if part:
            yield part
