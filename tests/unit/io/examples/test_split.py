import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from penstock.artifacts import Examples
from penstock.io import (
    ExamplesSplit,
    ExamplesWriter,
    Rows,
    TFRecordWriter,
    joined_split,
    read_tfrecords,
)
from penstock.io.examples.messages import example_class, sequence_example_class

BATCH = pa.record_batch({"n": [[1], [2, 3], None], "s": [[b"a"], [], [b"c"]]})


def records_of(examples, split):
    return [
        record
        for file in ExamplesSplit.of(examples, split).files
        for record in read_tfrecords(file)
    ]


def written(folder, records, **formats):
    examples = Examples(str(folder), custom_properties={"span": 3, "version": 2, **formats})
    examples.splits = ["train"]
    (folder / "Split-train").mkdir(parents=True)
    with TFRecordWriter(str(folder / "Split-train/data_tfrecord-00000-of-00001.gz")) as writer:
        for record in records:
            writer.write(record)
    return examples


def odd_examples():
    """tf.Examples that decoding and encoding would change, each in its own way."""
    message = example_class()()
    message.features.feature["kindless"].SetInParent()
    message.features.feature["empty"].int64_list.SetInParent()
    message.features.feature["n"].int64_list.value.append(1)
    unsorted = b"".join(
        b"\x0a" + bytes([len(entry)]) + entry
        for entry in (b"\x0a\x01b\x12\x04\x1a\x02\x08\x05", b"\x0a\x01a\x12\x04\x1a\x02\x08\x07")
    )
    return [message.SerializeToString(), b"\x0a" + bytes([len(unsorted)]) + unsorted, b""]


def sequence_example():
    message = sequence_example_class()()
    message.context.feature["id"].int64_list.value.append(7)
    message.feature_lists.feature_list["words"].feature.add().bytes_list.value.append(b"a")
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("payload", "records"),
    [
        ("FORMAT_TF_EXAMPLE", odd_examples()),
        ("FORMAT_TF_SEQUENCE_EXAMPLE", [sequence_example(), b""]),
        ("FORMAT_PROTO", [b"\x00\xff raw", b"", b"x" * 70_000]),
    ],
)
def test_rows_that_are_kept_are_kept_byte_for_byte(tmp_path, payload, records):
    source = written(tmp_path / "source", records, payload_format=payload)
    target = Examples(str(tmp_path / "target"))
    with ExamplesWriter.like(source, target) as writer:
        for split in ExamplesSplit.all_of(source):
            for rows in split.rows(batch_size=2):
                writer.write_rows(split.name, rows)
    assert records_of(target, "train") == records
    assert target.payload_format == payload
    assert target.splits == ["train"]
    assert (target.custom_properties["span"], target.custom_properties["version"]) == (3, 2)


def test_rows_are_filtered_by_numpy_arrow_or_a_list(tmp_path):
    source = written(tmp_path / "source", [b"one", b"two", b"three"], payload_format="FORMAT_PROTO")
    (rows,) = ExamplesSplit.of(source, "train").rows()
    for keep in (np.array([True, False, True]), pa.array([True, None, True]), [True, False, True]):
        kept = rows.filter(keep)
        assert list(kept.records) == [b"one", b"three"]
        assert kept.batch.column(0).to_pylist() == [[b"one"], [b"three"]]
    with pytest.raises(
        ValueError, match=r"takes 3 booleans, one per row\. Received: 2 values of type bool"
    ):
        rows.filter([True, False])
    with pytest.raises(ValueError, match=r"Received: 3 values of type int64"):
        rows.filter(np.array([1, 0, 1]))


