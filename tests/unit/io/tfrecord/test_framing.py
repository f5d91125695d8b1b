"""The frames of TFRecord files."""

import struct
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.io.tfrecord.framing import content, frame_records, framed_bytes
from penstock.io.tfrecord.records import TFRecordWriter, read_tfrecords


def _framed(record: bytes) -> bytes:
    """Frames one record, word for word as the format says."""

    def checksum(data: bytes) -> bytes:
        crc = google_crc32c.value(data)
        return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)

    length = struct.pack("<Q", len(record))
    return length + checksum(length) + record + checksum(record)


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_every_record_gets_its_length_and_checksums(records: list[bytes]) -> None:
    framed = frame_records(records)
    assert framed.to_pylist() == [_framed(record) for record in records]
    assert bytes(content(framed)) == b"".join(map(_framed, records))
    assert framed_bytes(records) == b"".join(map(_framed, records))


def test_the_content_of_a_slice_is_that_of_its_records() -> None:
    framed = frame_records([b"one", b"two", b"three"])
    assert bytes(content(framed.slice(1, 1))) == _framed(b"two")


@pytest.mark.parametrize("records", [[], [b""], [b"x" * 70_000, b"y"]])
def test_one_by_one_or_all_at_once_the_file_is_the_same(
    tmp_path: Path, records: list[bytes]
) -> None:
    one_by_one, at_once = str(tmp_path / "a"), str(tmp_path / "b")
    with TFRecordWriter(one_by_one, "") as writer:
        for record in records:
            writer.write(record)
    with TFRecordWriter(at_once, "") as writer:
        writer.write_all(records)
    assert Path(one_by_one).read_bytes() == Path(at_once).read_bytes()
    assert list(read_tfrecords(at_once, compression="")) == records
