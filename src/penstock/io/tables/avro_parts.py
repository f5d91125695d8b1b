"""Avro files as parts of several blocks, which several processes can decode.

A file is a header, which ends with a sync marker of 16 bytes, and blocks: the number of records, the
number of bytes, both as zigzag varints, the bytes, and the sync marker. Source of the format: the
specification of Apache Avro 1.12, "Object Container Files".
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from penstock.installation import install_command
from penstock.io.files.filesystem import open_binary
from penstock.io.ingestion.broken_rows import BrokenRow, OnBroken

_PART_ROWS = 10_000
_PART_BYTES = 4 << 20
_MARKER_BYTES = 16
_VARINT_BYTES = 10
# How far to look for the next marker, and how much of what is lost is kept.
_LOST_BYTES = 64 << 20


@dataclass(frozen=True)
class AvroPart:
    """Consecutive blocks of a file.

    Args:
        path: The file.
        header: Its header.
        offset: Where the first block starts.
        blocks: The blocks.
    """

    path: str
    header: bytes
    offset: int
    blocks: list[bytes]

    @property
    def rows(self) -> int:
        """The number of records."""
        return sum(_varint(block, 0)[0] for block in self.blocks)

    def records(self) -> list[Mapping[str, Any]]:
        """Decode the records; for a damaged block, fastavro raises errors of many kinds."""
        return list(fastavro().reader(io.BytesIO(b"".join([self.header, *self.blocks]))))

    def single_blocks(self) -> Iterator[AvroPart]:
        """Yield each block as its own part."""
        offset = self.offset
        for block in self.blocks:
            yield AvroPart(self.path, self.header, offset, [block])
            offset += len(block)


def fastavro() -> Any:
    """Import fastavro.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import fastavro
    except ImportError as error:
        raise ImportError(
            f"Reading Avro files needs fastavro: {install_command('avro')}"
        ) from error
    return fastavro


def told(error: Exception) -> str:
    """Return an error's type and message."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def read_parts(path: str, on_broken: OnBroken) -> Iterator[AvroPart]:
    """Yield the blocks of a file, some thousand rows at a time.

    The boundaries between parts depend only on the file.

    Args:
        path: A local path or an fsspec URL.
        on_broken: Called with the bytes between sound blocks; reading continues after the next sync
            marker.
    """
    with open_binary(path) as file:
        fastavro().block_reader(file)
        offset = file.tell()
        end = file.seek(0, io.SEEK_END)
        file.seek(0)
        header = file.read(offset)
        blocks: list[bytes] = []
        rows = read = size = 0
        while True:
            block = _read_block(file, end, header[-_MARKER_BYTES:])
            if isinstance(block, tuple):
                blocks.append(block[1])
                rows += block[0]
                size += len(block[1])
            if blocks and (
                rows >= _PART_ROWS or size >= _PART_BYTES or not isinstance(block, tuple)
            ):
                yield AvroPart(path, header, offset, blocks)
                offset += size
                read += rows
                blocks, rows, size = [], 0, 0
            if block is None:
                return
            if isinstance(block, str):
                raw = _skip(file, offset, header[-_MARKER_BYTES:])
                on_broken(BrokenRow(path, f"damaged after row {read}: {block}", raw, offset=offset))
                offset += len(raw)


def _read_block(file: IO[bytes], end: int, marker: bytes) -> tuple[int, bytes] | str | None:
    """Return a block with its number of rows, or its problem; None at the end."""
    start = file.tell()
    numbers = file.read(2 * _VARINT_BYTES)
    if not numbers:
        return None
    rows, at = _varint(numbers, 0)
    size, at = _varint(numbers, at)
    if rows < 0 or size < 0:
        return "no block starts here"
    length = at + size + _MARKER_BYTES
    if start + length > end:
        return f"the file ends within a block: expected {length} bytes, found {end - start}"
    file.seek(start)
    block = file.read(length)
    if not block.endswith(marker):
        return "the sync marker after the block does not match"
    return rows, block


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Return a zigzag varint, -1 if there is none, and where it ends."""
    value = 0
    for place in range(at, min(at + _VARINT_BYTES, len(content))):
        value |= (content[place] & 0x7F) << (7 * (place - at))
        if content[place] < 0x80:
            return (value >> 1) ^ -(value & 1), place + 1
    return -1, at


def _skip(file: IO[bytes], offset: int, marker: bytes) -> bytes:
    """Skip to the next sync marker and return the skipped bytes."""
    file.seek(offset)
    lost = file.read(_LOST_BYTES)
    end = lost.find(marker)
    if end < 0:
        file.seek(0, io.SEEK_END)
        return lost
    file.seek(offset + end + _MARKER_BYTES)
    return lost[: end + _MARKER_BYTES]