def test_parquet_keeps_nulls_and_empty_lists_apart(tmp_path):
    source = Examples(str(tmp_path / "source"), custom_properties={"file_format": "parquet"})
    source.splits = ["train"]
    with ExamplesWriter(source.uri, ["train"], file_format="parquet") as writer:
        writer.write("train", BATCH)
    target = Examples(str(tmp_path / "target"))
    with ExamplesWriter.like(source, target) as writer:
        for rows in ExamplesSplit.of(source, "train").rows():
            writer.write_rows("train", rows.filter([False, True, True]))
    (batch,) = ExamplesSplit.of(target, "train").batches()
    assert target.file_format == "parquet"
    assert batch.to_pydict() == {"n": [[2, 3], None], "s": [[], [b"c"]]}


def test_changed_columns_are_written_as_tf_examples(tmp_path):
    source = written(tmp_path / "source", odd_examples()[:1])
    target = Examples(str(tmp_path / "target"))
    with ExamplesWriter.like(source, target) as writer:
        for batch in ExamplesSplit.of(source, "train").batches():
            writer.write("train", batch.append_column("twice", pa.array([[2]])))
    (record,) = records_of(target, "train")
    features = example_class().FromString(record).features.feature
    assert list(features["twice"].int64_list.value) == [2]
    assert features["empty"].WhichOneof("kind") == "int64_list"


def test_columns_that_the_payload_cannot_be_made_of_are_refused(tmp_path):
    sequences = written(
        tmp_path / "sequences", [sequence_example()], payload_format="FORMAT_TF_SEQUENCE_EXAMPLE"
    )
    raw = written(tmp_path / "raw", [b"one"], payload_format="FORMAT_PROTO")
    batch = pa.record_batch({"n": [[1]]})
    with pytest.raises(ValueError, match=r"cannot be made from columns\. Write the rows"):
        with ExamplesWriter.like(sequences, Examples(str(tmp_path / "a"))) as writer:
            writer.write("train", batch)
    with pytest.raises(ValueError, match=r"one column 'raw_record' .* Received columns: n"):
        with ExamplesWriter.like(raw, Examples(str(tmp_path / "b"))) as writer:
            writer.write("train", batch)


def test_rows_that_got_lost_are_an_error(tmp_path):
    source = written(tmp_path / "source", [b"", b""])
    Path(source.uri, "row_counts.json").write_text(json.dumps({"train": 3}))
    split = ExamplesSplit.of(source, "train")
    with pytest.raises(
        RuntimeError, match=r"has 3 rows according to its row_counts.json, but 2 were read"
    ):
        list(split.rows())
    with pytest.raises(
        RuntimeError, match=r"has 3 rows according to its row_counts.json, but 2 were read"
    ):
        list(split.batches())


def test_splits_of_several_artifacts_are_read_as_one_if_their_formats_agree(tmp_path):
    one = ExamplesSplit("train", ["a"], row_count=2)
    both = joined_split([one, ExamplesSplit("train", ["b", "c"], row_count=3)])
    assert (list(both.files), both.row_count) == (["a", "b", "c"], 5)
    with pytest.raises(ValueError, match="same file and payload format"):
        joined_split([one, ExamplesSplit("train", ["b"], "parquet")])


def test_unknown_formats_are_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"file_format must be one of .* Received: file_format='orc'"
    ):
        ExamplesSplit("train", ["a"], "orc")
    with pytest.raises(ValueError, match="Received: payload_format='FORMAT_JSON'"):
        ExamplesSplit("train", ["a"], payload_format="FORMAT_JSON")
    with pytest.raises(ValueError, match="Evaluator reads records of FORMAT_TF_EXAMPLE"):
        ExamplesSplit("train", ["a"], payload_format="FORMAT_PROTO").with_payload(
            "FORMAT_TF_EXAMPLE", "Evaluator"
        )


@pytest.mark.parametrize("keep", [None, True, [[True]]])
def test_what_is_no_list_of_booleans_is_refused(keep):
    rows = Rows(pa.record_batch({"a": [[1]]}), ())
    with pytest.raises(ValueError, match="filter takes 1 booleans, one per row. Received: "):
        rows.filter(keep)
