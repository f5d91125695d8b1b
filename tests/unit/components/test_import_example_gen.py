from pathlib import Path

import pytest

from penstock.components import CsvExampleGen, ImportExampleGen
from penstock.io import (
    Input,
    Output,
    Split,
    SplitConfig,
    read_record_batches,
    read_row_counts,
    split_files,
)
from penstock.io.examples.messages import sequence_example_class
from penstock.io.ingestion.broken_rows import read_quarantine
from penstock.io.ingestion.hash_split import bucket_of
from penstock.io.tfrecord.records import TFRecordWriter, read_tfrecords
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component

ROWS = "n,s,f\n" + "".join(f"{i},v{i % 3},{i / 4 if i % 5 else ''}\n" for i in range(200))


@pytest.fixture
def csv_examples(tmp_path):
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv/rows.csv").write_text(ROWS)
    return run_component(CsvExampleGen(input_base=str(tmp_path / "csv")), tmp_path / "one")[
        "examples"
    ]


def test_the_contract(csv_examples, tmp_path):
    config = Input([Split("all", "Split-*/*")])
    component = ImportExampleGen(input_base=csv_examples.uri, input_config=config)
    check_component(component, tmp_path / "work")


def test_imported_records_stay_in_their_splits(csv_examples, tmp_path):
    component = ImportExampleGen(
        input_base=csv_examples.uri,
        input_config=Input([Split("train", "Split-train/*"), Split("eval", "Split-eval/*")]),
    )
    imported = run_component(component, tmp_path / "two")["examples"]
    for split in ("train", "eval"):
        (ours,), (theirs,) = (split_files(e.uri, split) for e in (imported, csv_examples))
        assert Path(ours).read_bytes() == Path(theirs).read_bytes()


def test_the_same_records_are_hashed_into_the_same_splits(csv_examples, tmp_path):
    component = ImportExampleGen(
        input_base=csv_examples.uri, input_config=Input([Split("all", "Split-*/*")])
    )
    imported = run_component(component, tmp_path / "two")["examples"]
    assert read_row_counts(imported.uri) == read_row_counts(csv_examples.uri)
    for split in ("train", "eval"):
        (ours,), (theirs,) = (split_files(e.uri, split) for e in (imported, csv_examples))
        assert sorted(read_tfrecords(ours)) == sorted(read_tfrecords(theirs))


def test_raw_payloads_are_kept(tmp_path):
    (tmp_path / "raw").mkdir()
    records = [bytes([i]) * 5 for i in range(60)]
    with TFRecordWriter(str(tmp_path / "raw/records"), "") as writer:
        writer.write_all(records)
    component = ImportExampleGen(input_base=str(tmp_path / "raw"), payload_format="FORMAT_PROTO")
    imported = run_component(component, tmp_path / "root")["examples"]
    assert imported.custom_properties["payload_format"] == "FORMAT_PROTO"
    found = [
        r for split in imported.splits for r in read_tfrecords(*split_files(imported.uri, split))
    ]
    assert sorted(found) == records


def test_parquet_output(csv_examples, tmp_path):
    component = ImportExampleGen(
        input_base=csv_examples.uri,
        input_config=Input([Split("all", "Split-*/*")]),
        output_file_format="parquet",
    )
    imported = run_component(component, tmp_path / "two")["examples"]
    assert read_row_counts(imported.uri) == read_row_counts(csv_examples.uri)


