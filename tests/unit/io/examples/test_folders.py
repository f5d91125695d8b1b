import json
from pathlib import Path

import pyarrow as pa
import pytest

from penstock.io import (
    ExamplesWriter,
    Output,
    Split,
    SplitConfig,
    read_record_batches,
    read_row_counts,
    split_files,
    split_names,
)
from penstock.io.csv.reader import read_csv
from penstock.io.examples import reader as examples_reader
from penstock.io.ingestion.broken_rows import Quarantine, read_quarantine
from penstock.io.ingestion.write_examples import Rows, output_splits, write_examples
from penstock.io.tfrecord.records import TFRecordWriter

BATCH = pa.record_batch(
    {"n": [[1], [2, 3], None], "s": [[b"a"], [b"b"], [b"c"]], "x": [[0.5], [], [1.5]]}
)


def read(uri, split, **options):
    found = []
    for batch in read_record_batches(split_files(uri, split), **options):
        found += batch.select(sorted(batch.schema.names)).to_pylist()
    return found


@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "tfrecords", "parquet"])
def test_rows_come_back_in_every_format(tmp_path, file_format):
    uri = str(tmp_path)
    with ExamplesWriter(uri, ["train", "eval"], file_format=file_format, missing="absent") as out:
        out.write("train", BATCH)
        out.write("train", BATCH.slice(1, 1))
    assert read(uri, "train", file_format=file_format) == [
        *BATCH.to_pylist(),
        *BATCH.slice(1, 1).to_pylist(),
    ]
    assert read(uri, "eval", file_format=file_format) == []
    assert split_names(uri) == ["eval", "train"]
    assert read_row_counts(uri) == {"train": 4, "eval": 0}


def test_names_are_those_of_tfx(tmp_path):
    with ExamplesWriter(str(tmp_path), ["train"]) as out:
        out.write("train", BATCH)
    (shard,) = split_files(str(tmp_path), "train")
    assert shard.endswith("/Split-train/data_tfrecord-00000-of-00001.gz")


def test_equal_rows_give_equal_files(tmp_path):
    for name in ("a", "b"):
        with ExamplesWriter(str(tmp_path / name), ["train"]) as out:
            out.write("train", BATCH)
    a, b = (split_files(str(tmp_path / name), "train")[0] for name in ("a", "b"))
    assert Path(a).read_bytes() == Path(b).read_bytes()


def test_a_missing_cell_is_an_empty_typed_list(tmp_path):
    with ExamplesWriter(str(tmp_path), ["train"]) as out:
        out.write("train", BATCH)
    assert read(str(tmp_path), "train")[2]["n"] == []


def test_columns_are_selected_and_schemas_followed(tmp_path):
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    with ExamplesWriter(str(tmp_path), ["train"]) as out:
        out.write("train", BATCH)
    files = split_files(str(tmp_path), "train")
    (batch,) = read_record_batches(files, columns=["s"])
    assert batch.schema.names == ["s"]
    text = 'feature { name: "n" type: INT } feature { name: "new" type: FLOAT }'
    schema = text_format.Parse(text, schema_pb2.Schema())
    (batch,) = read_record_batches(files, schema=schema)
    assert batch.schema.names == ["n", "new"]
    assert batch["new"].null_count == 3


def test_other_payloads(tmp_path):
    path = str(tmp_path / "records.gz")
    with TFRecordWriter(path) as writer:
        writer.write_all([b"one", b"two"])
    (batch,) = read_record_batches([path], payload_format="FORMAT_PROTO")
    assert batch.to_pylist() == [{"raw_record": [b"one"]}, {"raw_record": [b"two"]}]
    with pytest.raises(ValueError, match=r"records\.gz: cannot decode records 0 to 1"):
        list(read_record_batches([path]))


def test_faults_are_named(tmp_path):
    (tmp_path / "Split-train").mkdir()
    with pytest.raises(FileNotFoundError, match=r"Split 'eval' has no files.*\['train'\]"):
        split_files(str(tmp_path), "eval")
    with pytest.raises(ValueError, match="Received: file_format='orc'"):
        list(read_record_batches([], file_format="orc"))
    with pytest.raises(ValueError, match="Received: split='test'"):
        ExamplesWriter(str(tmp_path), ["train"]).write("test", BATCH)
    with pytest.raises(ValueError, match="Received: num_shards=0"):
        ExamplesWriter(str(tmp_path), ["train"], num_shards=0)


def test_an_interrupted_write_leaves_no_readable_split(tmp_path):
    with pytest.raises(RuntimeError, match="stop"):
        with ExamplesWriter(str(tmp_path), ["train"]) as out:
            out.write("train", BATCH)
            raise RuntimeError("stop")
    assert read_row_counts(str(tmp_path)) is None
    with pytest.raises(FileNotFoundError, match="has no files"):
        read(str(tmp_path), "train")


def numbers_in(uri, split, file_format):
    return [
        [
            cell[0]
            for b in read_record_batches([f], file_format=file_format)
            for cell in b[0].to_pylist()
        ]
        for f in split_files(uri, split)
    ]


