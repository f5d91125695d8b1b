"""Which values a batch has for rows with none, too many or other ones: as `tf.io.parse_example` says."""

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.io import serialize_examples
from penstock.io.examples.reader import RecordDecoder
from penstock.training.input.decode import decode_columns
from penstock.training.input.feature_columns import feature_columns

PRESENT = "presence { min_fraction: 1 }"
SCHEMA = f"""
feature {{ name: "one" type: FLOAT {PRESENT} shape {{ dim {{ size: 1 }} }} }}
feature {{ name: "scalar" type: INT {PRESENT} shape {{ }} }}
feature {{ name: "square" type: INT {PRESENT} shape {{ dim {{ size: 2 }} dim {{ size: 2 }} }} }}
feature {{ name: "any" type: BYTES }}
feature {{ name: "numbers" type: FLOAT value_count {{ min: 1 max: 1 }} }}
feature {{ name: "lists" type: INT }}
feature {{ name: "maybe" type: INT }}
feature {{ name: "word" type: BYTES }}
feature {{ name: "old" type: INT deprecated: true }}
feature {{ name: "planned" type: INT lifecycle_stage: PLANNED }}
tensor_representation_group {{ key: "" value {{
  tensor_representation {{ key: "maybe" value {{ dense_tensor {{
    column_name: "maybe" shape {{ dim {{ size: 1 }} }} default_value {{ int_value: -1 }} }} }} }}
  tensor_representation {{ key: "word" value {{ dense_tensor {{
    column_name: "word" shape {{ dim {{ size: 2 }} }} default_value {{ bytes_value: "none" }} }} }} }}
  tensor_representation {{ key: "lists" value {{ ragged_tensor {{
    feature_path {{ step: "lists" }} }} }} }}
}} }}
"""
LISTS = {
    "one": ([[0.5], [1.5], [float("nan")]], pa.float32()),
    "scalar": ([[1], [2], [-3]], pa.int64()),
    "square": ([[1, 2, 3, 4], [5, 6, 7, 8], [0, 0, 0, 0]], pa.int64()),
    "any": ([[b"x", b""], None, []], pa.binary()),
    "numbers": ([None, [2.0], [3.0, 4.0]], pa.float32()),
    "lists": ([[1, 2], [], None], pa.int64()),
    "maybe": ([[7], None, [0]], pa.int64()),
    "word": ([None, [b"a", b"b"], None], pa.binary()),
}


def schema() -> schema_pb2.Schema:
    return text_format.Parse(SCHEMA, schema_pb2.Schema())


def batch(**changed) -> pa.RecordBatch:
    lists = {**LISTS, **changed}
    arrays = [pa.array(cells, pa.large_list(kind)) for cells, kind in lists.values()]
    return pa.RecordBatch.from_arrays(arrays, list(lists))


@pytest.mark.tensorflow
def test_values_are_those_that_tensorflow_parses():
    import tensorflow as tf

    from penstock.training import feature_spec

    forms, others = feature_columns(schema())
    spec = feature_spec(schema())
    assert sorted(forms) == sorted(spec)
    assert not others
    records = serialize_examples(batch(), missing="absent").to_pylist()
    parsed = tf.io.parse_example(records, spec)
    decoded = RecordDecoder("FORMAT_TF_EXAMPLE")(records, "file", 0)
    for rows in (batch(), decoded):
        columns, _ = decode_columns(rows, forms.values(), "file")
        for name, form in forms.items():
            expected = parsed[name]
            if not form.is_dense:
                if isinstance(expected, tf.SparseTensor):
                    expected = tf.RaggedTensor.from_sparse(expected)
                assert columns[name].to_list() == expected.to_list(), name
                continue
            assert columns[name].shape == expected.shape
            np.testing.assert_array_equal(columns[name], expected.numpy(), name)
            assert columns[name].dtype == expected.numpy().dtype


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"one": ([[1.0], None, [2.0]], pa.float32())}, "'one' has no values in row 1 of these"),
        (
            {"one": ([[1.0], [1.0, 2.0], []], pa.float32())},
            "'one' has 2 values in row 1 of these .2 such",
        ),
        ({"one": ([None] * 3, pa.float32())}, "'one' is missing in all 3 of these rows"),
        ({"scalar": ([[1.0]] * 3, pa.float32())}, "'scalar' holds float, but the schema says INT"),
        ({"maybe": ([[], [1], [2]], pa.int64())}, "'maybe' has no values in row 0"),
    ],
)
def test_rows_that_do_not_fit_are_refused(changed, said):
    forms, _ = feature_columns(schema())
    with pytest.raises(ValueError, match=f"some file, rows from 10: feature {said}"):
        decode_columns(batch(**changed), forms.values(), "some file, rows from 10")


def test_plain_columns_of_parquet_are_one_value_a_row():
    forms, _ = feature_columns(schema())
    rows = pa.record_batch(
        {
            "one": pa.array([0.5, 1.5], pa.float64()),
            "scalar": pa.array([True, False]),
            "maybe": pa.array([None, 3], pa.int32()),
            "any": pa.array(["x", None]).dictionary_encode(),
            "numbers": pa.nulls(2),
        }
    )
    wanted = [forms[name] for name in rows.schema.names]
    columns, _ = decode_columns(rows, wanted, "file")
    assert columns["one"].tolist() == [[0.5], [1.5]]
    assert columns["scalar"].tolist() == [1, 0]
    assert columns["maybe"].tolist() == [[-1], [3]]
    assert columns["any"].to_list() == [[b"x"], []]
    assert columns["numbers"].to_list() == [[], []]


def test_a_feature_of_several_dimensions_of_varying_length_has_no_form():
    text = """
    feature { name: "value" type: FLOAT }
    feature { name: "index" type: INT int_domain { min: 0 max: 9 } }
    feature { name: "flat" type: INT }
    feature { name: "length" type: INT }
    feature { name: "plain" type: INT }
    sparse_feature { name: "sparse" index_feature { name: "index" } value_feature { name: "value" } }
    tensor_representation_group { key: "" value {
      tensor_representation { key: "deep" value { ragged_tensor {
        feature_path { step: "flat" } partition { row_length: "length" } } } } } }
    """
    forms, others = feature_columns(text_format.Parse(text, schema_pb2.Schema()))
    assert sorted(forms) == ["plain"]
    assert others == {
        "sparse": "a sparse feature with indices of its own",
        "deep": "a ragged feature of several dimensions",
    }
