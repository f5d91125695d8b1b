import pickle

import pyarrow as pa
import pytest

from penstock.io.examples.messages import example_class, sequence_example_class
from penstock.io.examples.serialization import serialize_examples
from penstock.io.tfrecord.ingest import read_record_rows
from penstock.io.tfrecord.records import TFRecordWriter


def example(**features):
    message = example_class()()
    for name, value in features.items():
        feature = message.features.feature[name]
        if value is None:
            continue
        kind = {int: "int64_list", float: "float_list", bytes: "bytes_list"}[type(value)]
        getattr(feature, kind).value.append(value)
    return message


def write(path, records):
    with TFRecordWriter(str(path)) as writer:
        writer.write_all(records)
    return [str(path)]


def test_records_are_brought_into_canonical_form(tmp_path):
    messages = [example(b=1, a=b"x"), example(a=b"y", b=None), example(c=2.5)]
    shuffled = []
    for message in messages:
        # Entries of the map in descending order: not the deterministic serialization.
        names = sorted(message.features.feature, reverse=True)
        parts = b""
        for name in names:
            single = example_class()()
            single.features.feature[name].CopyFrom(message.features.feature[name])
            parts += single.SerializeToString()
        shuffled.append(parts)
    (rows,) = read_record_rows(write(tmp_path / "r", shuffled), "FORMAT_TF_EXAMPLE")
    assert list(rows.records) == [m.SerializeToString(deterministic=True) for m in messages]
    assert rows.batch.num_rows == 3


def test_sequence_examples_are_parsed(tmp_path):
    message = sequence_example_class()()
    message.context.feature["b"].int64_list.value.append(1)
    message.context.feature["a"].int64_list.value.append(2)
    (rows,) = read_record_rows(
        write(tmp_path / "r", [message.SerializeToString()]), "FORMAT_TF_SEQUENCE_EXAMPLE"
    )
    assert list(rows.records) == [message.SerializeToString(deterministic=True)]


def test_schemas_are_unified_over_batches(tmp_path):
    files = write(
        tmp_path / "r", [example(a=1).SerializeToString(), example(b=b"x").SerializeToString()]
    )
    batches = [
        rows.batch
        for rows in read_record_rows(files, "FORMAT_TF_EXAMPLE", unify_schema=True, batch_size=1)
    ]
    assert [batch.schema.names for batch in batches] == [["a", "b"]] * 2
    assert batches[0].to_pylist() == [{"a": [1], "b": None}]


def test_a_feature_that_changes_its_type_is_refused(tmp_path):
    files = write(
        tmp_path / "r", [example(a=1).SerializeToString(), example(a=b"x").SerializeToString()]
    )
    with pytest.raises(ValueError, match="Feature 'a' is .* one type per column"):
        list(read_record_rows(files, "FORMAT_TF_EXAMPLE", unify_schema=True, batch_size=1))


def test_records_of_another_kind_can_be_left_out(tmp_path):
    path = str(tmp_path / "records.gz")
    examples = serialize_examples(pa.record_batch({"n": list(range(5))})).to_pylist()
    with TFRecordWriter(path) as writer:
        writer.write_all([*examples[:2], b"\xff not an Example", *examples[2:]])
    place = sum(16 + len(record) for record in examples[:2]) + 12
    with pytest.raises(
        ValueError, match=rf"offset {place}: cannot decode record 2 as FORMAT_TF_EX"
    ):
        list(read_record_rows([path], "FORMAT_TF_EXAMPLE"))
    for unify in (False, True):
        told = []
        rows = list(
            read_record_rows([path], "FORMAT_TF_EXAMPLE", unify_schema=unify, on_broken=told.append)
        )
        assert [record for part in rows for record in part.records] == examples
        assert [row.raw for row in told] == [b"\xff not an Example"]
        assert "cannot decode record 2 as" in told[0].reason
        assert told[0].offset == place


def test_the_offset_of_a_record_behind_a_corrupt_one(tmp_path):
    examples = serialize_examples(pa.record_batch({"n": list(range(5))})).to_pylist()
    with TFRecordWriter(str(tmp_path / "r"), "") as writer:
        writer.write_all([*examples[:3], b"\xff\xff", *examples[3:]])
    content = bytearray((tmp_path / "r").read_bytes())
    content[20] ^= 1
    (tmp_path / "r").write_bytes(content)
    told = []
    (rows,) = read_record_rows([str(tmp_path / "r")], "FORMAT_TF_EXAMPLE", on_broken=told.append)
    assert list(rows.records) == [*examples[1:3], *examples[3:]]
    assert [row.offset for row in told] == [0, content.find(b"\xff\xff")]


def test_a_feature_may_change_its_type_where_rows_stay_records(tmp_path):
    messages = [example(a=1, b=n) for n in range(7)]
    messages += [example(a=b"x", b=8), example(a=None), example(a=2, c=b"y")]
    records = [message.SerializeToString(deterministic=True) for message in messages]
    files = write(tmp_path / "r", records)
    for on_broken in (None, [].append):
        for batch_size in (3, 100):
            blocks = read_record_rows(
                files, "FORMAT_TF_EXAMPLE", batch_size=batch_size, on_broken=on_broken
            )
            blocks = list(blocks)
            assert [record for block in blocks for record in block.records] == records
            found = [row for block in blocks for row in block.batch.to_pylist()]
            assert [row.get("b") for row in found] == [*[[n] for n in range(7)], [8], None, None]
            assert [row.get("c") for row in found[-1:]] == [[b"y"]]
    assert blocks[0].batch.schema.names == ["b", "c"]


def test_examples_without_features_are_rows(tmp_path):
    files = write(tmp_path / "r", [b""] * 3)
    (rows,) = read_record_rows(files, "FORMAT_TF_EXAMPLE")
    assert (rows.batch.num_rows, list(rows.records)) == (3, [b""] * 3)


@pytest.mark.parametrize("payload_format", ["FORMAT_TF_EXAMPLE", "FORMAT_PROTO"])
def test_rows_are_the_same_for_every_way_of_reading(tmp_path, payload_format):
    examples = serialize_examples(pa.record_batch({"n": list(range(250))})).to_pylist()
    files = [*write(tmp_path / "1", examples[:120]), *write(tmp_path / "2", examples[120:])]
    strict = read_record_rows(files, payload_format, batch_size=50)
    lenient = read_record_rows(files, payload_format, batch_size=50, on_broken=[].append)
    assert [len(block.records) for block in strict] == [50, 50, 20, 50, 50, 30]
    for ours, theirs in zip(strict, lenient, strict=True):
        assert ours.records == theirs.records
        assert ours.batch.equals(theirs.batch)
    to_rows, blocks = strict.read()
    elsewhere = pickle.loads(pickle.dumps(to_rows))
    found = [elsewhere(block).records for block in pickle.loads(pickle.dumps(list(blocks)))]
    assert found == [block.records for block in strict]
