"""TFRecord files: reading with every checksum verified, and writing with byte-stable gzip.

A record is `uint64 length | uint32 masked crc32c(length) | data | uint32 masked crc32c(data)`, all
little-endian. Source of the format: TensorFlow's guide "TFRecord and tf.train.Example".
"""

import contextlib
import os
import struct
from collections.abc import Callable, Generator, Iterable, Iterator
from types import TracebackType
from typing import IO, TYPE_CHECKING, Literal, Self

from penstock.io.files.decompression import DamagedFileError, gunzipped
from penstock.io.files.filesystem import FilePath, open_binary, open_for_writing
from penstock.io.files.gzip_stream import GzipStreamWriter
from penstock.io.ingestion.broken_rows import BrokenRow, OnBroken

if TYPE_CHECKING:
    import pyarrow as pa

Compression = Literal["GZIP", ""]

_READ_BYTES = 1 << 20
_MASK_DELTA = 0xA282EAD8
# How far to look for the next sound record.
_LOST_BYTES = 64 << 20
_GZIP_MAGIC = b"\x1f\x8b"


class TFRecordError(ValueError):
    """A TFRecord file is corrupt or truncated; the message names the file and the offset."""


def _masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def uncompressed_chunks(path: str, compression: Compression | None) -> Generator[bytes, None, None]:
    """Yield the uncompressed content of a TFRecord file, see `read_tfrecords`."""
    with open_binary(path) as file:
        if compression is None:
            head = file.read(2)
            file.seek(0)
            compression = "GZIP" if head == _GZIP_MAGIC else ""
        if compression == "GZIP":
            try:
                yield from gunzipped(file)
            except DamagedFileError as error:
                raise TFRecordError(f"{path}: {error}. Write the file again.") from error
        else:
            while chunk := file.read(_READ_BYTES):
                yield chunk


def read_tfrecords(
    path: FilePath, *, compression: Compression | None = None, on_broken: OnBroken | None = None
) -> Iterator[bytes]:
    """Yield the records of a TFRecord file, checking both checksums of each.

    Args:
        path: A local path or an fsspec URL.
        compression: "GZIP", "" for none, or None to detect it from the first two bytes. (An
            uncompressed file whose first record has 35,615 bytes modulo 65,536 looks like gzip: use
            "" for it.)
        on_broken: Called with each corrupt record; reading continues with the next one whose length
            has a matching checksum. By default it is an error.

    Raises:
        FileNotFoundError: If the file does not exist.
        TFRecordError: If the file is corrupt or truncated. Offsets count uncompressed bytes.

    Example:
        >>> for record in read_tfrecords("data_tfrecord-00000-of-00001.gz"):
        ...     example = tf.train.Example.FromString(record)
    """
    path = os.fspath(path)
    with contextlib.closing(uncompressed_chunks(path, compression)) as chunks:
        yield from checked_records(path, chunks, on_broken=on_broken or _refuse)


def _refuse(row: BrokenRow) -> None:
    raise TFRecordError(f"{row.file}: {row.reason}")


def _until_damage(
    path: str, chunks: Iterable[bytes], on_broken: OnBroken, damage: list[str]
) -> Iterator[bytes]:
    try:
        yield from chunks
    except TFRecordError as error:
        if on_broken is _refuse:
            raise
        damage.append(str(error).removeprefix(f"{path}: "))


