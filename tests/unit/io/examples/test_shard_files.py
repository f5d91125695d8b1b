"""Writing shards: whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.io.examples.shard_files import shard_url, written_whole


def test_names_are_those_of_tfx():
    assert shard_url("out/", "eval", "data_parquet", 3, 12, "parquet") == (
        "out/Split-eval/data_parquet-00003-of-00012.parquet"
    )


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="disk full"):
        with written_whole(str(tmp_path / "folder" / "shard")) as path:
            Path(path).write_text("half")
            raise OSError("disk full")
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_second_attempt_replaces_the_first(tmp_path):
    url = tmp_path / "shard"
    for text in ("first", "second"):
        with written_whole(str(url)) as path:
            Path(path).write_text(text)
            assert not url.exists() or url.read_text() == "first"
    assert url.read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["shard"]


def test_an_attempt_that_is_given_up_leaves_nothing(tmp_path):
    def attempt():
        with written_whole(str(tmp_path / "shard")) as path:
            Path(path).write_text("half")
            yield

    bundle = attempt()
    next(bundle)
    bundle.close()
    assert list(tmp_path.iterdir()) == []
