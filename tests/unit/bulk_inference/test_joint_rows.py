"""Parquet of records: one parse for predictions and features, and rows that differ from the first ones."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.bulk_inference import (
    InferencePlan,
    OutputColumnsSpec,
    OutputExampleSpec,
    PredictOutput,
    PredictOutputCol,
    infer,
)
from penstock.bulk_inference import joint_rows as module
from penstock.bulk_inference.joint_rows import count_features
from penstock.io import ExamplesSplit, TFRecordWriter, serialize_examples
from penstock.serving.serialized_examples import SerializedExamples

pytestmark = pytest.mark.tensorflow
HALF = OutputExampleSpec(
    [OutputColumnsSpec(predict_output=PredictOutput([PredictOutputCol("half", "y")]))]
)


def example(**features) -> bytes:
    arrays = []
    for values in features.values():
        kind = {int: pa.int64(), float: pa.float32(), bytes: pa.binary()}[type(values[0])]
        arrays.append(pa.array([values], pa.large_list(kind)))
    batch = pa.RecordBatch.from_arrays(arrays, list(features))
    return serialize_examples(batch).to_pylist()[0]


def inferred(model, folder, records, batch_size=4):
    """Return the table of what is inferred, and how many rows were answered from one parse."""
    path = folder / "rows.gz"
    with TFRecordWriter(str(path), "GZIP") as writer:
        writer.write_all(records)
    plan = InferencePlan(model, output=HALF, file_format="parquet", batch_size=batch_size)
    infer([ExamplesSplit("eval", [str(path)])], plan, str(folder / "out"))
    return pq.read_table(folder / "out" / "Split-eval")


@pytest.fixture
def answered(monkeypatch):
    """The rows of each batch that were answered from one parse; threads answer in any order."""
    rows = []
    original = module.JointRows.__call__

    def counted(self, records, first_row):
        found = original(self, records, first_row)
        rows.append(len(records) if found is not None else 0)
        return found

    monkeypatch.setattr(module.JointRows, "__call__", counted)
    return rows


def test_rows_come_with_all_features_and_predictions(model, tmp_path, answered):
    records = [
        example(x=[float(i)], id=[i, i + 1], **({"name": [b"n%d" % i]} if i % 3 else {}))
        for i in range(10)
    ]
    table = inferred(model, tmp_path, records)
    assert sorted(answered) == [2, 4, 4]
    assert table["x"].to_pylist() == [[float(i)] for i in range(10)]
    assert table["id"].to_pylist() == [[i, i + 1] for i in range(10)]
    assert table["name"].to_pylist() == [[b"n%d" % i] if i % 3 else None for i in range(10)]
    assert table["y"].to_pylist() == [[i / 2] for i in range(10)]


@pytest.mark.parametrize(
    "late", [{"rare": [7]}, {"size": [2]}], ids=["a new feature", "a first value"]
)
def test_what_only_late_rows_have_is_not_lost(model, tmp_path, answered, late):
    records = [example(x=[float(i)], size=[1])[:] for i in range(9)]
    if "size" in late:
        records = [example(x=[float(i)]) for i in range(9)]
    records.append(example(x=[9.0], **late))
    table = inferred(model, tmp_path, records)
    (name,) = late
    assert table[name].to_pylist()[-1] == late[name]
    assert table["y"].to_pylist() == [[i / 2] for i in range(10)]
    # Batches of the first try, then all of them.
    assert len(answered) == 3 + 3


def test_an_empty_list_stays_one(model, tmp_path, answered):
    records = [example(x=[float(i)], id=[i]) for i in range(4)]
    empty = pa.RecordBatch.from_arrays(
        [
            pa.array([[4.0]], pa.large_list(pa.float32())),
            pa.array([[]], pa.large_list(pa.int64())),
        ],
        ["x", "id"],
    )
    records += serialize_examples(empty).to_pylist()
    table = inferred(model, tmp_path, records)
    assert sorted(answered) == [1, 4]
    assert table["id"].to_pylist() == [[0], [1], [2], [3], []]


def test_a_feature_of_two_types_is_named(model, tmp_path):
    records = [example(x=[float(i)], id=[i]) for i in range(4)] + [example(x=[4.0], id=[b"four"])]
    with pytest.raises(ValueError, match=r"'id' is .*int64.* in some rows"):
        inferred(model, tmp_path, records)


def test_features_are_counted_in_any_record():
    from tensorflow.train import Example

    long = Example()
    long.features.feature["text"].bytes_list.value.append(b"t" * 40_000)
    long.features.feature["n"].int64_list.value.append(1)
    many = Example()
    for i in range(300):
        many.features.feature[f"f{i}"].int64_list.value.append(i)
    one = Example()
    one.features.feature["a"].float_list.value.append(1.0)
    unset = Example()
    unset.features.feature["a"].float_list.value.append(1.0)
    unset.features.feature["b"].SetInParent()
    unset.features.feature["c"].bytes_list.value.append(b"")
    empty = Example()
    empty.features.feature["a"].int64_list.SetInParent()
    raw = [each.SerializeToString() for each in (long, many, one, unset, empty)]
    odd = [b"", b"\n\0", raw[2] + raw[2], b"no example", b"\x12\x01a"]
    found, empty = count_features(SerializedExamples([*raw, *odd]))
    np.testing.assert_array_equal(found, [2, 300, 1, 2, 0, 0, 0, -1, -1, -1])
    np.testing.assert_array_equal(empty[:7], [0, 0, 0, 0, 1, 0, 0])
