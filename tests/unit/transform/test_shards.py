"""Reading shards: in one process and in several, again from a spool, in blocks of bounded size."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.io import ExamplesSplit, ExamplesWriter, TFRecordWriter, split_files
from penstock.io.processes import shard_processes
from penstock.transform import shards as module
from penstock.transform.shards import SplitReader, shard_reader
from penstock.transform.spool import BatchSpool

pytestmark = pytest.mark.tensorflow

_SCHEMA = """
feature { name: "number" type: FLOAT }
feature { name: "word" type: BYTES }
feature { name: "never" type: INT }
"""


def features():
    from penstock.transform.features import RawFeatures

    return RawFeatures(text_format.Parse(_SCHEMA, schema_pb2.Schema()))


def write(folder: Path, **options) -> ExamplesSplit:
    random = np.random.default_rng(1)
    with ExamplesWriter(str(folder), ["train"], missing="absent", **options) as writer:
        for _ in range(6):
            numbers = random.normal(size=500)
            words = [f"word {word}" for word in random.integers(0, 900, size=500).tolist()]
            writer.write("train", pa.record_batch({"number": numbers, "word": words}))
    file_format = options.get("file_format", "tfrecords_gzip")
    return ExamplesSplit("train", split_files(str(folder), "train"), file_format)


@pytest.mark.parametrize("options", [{"shard_bytes": 20_000}, {}, {"file_format": "tfrecords"}])
def test_batches_are_the_same_from_any_number_of_processes(tmp_path: Path, options) -> None:
    shards = write(tmp_path, **options)
    assert len(shards.files) == (6 if "shard_bytes" in options else 1)
    alone = list(shard_reader(features(), 300)(shards))
    together = list(shard_reader(features(), 300, processes=2)(shards))
    assert sum(batch.num_rows for batch in alone) == 3000
    assert len(together) == len(alone) >= module.BLOCKS_WORTH_A_PROCESS
    for one, other in zip(together, alone, strict=True):
        assert one.schema.equals(features().arrow_schema)
        assert one.equals(other)


@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "parquet"])
@pytest.mark.parametrize("most_bytes", [None, 25_000, 0])
def test_second_pass_reads_what_the_first_kept_and_decodes_the_rest(
    tmp_path: Path, file_format: str, most_bytes: int | None
) -> None:
    shards = write(tmp_path, file_format=file_format)
    seen = []
    spool = BatchSpool(str(tmp_path / "spool.arrow"), most_bytes)
    reader = SplitReader(
        shards, shard_reader(features(), 300), lambda split, _: seen.append(split), spool
    )
    first = list(reader())
    assert spool.whole == (most_bytes is None)
    assert 0 < spool.batches < len(first) or most_bytes != 25_000
    for _ in range(2):
        again = list(reader())
        assert all(one.equals(other) for one, other in zip(again, first, strict=True))
    assert seen == ["train"] * len(first)
    assert reader.rows == 3000


def test_whole_spool_spares_the_files(tmp_path: Path) -> None:
    shards = write(tmp_path)
    spool = BatchSpool(str(tmp_path / "spool.arrow"))
    reader = SplitReader(shards, shard_reader(features(), 300), spool=spool)
    first = list(reader())
    for file in shards.files:
        Path(file).unlink()
    assert all(one.equals(other) for one, other in zip(reader(), first, strict=True))


def test_split_that_is_begun_has_each_batch_once(tmp_path: Path) -> None:
    shards = write(tmp_path)
    seen = []
    read = shard_reader(features(), 300, processes=2)
    reader = SplitReader(shards, read, lambda _, batch: seen.append(batch))
    reader.begin()
    assert seen == []
    batches = list(reader())
    assert sum(batch.num_rows for batch in batches) == reader.rows == 3000
    assert len(seen) == len(batches)


@pytest.mark.parametrize("begun_only", [True, False])
def test_reader_that_is_closed_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun_only: bool
) -> None:
    started = []
    start = shard_processes._start
    monkeypatch.setattr(shard_processes, "_start", lambda: started.append(start()) or started[-1])
    spool = BatchSpool(str(tmp_path / "spool.arrow"))
    read = shard_reader(features(), 300, processes=2)
    reader = SplitReader(write(tmp_path), read, spool=spool)
    reader.begin()
    batches = reader()  # kept, as the traceback of an error would keep it
    if not begun_only:
        next(batches)
    assert [process.poll() for process in started] == [None]
    reader.close()
    assert [process.poll() for process in started] == [-9]
    assert spool._file is None or spool._file.closed


def test_disk_that_is_full_costs_time_only(tmp_path: Path) -> None:
    shards = write(tmp_path)
    spool = BatchSpool("/dev/full", 1 << 30)
    reader = SplitReader(shards, shard_reader(features(), 300), spool=spool)
    assert [batch.num_rows for batch in reader()] == [batch.num_rows for batch in reader()]
    assert not spool.whole


def test_files_that_change_between_passes(tmp_path: Path) -> None:
    shards = write(tmp_path)
    reader = SplitReader(shards, shard_reader(features(), 300))
    list(reader())
    with TFRecordWriter(shards.files[0]) as writer:
        writer.write(b"")
    with pytest.raises(RuntimeError, match="had 3000 rows when it was first read and has 1 now"):
        list(reader())


def test_threads_do_not_share_a_decoder(tmp_path: Path) -> None:
    shards = write(tmp_path)
    expected = list(shard_reader(features(), 300)(shards))
    found: list[list[pa.RecordBatch]] = []

    def read() -> None:
        for _ in range(5):
            found.append(list(shard_reader(features(), 300)(shards)))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert all(batches == expected for batches in found)
