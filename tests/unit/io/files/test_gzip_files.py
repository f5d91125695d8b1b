"""Gzip files: what is deflated fast is as others read it, and damage is found where zlib finds it."""

import gzip
import io
import zlib

import pytest

from penstock.io.files.decompression import (
    DamagedFileError,
    decompressed,
    gunzipped,
    gzip_decompressor,
)
from penstock.io.files.gzip_stream import GzipStreamWriter

CONTENT = b"".join(b"row %d of many; " % (number * number) for number in range(200_000))


def read(pieces):
    """Return what was read, and the error that ended it."""
    found = bytearray()
    try:
        for piece in pieces:
            found += piece
    except DamagedFileError as error:
        return bytes(found), str(error)
    return bytes(found), None


@pytest.mark.parametrize("fast", [False, True])
def test_what_is_written_is_a_gzip_file(tmp_path, fast):
    path = tmp_path / "rows.gz"
    for _ in range(2):
        with GzipStreamWriter(str(path), fast=fast) as out:
            out.write(CONTENT[:100])
            out.write(CONTENT[100:])
        raw = path.read_bytes()
        assert gzip.decompress(raw) == CONTENT
    with GzipStreamWriter(str(path), fast=fast) as out:
        out.write(CONTENT)
    assert path.read_bytes() == raw  # however it was cut


def test_fast_files_are_not_larger(tmp_path):
    sizes = []
    for fast in (False, True):
        path = tmp_path / f"{fast}.gz"
        with GzipStreamWriter(str(path), fast=fast) as out:
            out.write(CONTENT)
        sizes.append(path.stat().st_size)
    assert sizes[1] < 1.1 * sizes[0]


WHOLE = gzip.compress(CONTENT, 6, mtime=0)


@pytest.mark.parametrize(
    "raw",
    [
        WHOLE,
        b"",
        WHOLE + WHOLE,
        WHOLE + b"\0" * 20,
        WHOLE[: len(WHOLE) // 2],
        WHOLE[:-3],
        WHOLE[:6],
        WHOLE[: len(WHOLE) // 2] + b"\xff\0\xff" + WHOLE[len(WHOLE) // 2 + 3 :],
        WHOLE[:-8] + b"\0\0\0\0" + WHOLE[-4:],
        WHOLE + b"garbage at its end",
        b"no gzip at all",
    ],
    ids=[
        "whole", "empty", "members", "padded", "half", "trailer", "header", "damaged", "checksum",
        "garbage", "other",
    ],
)  # fmt: skip
def test_what_can_be_read_and_the_damage_are_those_of_zlib(raw):
    expected = read(decompressed(io.BytesIO(raw), gzip_decompressor))
    assert read(gunzipped(io.BytesIO(raw))) == expected
    with_error = expected[1] is not None
    assert with_error == (raw not in (WHOLE, b"", WHOLE + WHOLE, WHOLE + b"\0" * 20))


def test_the_checksum_of_the_content_is_that_of_zlib(tmp_path):
    path = tmp_path / "rows.gz"
    with GzipStreamWriter(str(path)) as out:
        out.write(CONTENT)
    assert path.read_bytes()[-8:-4] == zlib.crc32(CONTENT).to_bytes(4, "little")
