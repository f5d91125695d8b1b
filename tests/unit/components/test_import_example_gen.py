from pathlib import Path

import pytest

from penstock.components import CsvExampleGen, ImportExampleGen
from penstock.io import Input, Split, read_row_counts, split_files
from penstock.io.tfrecord import TFRecordWriter, read_tfrecords
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
