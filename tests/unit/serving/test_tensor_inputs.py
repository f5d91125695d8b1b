"""Models whose signature takes features by name, on examples as ingestion writes them."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from penstock.evaluation.examples import ExampleBatch
from penstock.evaluation.models.signature_model import SignatureModel
from penstock.serving.tensor_inputs import feature_tensors

pytestmark = pytest.mark.tensorflow


def example(**features):
    made = tf.train.Example()
    for name, values in features.items():
        feature = made.features.feature[name]
        if values and isinstance(values[0], bytes):
            feature.bytes_list.value.extend(values)
        elif values and isinstance(values[0], float):
            feature.float_list.value.extend(values)
        else:
            feature.int64_list.value.extend(values)
    return made.SerializeToString()


def tensors(examples, first_row=0, **specs):
    inputs = {name: tf.TensorSpec(shape, dtype) for name, (shape, dtype) in specs.items()}
    found = feature_tensors(inputs, examples, first_row)
    return {name: value.numpy().tolist() for name, value in found.items()}


def test_integers_are_taken_where_the_model_reads_floats():
    rows = [example(age=[3], city=[b"x"]), example(age=[4], city=[b"y"])]
    found = tensors(rows, age=([None, 1], tf.float32), city=([None], tf.string))
    assert found == {"age": [[3.0], [4.0]], "city": [b"x", b"y"]}
    assert tensors([example(n=[2.0])], n=([None], tf.int32)) == {"n": [2]}
    assert tensors([example(n=[1, 2, 3])], n=([None, None], tf.float32)) == {"n": [[1.0, 2.0, 3.0]]}


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"age": []}, "reads 'age' as 1 value a row. Received in row 41: 0"),
        ({"age": [1, 2]}, "reads 'age' as 1 value a row. Received in row 41: 2"),
    ],
)
def test_a_row_with_another_number_of_values_is_named(second, message):
    with pytest.raises(ValueError, match=message):
        tensors([example(age=[1]), example(**second)], 40, age=([None, 1], tf.float32))


def test_other_types_and_missing_features_are_named():
    with pytest.raises(ValueError, match="'city' as string. The examples have numbers"):
        tensors([example(city=[1])], city=([None], tf.string))
    with pytest.raises(ValueError, match="reads 'city', which the examples .* Features: age"):
        tensors([example(age=[1])], city=([None], tf.string))
    with pytest.raises(ValueError, match="'n' as int32. Received in row 1: 1.5"):
        tensors([example(n=[1.0]), example(n=[1.5])], n=([None], tf.int32))
    with pytest.raises(ValueError, match="'n' as uint8. Received in row 0: 300"):
        tensors([example(n=[300])], n=([None], tf.uint8))


def signature_model(function, spec, folder):
    signature = tf.function(function, input_signature=[spec]).get_concrete_function()
    tf.saved_model.save(tf.Module(), str(folder), {"serving_default": signature})
    return SignatureModel(str(folder))


def test_a_model_for_one_row_is_called_row_by_row(tmp_path):
    def one(examples):
        x = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], tf.float32)})["x"]
        return {"y": tf.reshape(x, [1, 1])}

    model = signature_model(one, tf.TensorSpec([1], tf.string, name="examples"), tmp_path / "one")
    found = model.call("serving_default", [example(x=[float(i)]) for i in range(3)])
    assert found["y"].tolist() == [[0.0], [1.0], [2.0]]
    with pytest.raises(ValueError, match="failed on the examples 8 to 8: .*Feature: x .*required"):
        model.call("serving_default", [example(x=[1.0]), example(z=[1.0])], first_row=7)


def test_a_sparse_output_is_a_list_a_row(tmp_path):
    def parsed(examples):
        return tf.io.parse_example(examples, {"x": tf.io.VarLenFeature(tf.int64)})

    model = signature_model(parsed, tf.TensorSpec([None], tf.string, name="e"), tmp_path / "sparse")
    found = model.call("serving_default", [example(x=[1, 2]), example(), example(x=[3])])
    assert [row.tolist() for row in found["x"]] == [[1, 2], [], [3]]
    empty = pa.RecordBatch.from_arrays([pa.array([[1], [1], [1]])], ["z"])
    batch = ExampleBatch([b""] * 3, empty, 0).with_features(found)
    assert batch.columns.column(1).to_pylist() == [[1, 2], [], [3]]


def batch_of(**columns):
    arrays = [pa.array(values) for values in columns.values()]
    batch = pa.RecordBatch.from_arrays(arrays, list(columns))
    return ExampleBatch([b""] * batch.num_rows, batch, 5)


def test_a_missing_weight_is_one_and_others_are_refused():
    assert batch_of(w=[[2.0], None, []]).weights("w").tolist() == [2.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="'w' has 2 values in row 6; 1 was expected"):
        batch_of(w=[[2.0], [1.0, 2.0]]).weights("w")
    with pytest.raises(ValueError, match="'w' must be a number. Received: b'1'"):
        batch_of(w=[[b"1"]]).weights("w")


def test_predictions_have_a_row_an_example():
    from penstock.evaluation.kernels.sums import View
    from penstock.evaluation.models.evaluated_model import BatchInputs

    spec = SimpleNamespace(
        name="",
        label_key="y",
        label_keys={},
        example_weight_key="",
        example_weight_keys={},
        prediction_key="",
        prediction_keys={},
    )
    model = SimpleNamespace(
        spec=spec,
        model=SimpleNamespace(path="m"),
        with_features=lambda batch, _: batch,
        prediction_key=lambda output: "",
    )
    inputs = BatchInputs([model], batch_of(y=[[1], [0]]), {"": {"o": np.array([0.5])}})
    with pytest.raises(ValueError, match=r"shape \[1\] for 2 examples"):
        inputs.get(View())
