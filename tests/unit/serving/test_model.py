import shutil

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf

from penstock.serving import ModelError, ServedModel, list_versions, load_model, push_model

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def served(model):
    return ServedModel(model)


def test_rows_come_back_as_rows(served):
    rows = [
        {"x": 1.5, "n": 3, "kind": "b", "tags": ["p", "q"]},
        {"x": 2, "kind": None},
    ]
    assert served.predict(rows) == [
        {"double": [3.0], "index": 2, "kind": "b", "n": 3, "tags": 2},
        {"double": [4.0], "index": -1, "kind": "none", "n": 7, "tags": 0},
    ]


def test_the_model_knows_what_it_reads(served):
    assert served.features == {"x": "float32", "n": "int64", "kind": "string", "tags": "string"}
    required = [name for name, each in served.signature.features.items() if each.required]
    assert required == ["x"]


def test_all_forms_of_rows_give_the_same(served):
    rows = [{"x": 1.5, "n": 3, "kind": "b", "tags": ["p", "q"]}, {"x": 2, "kind": None}]
    expected = served.predict(rows)
    frame = pd.DataFrame(rows)
    assert np.isnan(frame["n"][1])
    assert served.predict(frame) == expected
    assert served.predict(frame.astype({"kind": "category", "n": "Int64"})) == expected
    table = pa.Table.from_pylist(rows)
    assert served.predict(table) == expected
    assert served.predict(table.to_batches()[0]) == expected
    assert served.predict(iter(rows)) == expected
    assert served.predict(rows[0]) == expected[:1]


def test_no_rows_give_no_answers(served):
    assert served.predict([]) == served.predict(pd.DataFrame({"x": []})) == []
    assert served.predict(pa.table({"x": pa.array([], pa.string())})) == []


def test_more_rows_than_fit_into_one_call(served):
    answers = served.predict({"x": float(i)} for i in range(5000))
    assert [answer["double"][0] for answer in answers] == [2.0 * i for i in range(5000)]


def test_columns_that_the_model_does_not_read_are_passed_over_with_one_warning(model):
    served = ServedModel(model)
    rows = [{"x": 1.0}, {"x": 1.0, "kid": "a", "label": 3}]
    with pytest.warns(
        UserWarning, match="does not read 'kid', 'label'.*Did you mean 'kind'"
    ) as told:
        served.predict(rows)
    assert [each.filename for each in told] == [__file__]
    assert served.predict(rows)[1]["kind"] == "none"


def test_a_missing_feature_that_is_needed_is_named(served):
    message = (
        r"Row 1 has no value of 'x', which the model needs. It reads: kind \(string, optional\)"
    )
    with pytest.raises(ValueError, match=message):
        served.predict([{"x": 1.0}, {"kind": "a"}])
    with (
        pytest.warns(UserWarning, match="does not read 'X'"),
        pytest.raises(ValueError, match="Row 0 has no value of 'x', .* The row has 'X'"),
    ):
        served.predict({"X": 1.0})


def test_a_value_of_another_type_is_named(served):
    with pytest.raises(ValueError, match=r"reads 'x' as floats. Received in row 0: 'one' \(str\)"):
        served.predict([{"x": "one"}])