@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "parquet"])
def test_rows_are_dealt_to_a_given_number_of_shards(tmp_path, file_format):
    uri = str(tmp_path)
    with ExamplesWriter(uri, ["x"], file_format=file_format, num_shards=3) as out:
        out.write("x", pa.record_batch({"n": [[0], [1], [2], [3]]}))
        out.write("x", pa.record_batch({"n": [[4], [5]]}))
    assert numbers_in(uri, "x", file_format) == [[0, 3], [1, 4], [2, 5]]
    assert "-00002-of-00003" in split_files(uri, "x")[2]


@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "parquet"])
def test_a_full_shard_is_followed_by_another(tmp_path, file_format):
    uri = str(tmp_path)
    with ExamplesWriter(uri, ["x"], file_format=file_format, shard_bytes=100) as out:
        for first in range(0, 100, 20):
            out.write("x", pa.record_batch({"n": [[n] for n in range(first, first + 20)]}))
    found = numbers_in(uri, "x", file_format)
    assert len(found) > 1
    assert [n for shard in found for n in shard] == list(range(100))


@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "tfrecords", "parquet"])
def test_a_url_is_written_and_read(file_format):
    uri = f"memory://written/{file_format}"
    with ExamplesWriter(uri, ["x", "empty"], file_format=file_format) as out:
        out.write("x", pa.record_batch({"n": [[7], [8]]}))
    assert numbers_in(uri, "x", file_format) == [[7, 8]]
    assert read_row_counts(uri) == {"x": 2, "empty": 0}
    assert split_names(uri) == ["empty", "x"]


def test_write_examples_divides_every_row(tmp_path):
    batch = pa.record_batch({"n": list(range(1000))})
    output = Output(SplitConfig([Split("a", hash_buckets=1), Split("b", hash_buckets=3)]))
    counts = write_examples({"all": Rows.of_batches([batch, batch])}, output, str(tmp_path))
    assert sum(counts.values()) == 2000
    assert 400 < counts["a"] < 600
    assert json.loads((tmp_path / "row_counts.json").read_text()) == counts


def test_input_splits_are_kept_without_output_splits(tmp_path):
    rows = {"x": Rows.of_batches([BATCH]), "y": Rows.of_batches([BATCH, BATCH])}
    assert write_examples(rows, Output(), str(tmp_path)) == {"x": 3, "y": 6}
    with pytest.raises(ValueError, match="Hash buckets divide one input split"):
        output_splits(["x", "y"], Output(SplitConfig([Split("a", hash_buckets=1)])))


def test_no_row_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no row"):
        write_examples({"x": iter(())}, Output(), str(tmp_path))


def test_a_url_takes_the_quarantine_too(tmp_path):
    path = tmp_path / "d.csv"
    path.write_bytes(b"n\n1\n2,2\n3\n")
    uri = "memory://quarantined/1"
    with Quarantine(uri, str(tmp_path)) as quarantine:
        rows = {"x": Rows.of_batches(read_csv([str(path)], on_broken=quarantine))}
        assert write_examples(rows, Output(), uri, quarantine=quarantine) == {"x": 2}
    ((entry,)) = read_quarantine(uri)
    assert (entry["file"], entry["line"], entry["raw"]) == ("d.csv", 3, b"2,2\n")
    assert "d.csv, line 3: expected 1 cells" in quarantine.first[0]


def test_damage_to_parquet_shards_is_noticed(tmp_path):
    uri = str(tmp_path)
    with ExamplesWriter(uri, ["x"], file_format="parquet") as out:
        out.write("x", pa.record_batch({"s": [[str(n * 7919).encode()] for n in range(20_000)]}))
    (path,) = split_files(uri, "x")
    content = bytearray(Path(path).read_bytes())
    content[len(content) // 2] ^= 0xFF
    Path(path).write_bytes(content)
    with pytest.raises(ValueError, match="data_parquet-00000-of-00001.parquet: damaged Parquet"):
        numbers_in(uri, "x", "parquet")


@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "parquet"])
def test_large_rows_come_in_small_batches(tmp_path, monkeypatch, file_format):
    uri = str(tmp_path)
    with ExamplesWriter(uri, ["x"], file_format=file_format) as out:
        out.write("x", pa.record_batch({"s": [[b"%05d" % n * 2_000] for n in range(100)]}))
    monkeypatch.setattr(examples_reader, "BATCH_BYTES", 300_000)
    batches = list(read_record_batches(split_files(uri, "x"), file_format=file_format))
    assert 2 < len(batches) < 10
    assert [value for batch in batches for value in batch["s"].to_pylist()] == [
        [b"%05d" % n * 2_000] for n in range(100)
    ]


@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "parquet"])
def test_a_column_keeps_its_kind(tmp_path, file_format):
    ints = pa.record_batch({"a": pa.nulls(1, pa.list_(pa.int64())), "b": [[1]]})
    floats = pa.record_batch({"a": [[1.5]], "b": [[2]]})
    with (
        pytest.raises(ValueError, match="'a' of split 'x' holds floats here and integers in an"),
        ExamplesWriter(str(tmp_path), ["x"], file_format=file_format) as writer,
    ):
        writer.write("x", ints)
        writer.write("x", floats)