def test_a_corrupt_file_fails_with_its_name(csv_examples, tmp_path):
    (shard,) = split_files(csv_examples.uri, "eval")
    content = Path(shard).read_bytes()
    with open(shard, "wb") as file:
        file.write(content[: len(content) // 2])
    component = ImportExampleGen(
        input_base=csv_examples.uri, input_config=Input([Split("all", "Split-eval/*")])
    )
    with pytest.raises(ComponentFailed, match=r"Split-eval/data_tfrecord.*ends in the middle"):
        run_component(component, tmp_path / "two")


def test_definitions_are_checked():
    with pytest.raises(ValueError, match="Received: payload_format='JSON'"):
        ImportExampleGen(input_base="x", payload_format="JSON")
    with pytest.raises(ValueError, match=r"Parquet output holds tf\.Examples only"):
        ImportExampleGen(
            input_base="x", payload_format="FORMAT_PROTO", output_file_format="parquet"
        )
    by_user = Output(SplitConfig([Split("train", hash_buckets=1)], "user"))
    with pytest.raises(ValueError, match="no features to partition by"):
        ImportExampleGen(input_base="x", payload_format="FORMAT_PROTO", output_config=by_user)


def test_sequence_examples(tmp_path):
    messages = []
    for number in range(60):
        message = sequence_example_class()()
        message.context.feature["id"].int64_list.value.append(number)
        words = message.feature_lists.feature_list["words"]
        for word in range(number % 3):
            words.feature.add().bytes_list.value.append(b"w%d" % word)
        messages.append(message)
    (tmp_path / "in").mkdir()
    with TFRecordWriter(str(tmp_path / "in/records.gz")) as writer:
        writer.write_all([message.SerializeToString() for message in messages])
    component = ImportExampleGen(
        input_base=str(tmp_path / "in"), payload_format="FORMAT_TF_SEQUENCE_EXAMPLE"
    )
    imported = run_component(component, tmp_path / "root")["examples"]
    assert imported.custom_properties["payload_format"] == "FORMAT_TF_SEQUENCE_EXAMPLE"
    expected = [message.SerializeToString(deterministic=True) for message in messages]
    buckets = bucket_of(expected, 3).tolist()
    for split, chosen in (("train", {0, 1}), ("eval", {2})):
        files = split_files(imported.uri, split)
        assert list(read_tfrecords(*files)) == [
            record for record, bucket in zip(expected, buckets, strict=True) if bucket in chosen
        ]
        rows = [
            row
            for batch in read_record_batches(files, payload_format="FORMAT_TF_SEQUENCE_EXAMPLE")
            for row in batch.to_pylist()
        ]
        for row in rows:
            (number,) = row["id"]
            words = [word for step in row["##SEQUENCE##"]["words"] for word in step]
            assert words == [b"w%d" % word for word in range(number % 3)]


def test_raw_payloads_are_read_back(tmp_path):
    (tmp_path / "raw").mkdir()
    with TFRecordWriter(str(tmp_path / "raw/records"), "") as writer:
        writer.write_all([b"a", b"", b"c"])
    component = ImportExampleGen(
        input_base=str(tmp_path / "raw"),
        payload_format="FORMAT_PROTO",
        output_config=Output(SplitConfig([Split("all", hash_buckets=1)])),
    )
    imported = run_component(component, tmp_path / "root")["examples"]
    (batch,) = read_record_batches(split_files(imported.uri, "all"), payload_format="FORMAT_PROTO")
    assert batch.to_pylist() == [{"raw_record": [r]} for r in (b"a", b"", b"c")]


def test_corrupt_records_are_quarantined(csv_examples, tmp_path):
    (tmp_path / "in").mkdir()
    records = list(read_tfrecords(*split_files(csv_examples.uri, "train")))
    with TFRecordWriter(str(tmp_path / "in/records"), "") as writer:
        writer.write_all(records)
    content = bytearray((tmp_path / "in/records").read_bytes())
    content[20] ^= 1
    (tmp_path / "in/records").write_bytes(content)
    with pytest.raises(ComponentFailed, match=r"in/records: corrupt record at offset 0"):
        run_component(ImportExampleGen(input_base=str(tmp_path / "in")), tmp_path / "one")
    component = ImportExampleGen(
        input_base=str(tmp_path / "in"), on_error="skip", output_file_format="parquet"
    )
    imported = run_component(component, tmp_path / "two")["examples"]
    assert sum(read_row_counts(imported.uri).values()) == len(records) - 1
    ((entry,)) = read_quarantine(imported.uri)
    assert (entry["file"], entry["offset"], entry["rows"]) == ("records", 0, 1)
    assert entry["raw"] == content[: 16 + len(records[0])]