def test_the_features_are_those_of_the_signature_alone(tmp_path):
    """Optional features that the graph does not use, one signature in another's file, no features."""
    spec = {
        "unused": tf.io.VarLenFeature(tf.string),
        "text": tf.io.FixedLenFeature([], tf.string, default_value=""),
        "sequence": tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True),
        "ragged": tf.io.RaggedFeature(tf.int64),
        "pair": tf.io.FixedLenFeature([2], tf.int64),
    }
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples):
        row = tf.io.parse_example(examples, spec)
        return {
            "sum": tf.reduce_sum(row["pair"], axis=1),
            "length": tf.reduce_sum(row["sequence"], axis=1),
            "count": row["ragged"].row_lengths(),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def other(examples):
        return tf.io.parse_example(examples, {"label": tf.io.FixedLenFeature([1], tf.float32)})

    tf.saved_model.save(module, str(tmp_path), {"serving_default": serve, "other": other})
    served = load_model(str(tmp_path))
    assert served.features == {
        "ragged": "int64",
        "pair": "int64",
        "sequence": "float32",
        "text": "string",
        "unused": "string",
    }
    rows = [{"pair": [1, 2], "sequence": [0.5, 1.0], "ragged": [7]}, {"pair": np.array([3, 4])}]
    assert served.predict(rows) == [
        {"count": 1, "length": 1.5, "sum": 3},
        {"count": 0, "length": 0.0, "sum": 7},
    ]
    with pytest.raises(
        ValueError, match="reads 'pair' as 2 values per row. Received in row 0: 1 val"
    ):
        served.predict({"pair": 1})


def test_examples_that_are_parsed_one_by_one(tmp_path):
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples):
        spec = {"x": tf.io.FixedLenFeature([], tf.float32)}
        parse = lambda one: tf.io.parse_single_example(one, spec)["x"]  # noqa: E731
        return {"x": tf.map_fn(parse, examples, fn_output_signature=tf.float32)}

    tf.saved_model.save(module, str(tmp_path), {"serving_default": serve})
    assert load_model(str(tmp_path)).predict([{"x": 1}, {"x": 2}]) == [{"x": 1.0}, {"x": 2.0}]


def test_the_latest_or_a_chosen_version_is_loaded(model, tmp_path):
    for _ in range(2):
        push_model(model, str(tmp_path), versioning="next")
    assert load_model(str(tmp_path)).path.endswith("/2")
    assert load_model(str(tmp_path), version=1).path.endswith("/1")
    with pytest.raises(ValueError, match=r"has no version 3. Versions: \[1, 2\]"):
        load_model(str(tmp_path), version=3)


def test_versions_are_numbers_as_tensorflow_serving_reads_them(model, tmp_path):
    for name in ("0007", "²", "9" * 25, "v8", "6"):
        shutil.copytree(model, tmp_path / name)
    (tmp_path / "11").write_text("no folder")
    assert list_versions(str(tmp_path)) == [6, 7]
    assert load_model(str(tmp_path)).path.endswith("/0007")
    assert load_model(str(tmp_path), version=7).predict({"x": 1.0})[0]["double"] == [2.0]
    assert push_model(model, str(tmp_path), versioning="next").version == 12
    shutil.copytree(model, tmp_path / "7")
    assert load_model(str(tmp_path), version=7).path.endswith("/7")


def test_a_signature_must_exist(model):
    with pytest.raises(
        ValueError, match="no signature 'predict'. Signatures: halve, serving_default"
    ):
        ServedModel(model, "predict")


def test_a_signature_that_takes_tensors(model):
    served = ServedModel(model, "halve")
    assert served.predict([{"x": 3}, {"x": 4.0}]) == [{"half": 1.5}, {"half": 2.0}]
    assert served.predict(pd.DataFrame({"x": [3, 4]})) == [{"half": 1.5}, {"half": 2.0}]
    with pytest.raises(ValueError, match="Row 1 has no value of 'x', which the model needs"):
        served.predict([{"x": 1}, {}])


def test_a_model_of_keras_s_own_export(tmp_path):
    inputs = {
        "a": keras.Input((1,), name="a"),
        "ids": keras.Input((2,), dtype="int32", name="ids"),
    }
    summed = keras.ops.sum(keras.ops.cast(inputs["ids"], "float32"), axis=1, keepdims=True)
    keras.Model(inputs, inputs["a"] + summed).export(str(tmp_path), verbose=False)
    assert load_model(str(tmp_path)).predict([{"a": 0.5, "ids": [1, 2]}]) == [{"output_0": [3.5]}]


