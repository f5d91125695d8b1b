"""Analyzers of each column of a sparse feature, where some columns never have a value."""

from __future__ import annotations

import math

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.io import read_record_batches, split_files
from penstock.transform import AnalysisElsewhere

pytestmark = pytest.mark.tensorflow

REDUCTIONS = ("min", "max", "sum", "size", "mean", "var")
ROWS = {"i": [[0, 2], [2], []], "v": [[3, -7], [1], []]}
LARGEST = 2**63 - 1
NAN = math.nan


def sparse_schema(kind: str) -> schema_pb2.Schema:
    """`x` has 4 columns: its values lie in `v`, their columns in `i`."""
    return text_format.Parse(
        f"""
        feature {{ name: "i" type: INT }}
        feature {{ name: "v" type: {kind} }}
        tensor_representation_group {{
          key: ""
          value {{ tensor_representation {{ key: "x" value {{ sparse_tensor {{
            index_column_names: "i" value_column_name: "v" dense_shape {{ dim {{ size: 4 }} }}
          }} }} }} }}
        }}""",
        schema_pb2.Schema(),
    )


def columns_apart(inputs):
    """Every reduction of each column, repeated for every row."""
    import tensorflow as tf
    import tensorflow_transform as tft

    rows = tf.cast(inputs["x"].dense_shape[0], tf.int32)
    return {
        name: tf.tile(
            tf.reshape(getattr(tft, name)(inputs["x"], reduce_instance_dims=False), [1, 4]),
            [rows, 1],
        )
        for name in REDUCTIONS
    }


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [("INT", LARGEST, -LARGEST), ("FLOAT", NAN, NAN)],
)
def test_column_that_never_has_a_value(data_set, run, tmp_path, kind, least, most):
    data = data_set({"i": "INT?", "v": f"{kind}?"}, train=ROWS)
    data.schema.CopyFrom(sparse_schema(kind))
    run(data, columns_apart, batch_size=1)
    (batch,) = read_record_batches(split_files(str(tmp_path / "out/examples"), "train"))
    found = {name: batch.column(name).to_pylist()[0] for name in REDUCTIONS}
    expected = {
        "min": [3, least, -7, least],
        "max": [3, most, 1, most],
        "sum": [3, 0, -6, 0],
        "size": [1, 0, 2, 0],
        "mean": [3, NAN, -3, NAN],
        "var": [0, NAN, 16, NAN],
    }
    assert found == {name: pytest.approx(row, nan_ok=True) for name, row in expected.items()}


@pytest.mark.parametrize("engine", ["local", pytest.param("beam", marks=pytest.mark.slow)])
def test_three_dimensions(data_set, run, tmp_path, engine):
    import tensorflow_transform as tft

    cells = {"i": [[0], [1, 1]], "j": [[2], [0, 2]], "v": [["a"], ["b", "a"]]}
    data = data_set({"i": "INT?", "j": "INT?", "v": "BYTES?"}, train=cells)
    data.schema.CopyFrom(sparse_schema("BYTES"))
    data.schema.feature.add(name="j", type=schema_pb2.INT)
    (representation,) = data.schema.tensor_representation_group[""].tensor_representation.values()
    representation.sparse_tensor.index_column_names.append("j")
    representation.sparse_tensor.dense_shape.dim.add(size=3)

    def fn(inputs):
        assert inputs["x"].shape.rank == 3
        index = tft.compute_and_apply_vocabulary(
            inputs["x"], vocab_filename="words", file_format="tfrecord_gzip"
        )
        tft.vocabulary(
            inputs["x"], vocab_filename="counts", file_format="tfrecord_gzip", store_frequency=True
        )
        return {"index": index}

    run(data, fn, elsewhere=AnalysisElsewhere(always=engine == "beam"))
    (batch,) = read_record_batches(split_files(str(tmp_path / "out/examples"), "train"))
    assert batch.column("index$sparse_values").to_pylist() == [[0], [1, 0]]
    assert batch.column("index$sparse_indices_0").to_pylist() == [[0], [1, 1]]
    assert batch.column("index$sparse_indices_1").to_pylist() == [[2], [0, 2]]
    output = tft.TFTransformOutput(str(tmp_path / "out/graph"))
    assert output.vocabulary_by_name("counts") == [b"2 a", b"1 b"]
