"""TFRecord files that TensorFlow reads: the blocks of `blocks`, and damage that is not overlooked."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.io import TFRecordError, TFRecordWriter
from penstock.io.files.gzip_stream import GzipStreamWriter
from penstock.io.tfrecord.blocks import read_record_blocks, records_of
from penstock.io.tfrecord.framing import content, frame_records
from penstock.io.tfrecord.tensor_blocks import read_tensor_blocks

pytestmark = pytest.mark.tensorflow
RECORDS = [bytes([number % 256]) * (number * 37 % 1_000) for number in range(3_000)]


def written(folder: Path, records: list[bytes], compression: str = "GZIP") -> str:
    path = str(folder / "records")
    with TFRecordWriter(path, compression) as writer:
        writer.write_all(records)
    return path


def blocks_of(path, **options):
    return [block.numpy().tolist() for block in read_tensor_blocks(path, **options)]


@pytest.mark.parametrize("compression", ["GZIP", ""])
@pytest.mark.parametrize(
    ("rows", "size"), [(700, 1 << 30), (10_000, 9_999), (512, 300_000), (1, 1), (3_000, 60_000)]
)
def test_blocks_end_where_those_of_the_other_reader_end(tmp_path, compression, rows, size):
    path = written(tmp_path, RECORDS, compression)
    found = blocks_of(path, compression=compression, rows=rows, size=size)
    expected = read_record_blocks(path, compression=compression, rows=rows, size=size)
    assert found == [records_of(block) for block in expected]


def test_a_file_without_records_has_no_blocks(tmp_path):
    assert blocks_of(written(tmp_path, []), compression="GZIP") == []


def test_several_gzip_members_are_one_file(tmp_path):
    path = Path(written(tmp_path, RECORDS[:10]))
    path.write_bytes(path.read_bytes() * 2)
    assert blocks_of(str(path), compression="GZIP") == [RECORDS[:10] * 2]


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        blocks_of(str(tmp_path / "none"), compression="GZIP")


@pytest.mark.parametrize("compression", ["GZIP", ""])
def test_damage_is_told_with_the_file_and_the_place(tmp_path, compression):
    path = Path(written(tmp_path, RECORDS, compression))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(TFRecordError, match=f"{path}.*offset"):
        blocks_of(str(path), compression=compression)


def test_a_gzip_file_that_ends_between_two_records_is_not_whole(tmp_path):
    # What TensorFlow's reader takes for a file that is complete.
    path = tmp_path / "records"
    with GzipStreamWriter(str(path)) as out:
        out.write(content(frame_records([b"x" * 1_000_000])))
    raw = path.read_bytes()
    path.write_bytes(raw[: -(8 + 2)])
    with pytest.raises(TFRecordError, match=r"truncated"):
        blocks_of(str(path), compression="GZIP")
