import gzip
import hashlib
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.io.files.gzip_stream import BLOCK_BYTES, GzipStreamWriter
from penstock.io.tfrecord import records as tfrecord
from penstock.io.tfrecord.framing import frame_records
from penstock.io.tfrecord.records import TFRecordError, TFRecordWriter, read_tfrecords


def write(path, records, compression="GZIP"):
    with TFRecordWriter(str(path), compression) as writer:
        writer.write_all(records)
    return str(path)


@pytest.mark.parametrize("compression", ["GZIP", ""])
def test_records_come_back(tmp_path, compression):
    records = [b"", b"one", bytes(range(256)) * 3000, b"x" * (3 << 20), b"last"]
    path = write(tmp_path / "records", records, compression)
    assert list(read_tfrecords(path)) == records
    assert list(read_tfrecords(path, compression=compression)) == records


def test_the_bytes_are_those_of_the_format(tmp_path):
    # The example of a record in TensorFlow's documentation of the format, checksums by crc32c.
    path = write(tmp_path / "plain", [b"abc"], "")
    content = Path(path).read_bytes()
    assert content[:8] == struct.pack("<Q", 3)
    assert content[12:15] == b"abc"
    assert len(content) == 8 + 4 + 3 + 4
    crc = 0x364B3FB7  # crc32c of "abc", RFC 3720's polynomial
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert content[15:] == struct.pack("<I", masked)


def test_gzip_bytes_depend_on_the_content_alone(tmp_path, monkeypatch):
    records = [bytes([i % 251]) * 5000 for i in range(2000)]
    first = Path(write(tmp_path / "a.gz", records)).read_bytes()
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    second = Path(write(tmp_path / "b.gz", records)).read_bytes()
    assert first == second
    assert first[4:8] == b"\0\0\0\0"


