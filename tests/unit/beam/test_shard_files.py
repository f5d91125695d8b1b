"""Writing shards: whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.beam.shard_files import shard_url, write_atomically, write_record_shard
from penstock.io import read_tfrecords


def test_names_are_those_of_tfx():
    assert shard_url("out/", "eval", "data_parquet", 3, 12, "parquet") == (
        "out/Split-eval/data_parquet-00003-of-00012.parquet"
    )


def test_a_failed_write_leaves_nothing(tmp_path):
    def write(path: str) -> None:
        Path(path).write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(str(tmp_path / "folder" / "shard"), write)
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_second_attempt_replaces_the_first(tmp_path):
    url = str(tmp_path / "shard.gz")
    for records in ([b"first"], [b"one", b"two"]):
        write_atomically(url, lambda path, records=records: write_record_shard(path, records))
    assert list(read_tfrecords(url)) == [b"one", b"two"]
    assert [path.name for path in tmp_path.iterdir()] == ["shard.gz"]


def test_a_shard_without_rows_is_a_file(tmp_path):
    write_record_shard(str(tmp_path / "empty.gz"), [])
    assert list(read_tfrecords(str(tmp_path / "empty.gz"))) == []