def test_a_model_of_raw_strings(tmp_path):
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def serve(text):
        return {"length": tf.strings.length(text)}

    tf.saved_model.save(module, str(tmp_path), {"serving_default": serve})
    assert load_model(str(tmp_path)).predict([{"text": "ab"}, {"text": ""}]) == [
        {"length": 2},
        {"length": 0},
    ]


def test_tensors_of_varying_size(tmp_path):
    module = tf.Module()
    one, two = tf.TensorSpec([None, None], name="x"), tf.TensorSpec([None, None, None], name="x")
    total = lambda x: {"sum": tf.reduce_sum(x, axis=list(range(1, x.shape.rank)))}  # noqa: E731
    signatures = {
        "serving_default": tf.function(total, input_signature=[one]),
        "matrix": tf.function(total, input_signature=[two]),
    }
    tf.saved_model.save(module, str(tmp_path), signatures)
    served = ServedModel(str(tmp_path))
    assert served.predict([{"x": [1, 2]}, {"x": [3, 4]}]) == [{"sum": 3.0}, {"sum": 7.0}]
    with pytest.raises(
        ValueError, match="all rows need the same number of values. .* 1 to 2 values"
    ):
        served.predict([{"x": [1, 2]}, {"x": 3}])
    with pytest.raises(ValueError, match="several of whose sizes may vary"):
        ServedModel(str(tmp_path), "matrix").predict({"x": [[1, 2]]})


def test_an_output_without_rows_is_named(tmp_path):
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def serve(x):
        return {"total": tf.reduce_sum(x)}

    tf.saved_model.save(module, str(tmp_path), {"serving_default": serve})
    with pytest.raises(ValueError, match=r"The output 'total' .* has the shape \[\] for 2 rows"):
        load_model(str(tmp_path)).predict([{"x": 1}, {"x": 2}])


def exported(function, specs, folder):
    module = tf.Module()
    signature = tf.function(function, input_signature=specs).get_concrete_function()
    tf.saved_model.save(module, str(folder), {"serving_default": signature})
    return str(folder)


def test_a_model_for_a_fixed_number_of_rows_is_asked_with_so_many(tmp_path):
    def pair(x):
        return {"double": tf.reshape(2 * x, [2, 1])}

    path = exported(pair, [tf.TensorSpec([2, 1], tf.float32, name="x")], tmp_path / "two")
    served = load_model(path)
    assert [row["double"] for row in served.predict([{"x": i} for i in range(5)])] == [
        [2.0 * i] for i in range(5)
    ]


def test_a_model_of_a_scalar_takes_no_rows(tmp_path):
    path = exported(lambda x: {"y": x}, [tf.TensorSpec([], tf.float32, name="x")], tmp_path / "one")
    with pytest.raises(ValueError, match="takes no rows: an input has no first size"):
        load_model(path)


def test_an_input_of_any_rank_takes_one_or_several_values(tmp_path):
    path = exported(lambda x: {"y": x}, [tf.TensorSpec(None, tf.float32, name="x")], tmp_path / "m")
    served = load_model(path)
    assert served.predict([{"x": 1}, {"x": 2}]) == [{"y": 1.0}, {"y": 2.0}]
    assert served.predict([{"x": [1, 2]}]) == [{"y": [1.0, 2.0]}]


def test_a_version_is_a_number_or_its_digits(model, tmp_path):
    pushed = push_model(model, tmp_path)
    assert load_model(tmp_path, version=str(pushed.version)).path == pushed.path
    with pytest.raises(ValueError, match="has no version 'latest'"):
        load_model(tmp_path, version="latest")


def test_what_was_never_pushed_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ModelError, match=f"No model at serving/x: there is no such folder, seen from {tmp_path}"
    ):
        load_model("serving/x")
    with pytest.raises(ModelError, match="no model in it.*not blessed is not pushed"):
        load_model(tmp_path)
