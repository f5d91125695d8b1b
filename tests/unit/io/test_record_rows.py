import pyarrow as pa
import pytest

from penstock.io.example_messages import example_class, sequence_example_class
from penstock.io.example_serialization import serialize_examples
from penstock.io.record_rows import read_record_rows
from penstock.io.tfrecord import TFRecordWriter


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
    with pytest.raises(ValueError, match="Feature 'a' is .* one type a column"):
        list(read_record_rows(files, "FORMAT_TF_EXAMPLE", unify_schema=True, batch_size=1))


def test_records_of_another_kind_can_be_left_out(tmp_path):
    path = str(tmp_path / "records.gz")
    examples = serialize_examples(pa.record_batch({"n": list(range(5))})).to_pylist()
    with TFRecordWriter(path) as writer:
        writer.write_all([*examples[:2], b"\xff not an Example", *examples[2:]])
    with pytest.raises(ValueError, match="cannot decode records 0 to 5 as FORMAT_TF_EXAMPLE"):
        list(read_record_rows([path], "FORMAT_TF_EXAMPLE"))
    for unify in (False, True):
        told = []
        rows = list(
            read_record_rows([path], "FORMAT_TF_EXAMPLE", unify_schema=unify, on_broken=told.append)
        )
        assert [record for part in rows for record in part.records] == examples
        assert [row.raw for row in told] == [b"\xff not an Example"]
        assert "records 2 to 2" in told[0].reason
