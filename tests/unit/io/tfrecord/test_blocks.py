"""TFRecord files in blocks: the records, where blocks end, and what damage is answered with."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from penstock.io import TFRecordError, TFRecordWriter, read_tfrecords
from penstock.io.tfrecord.blocks import read_record_blocks, read_record_lists, records_of

RECORDS = [bytes([number % 256]) * (number * 37 % 1_000) for number in range(5_000)]


def written(folder: Path, records: list[bytes], compression: str = "GZIP") -> str:
    path = str(folder / "records")
    with TFRecordWriter(path, compression) as writer:
        writer.write_all(records)
    return path


@pytest.mark.parametrize("compression", ["GZIP", ""])
@pytest.mark.parametrize(("rows", "size"), [(700, 1 << 30), (10_000, 9_999), (1, 1), (5_000, 1)])
def test_blocks_hold_the_records_in_order(tmp_path, compression, rows, size):
    path = written(tmp_path, RECORDS, compression)
    blocks = list(read_record_blocks(path, rows=rows, size=size))
    assert [record for block in blocks for record in records_of(block)] == RECORDS
    lists = list(read_record_lists(path, rows=rows, size=size))
    assert lists == [records_of(block) for block in blocks]
    place = offset = 0
    for block in blocks[:-1]:
        assert (block.path, block.first_row, block.offset) == (path, place, offset)
        assert len(block.ends) <= rows
        assert len(block.ends) == rows or len(block.frames) >= size
        assert block.ends[-1] == len(block.frames) < size + 1_016
        place += len(block.ends)
        offset += len(block.frames)


def test_no_records(tmp_path):
    assert list(read_record_blocks(written(tmp_path, []))) == []


def test_large_records_make_small_blocks(tmp_path):
    records = [bytes(10 << 20)] * 6
    path = written(tmp_path, records)
    assert Path(path).stat().st_size < 1 << 20
    blocks = read_record_blocks(path)
    assert [len(records_of(block)) for block in blocks] == [4, 2]


@pytest.mark.parametrize("place", [0, 12, 5_000, 100_003, -1])
@pytest.mark.parametrize("compression", ["GZIP", ""])
def test_damage_is_answered_as_by_read_tfrecords(tmp_path, place, compression):
    path = Path(written(tmp_path, RECORDS, ""))
    content = bytearray(path.read_bytes())
    content[place] ^= 0x40
    path.write_bytes(gzip.compress(content) if compression else content)
    check_same_error(str(path), compression)


@pytest.mark.parametrize("kept", [5, 30, 10_007])
def test_truncated_file(tmp_path, kept):
    path = Path(written(tmp_path, RECORDS[1:], ""))
    path.write_bytes(path.read_bytes()[:kept])
    check_same_error(str(path), "")


def check_same_error(path: str, compression: str) -> None:
    with pytest.raises(TFRecordError) as expected:
        list(read_tfrecords(path, compression=compression))
    with pytest.raises(TFRecordError) as found:
        for block in read_record_blocks(path, compression=compression, rows=100):
            records_of(block)
    assert str(found.value) == str(expected.value)
    with pytest.raises(TFRecordError) as found:
        list(read_record_lists(path, compression=compression, rows=100))
    assert str(found.value) == str(expected.value)
    assert "offset" in str(found.value)