def checked_records(
    path: str, chunks: Iterable[bytes], *, offset: int = 0, on_broken: OnBroken = _refuse
) -> Iterator[bytes]:
    """Yield the records in a TFRecord file's content, starting at `offset`; see `read_tfrecords`."""
    from google_crc32c import value as crc32c

    lengths: dict[bytes, int] = {}
    unpack_footer = struct.Struct("<I").unpack_from
    damage: list[str] = []
    lost: _Lost | None = None
    waiting: list[bytes] = []
    base = offset  # of `waiting` in the uncompressed file
    available = needed = 0
    for chunk in _until_damage(path, chunks, on_broken, damage):
        waiting.append(chunk)
        available += len(chunk)
        if available < needed:
            continue
        buffer = b"".join(waiting)
        position = needed = 0
        while available - position >= 12:
            if lost is not None:
                next_header = _find_header(buffer, position, crc32c)
                lost.raw += buffer[position:next_header]
                position = next_header
                if len(lost.raw) >= _LOST_BYTES:
                    on_broken(lost.as_row(path, "The rest of the file was not read."))
                    return
                if available - position < 12:
                    break
                on_broken(lost.as_row(path))
                lost = None
            header = buffer[position : position + 12]
            length = lengths.get(header)
            if length is None:
                length, stored = struct.unpack("<QI", header)
                if _masked(crc32c(header[:8])) != stored:
                    lost = _Lost(base + position, f"the checksum of its length ({length})")
                    if on_broken is _refuse:
                        on_broken(lost.as_row(path))
                    lost.raw += buffer[position : position + 1]
                    position += 1
                    continue
                if len(lengths) < 100_000:
                    lengths[header] = length
            end = position + 12 + length
            if available < end + 4:
                needed = end + 4 - position
                break
            data = buffer[position + 12 : end]
            crc = crc32c(data)
            if ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF != unpack_footer(buffer, end)[
                0
            ]:
                corrupt = _Lost(base + position, f"the checksum of its {length} bytes")
                corrupt.raw += buffer[position : end + 4]
                on_broken(corrupt.as_row(path))
            else:
                yield data
            position = end + 4
        waiting = [buffer[position:]]
        available -= position
        base += position
    rest = b"".join(waiting)
    if lost is not None:
        lost.raw += rest
        on_broken(lost.as_row(path))
    elif rest or damage:
        reason = (
            damage[0]
            if damage
            else (
                f"truncated record at offset {base}: the file ends {len(rest)} bytes after its "
                f"start. Write the file again."
            )
        )
        on_broken(BrokenRow(path, reason, rest, offset=base))


class _Lost:
    """The bytes from a corrupt record up to the next sound one."""

    def __init__(self, offset: int, what: str) -> None:
        self.raw = bytearray()
        self._offset = offset
        self._what = what

    def as_row(self, path: str, more: str = "") -> BrokenRow:
        reason = (
            f"corrupt record at offset {self._offset}: {self._what} does not match. The file is "
            f"damaged or not a TFRecord: write it again. {more}"
        ).rstrip()
        return BrokenRow(path, reason, bytes(self.raw), offset=self._offset)


def _find_header(buffer: bytes, start: int, crc32c: Callable[[bytes], int]) -> int:
    """Return where the next record with a sound length starts; without one, the last 11 bytes."""
    place = start
    while True:
        # A length below 2**40 has three zero bytes at its end.
        zeros = buffer.find(b"\0\0\0", place + 5, len(buffer) - 4)
        if zeros < 0:
            return max(start, len(buffer) - 11)
        place = zeros - 5
        header = buffer[place : place + 12]
        if _masked(crc32c(header[:8])) == int.from_bytes(header[8:], "little"):
            return place
        place += 1


class TFRecordWriter:
    """Writes a TFRecord file.

    Args:
        path: A local path or an fsspec URL; an existing file is replaced.
        compression: "GZIP" (byte-stable, see `gzip_stream`) or "" for none.
        fast: Whether to deflate fast, see `gzip_stream`.

    Example:
        >>> with TFRecordWriter("/tmp/two.gz", "GZIP") as writer:
        ...     writer.write_all([b"first", b"second"])
    """

    def __init__(self, path: str, compression: Compression = "GZIP", *, fast: bool = False) -> None:
        if compression not in ("GZIP", ""):
            raise ValueError(
                f"TFRecordWriter writes compression 'GZIP' or ''. Received: "
                f"compression={compression!r}"
            )
        self._out: GzipStreamWriter | IO[bytes]
        self._out = (
            GzipStreamWriter(path, fast=fast) if compression == "GZIP" else open_for_writing(path)
        )

    def write(self, record: bytes) -> None:
        """Append one record."""
        from google_crc32c import value as crc32c

        length = struct.pack("<Q", len(record))
        header = length + struct.pack("<I", _masked(crc32c(length)))
        self._out.write(header + record + struct.pack("<I", _masked(crc32c(record))))

    def write_all(self, records: Iterable[bytes]) -> None:
        """Append records in order."""
        from penstock.io.tfrecord.framing import framed_bytes

        self._out.write(framed_bytes(list(records)))

    def write_framed(self, framed: "pa.LargeBinaryArray") -> None:
        """Append records that `frame_records` has framed."""
        from penstock.io.tfrecord.framing import content

        self._out.write(content(framed))

    def close(self) -> None:
        """Complete and close the file."""
        self._out.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and isinstance(self._out, GzipStreamWriter):
            self._out.abort()
        else:
            self.close()