@pytest.mark.parametrize(
    "size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES]
)
def test_gzip_stream_is_read_by_the_standard_library(tmp_path, size):
    content = bytes(i * 7 % 256 for i in range(256)) * (size // 256 + 1)
    path = tmp_path / "stream.gz"
    with GzipStreamWriter(str(path)) as out:
        out.write(content[: size // 2])
        out.write(content[size // 2 : size])
    assert gzip.decompress(path.read_bytes()) == content[:size]


def test_several_gzip_members_are_one_stream(tmp_path):
    one, two = write(tmp_path / "1", [b"a"]), write(tmp_path / "2", [b"b"])
    both = tmp_path / "both"
    both.write_bytes(Path(one).read_bytes() + Path(two).read_bytes())
    assert list(read_tfrecords(str(both))) == [b"a", b"b"]


@settings(deadline=None)
@given(cut=st.integers(min_value=1, max_value=200), compression=st.sampled_from(["GZIP", ""]))
def test_a_truncated_file_is_an_error(tmp_path_factory, cut, compression):
    path = tmp_path_factory.mktemp("cut") / "records"
    write(path, [b"first record", b"second record, longer than the first"], compression)
    content = path.read_bytes()
    kept = max(1, len(content) - cut)
    path.write_bytes(content[:kept])
    if compression == "" and kept == len(b"first record") + 16:
        # A cut between two records cannot be seen without compression.
        assert list(read_tfrecords(str(path), compression="")) == [b"first record"]
        return
    with pytest.raises(TFRecordError, match="trunc") as caught:
        list(read_tfrecords(str(path), compression=compression))
    assert str(path) in str(caught.value)
    assert "offset" in str(caught.value)


@pytest.mark.parametrize("place", [0, 5, 9, 12, 20, 31])
def test_a_changed_byte_is_an_error_with_the_offset(tmp_path, place):
    path = tmp_path / "records"
    write(path, [b"0123456789abcdef"] * 2, "")
    content = bytearray(path.read_bytes())
    content[32 + place] ^= 0x40
    path.write_bytes(bytes(content))
    with pytest.raises(TFRecordError, match="corrupt record at offset 32: the checksum"):
        list(read_tfrecords(str(path), compression=""))


def test_damaged_gzip_is_an_error(tmp_path):
    path = tmp_path / "records.gz"
    write(path, [bytes(range(256))] * 50)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(TFRecordError, match=r"records\.gz"):
        list(read_tfrecords(str(path)))


def test_an_unknown_compression_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Received: compression='ZLIB'"):
        TFRecordWriter(str(tmp_path / "x"), "ZLIB")


def test_urls_are_read(tmp_path):
    import fsspec

    path = write(tmp_path / "local.gz", [b"a", b"b"])
    with fsspec.open("memory://records/x.gz", "wb") as file:
        file.write(Path(path).read_bytes())
    assert list(read_tfrecords("memory://records/x.gz")) == [b"a", b"b"]


@pytest.mark.tensorflow
def test_tensorflow_reads_what_is_written(tmp_path):
    import tensorflow as tf

    records = [bytes([i % 251]) * (i % 7000) for i in range(2000)]
    path = write(tmp_path / "records.gz", records)
    assert list(tf.data.TFRecordDataset(path, "GZIP").as_numpy_iterator()) == records
    with tf.io.TFRecordWriter(str(tmp_path / "theirs.gz"), "GZIP") as writer:
        for record in records:
            writer.write(record)
    assert list(read_tfrecords(str(tmp_path / "theirs.gz"))) == records


def damaged(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)


RECORDS = [b"record %d" % i * 3 for i in range(9)]
SIZE = 16 + len(RECORDS[0])


@pytest.mark.parametrize("within", [0, 5, 9, 20, SIZE - 1])
def test_reading_goes_on_after_a_corrupt_record(tmp_path, within):
    path = tmp_path / "records"
    with TFRecordWriter(str(path), "") as writer:
        writer.write_all(RECORDS)
    whole = path.read_bytes()
    damaged(path, 4 * SIZE + within)
    told = []
    assert list(read_tfrecords(str(path), on_broken=told.append)) == RECORDS[:4] + RECORDS[5:]
    ((row,)) = told
    assert (row.file, row.offset) == (str(path), 4 * SIZE)
    assert row.raw == path.read_bytes()[4 * SIZE : 5 * SIZE] != whole[4 * SIZE : 5 * SIZE]
    assert "does not match" in row.reason
    with pytest.raises(TFRecordError, match=rf"corrupt record at offset {4 * SIZE}"):
        list(read_tfrecords(str(path)))


@pytest.mark.parametrize("compression", ["GZIP", ""])
def test_what_is_left_of_a_truncated_file_is_read(tmp_path, compression):
    path = tmp_path / "records"
    records = [hashlib.sha256(b"%d" % i).digest() for i in range(1000)]
    with TFRecordWriter(str(path), compression) as writer:
        writer.write_all(records)
    path.write_bytes(path.read_bytes()[:-5000])
    told = []
    found = list(read_tfrecords(str(path), on_broken=told.append))
    assert 500 < len(found) < 1000
    assert found == records[: len(found)]
    ((row,)) = told
    assert row.offset == 48 * len(found)
    assert "truncated" in row.reason


def test_a_file_of_another_kind_is_one_broken_row(tmp_path):
    path = tmp_path / "records"
    path.write_bytes(b"a,b\n1,2\n" * 1000 + bytes(100))
    told = []
    assert list(read_tfrecords(str(path), on_broken=told.append)) == []
    assert [(row.offset, row.raw) for row in told] == [(0, path.read_bytes())]


def test_the_search_for_the_next_record_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(tfrecord, "_LOST_BYTES", 3 << 20)
    path = tmp_path / "records"
    path.write_bytes(b"x" * (8 << 20))
    told = []
    assert list(read_tfrecords(str(path), on_broken=told.append)) == []
    ((row,)) = told
    assert 3 << 20 <= len(row.raw) < 5 << 20
    assert "The rest of the file was not read" in row.reason


def test_what_is_before_the_damage_of_a_gzip_file_is_read(tmp_path):
    whole = b"".join(framed(hashlib.sha256(b"%d" % number).digest()) for number in range(3000))
    deflate = zlib.compressobj(wbits=31)
    sound = deflate.compress(whole[:72_017]) + deflate.flush(zlib.Z_FULL_FLUSH)
    rest = deflate.compress(whole[72_017:]) + deflate.flush()
    path = tmp_path / "records.gz"
    reserved_block_type = b"\7"
    path.write_bytes(sound + reserved_block_type + rest[1:])
    told = []
    assert len(list(read_tfrecords(str(path), on_broken=told.append))) == 72_017 // 48
    ((row,)) = told
    assert (row.offset, len(row.raw)) == (72_017 // 48 * 48, 72_017 % 48)
    with pytest.raises(TFRecordError, match=rf"damaged compressed file, at offset {len(sound)} "):
        list(read_tfrecords(str(path)))


def test_what_follows_the_gzip_members(tmp_path):
    path = tmp_path / "records.gz"
    write(path, [b"one", b"two"])
    content = path.read_bytes()
    path.write_bytes(content + content + bytes(512))
    assert list(read_tfrecords(str(path))) == [b"one", b"two"] * 2
    path.write_bytes(content + b"rubbish")
    with pytest.raises(
        TFRecordError, match=rf"the data after offset {len(content)} is not compressed"
    ):
        list(read_tfrecords(str(path)))
    told = []
    assert list(read_tfrecords(str(path), on_broken=told.append)) == [b"one", b"two"]
    assert [(row.offset, row.raw) for row in told] == [(2 * 19, b"")]


def framed(record):
    return frame_records([record])[0].as_py()
