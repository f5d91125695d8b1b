"""A row that is asked gives the model what the same row, ingested, gave to training."""

import datetime
import decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from penstock.io import read_csv, read_parquet, serialize_examples
from penstock.serving.feature_values import feature_lists
from penstock.serving.rows import rows_of
from penstock.serving.signature import FeatureInput

pytestmark = pytest.mark.tensorflow


def parsed(serialized, kinds):
    spec = {name: tf.io.VarLenFeature(kind) for name, kind in kinds.items()}
    sparse = tf.io.parse_example(tf.constant(serialized, tf.string), spec)
    return {name: tf.RaggedTensor.from_sparse(value).to_list() for name, value in sparse.items()}


def asked(data, kinds):
    rows = rows_of(data)
    columns = {
        name: feature_lists(name, rows.columns[name], FeatureInput(kind.name, None, required=False))
        for name, kind in kinds.items()
    }
    batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    return parsed(serialize_examples(batch, missing="absent").to_pylist(), kinds)


def ingested(batches, kinds):
    return parsed(
        [row for batch in batches for row in serialize_examples(batch).to_pylist()], kinds
    )


CSV = '''whole,real,text,word
1,0.1,a b,x
,,,
-3,2,"c, d",ü
9007199254740993,1e-3,"say ""hi""",
'''
CSV_KINDS = {"whole": tf.int64, "real": tf.float32, "text": tf.string, "word": tf.string}


def test_a_csv_read_by_pandas(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(CSV)
    expected = ingested(read_csv([str(path)]), CSV_KINDS)
    assert expected["whole"][3] == [9007199254740993]
    assert asked(pd.read_csv(path, dtype={"whole": "Int64"}), CSV_KINDS) == expected
    rows = [
        {"whole": 1, "real": 0.1, "text": "a b", "word": "x"},
        {},
        {"whole": -3, "real": 2, "text": "c, d", "word": "ü"},
        {"whole": 9007199254740993, "real": 1e-3, "text": 'say "hi"', "word": None},
    ]
    assert asked(rows, CSV_KINDS) == expected
    # Without the type pandas makes floats of the whole numbers, which are exact up to 2**53.
    assert asked(pd.read_csv(path), CSV_KINDS)["whole"][:3] == expected["whole"][:3]


MOMENT = datetime.datetime(2026, 1, 31, 12, 30, 0, 250, datetime.UTC)
VALUES = {
    "flag": ([True, None, False], pa.bool_(), tf.int64),
    "small": ([1, None, 255], pa.uint8(), tf.int64),
    "half": ([0.5, None, 2.0], pa.float16(), tf.float32),
    "price": ([decimal.Decimal("1.10"), None, decimal.Decimal("2.00")], None, tf.float32),
    "day": ([MOMENT.date(), None, MOMENT.date()], None, tf.string),
    "time": ([MOMENT.time(), None, MOMENT.time()], None, tf.string),
    "moment": ([MOMENT, None, MOMENT], None, tf.string),
    "raw": ([b"\xff", None, b""], None, tf.string),
    "tags": ([["a", "b"], None, []], None, tf.string),
    "counts": ([[1, 2], [], [3]], pa.list_(pa.int16()), tf.int64),
    "nothing": ([None, None, None], None, tf.string),
}
KINDS = {name: kind for name, (_, _, kind) in VALUES.items()}


@pytest.fixture(scope="module")
def table():
    table = pa.table({name: pa.array(v, t) for name, (v, t, _) in VALUES.items()})
    return table.append_column("kind", pa.array(["p", None, "q"]).dictionary_encode())


def test_a_parquet_file_as_table_frame_and_dicts(table, tmp_path):
    kinds = {**KINDS, "kind": tf.string}
    pq.write_table(table, tmp_path / "data.parquet")
    expected = ingested(read_parquet([str(tmp_path / "data.parquet")]), kinds)
    assert expected["moment"][0] == [b"2026-01-31T12:30:00.000250Z"]
    assert asked(table, kinds) == expected
    assert asked(table.to_batches()[0], kinds) == expected
    assert asked(table.to_pylist(), kinds) == expected
    frame = table.to_pandas(timestamp_as_object=True)
    assert asked(frame, kinds) == expected
