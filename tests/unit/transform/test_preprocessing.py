"""What a user sees of a `preprocessing_fn` that does not fit."""

from __future__ import annotations

import traceback

import pytest

from penstock.transform import Observers

pytestmark = pytest.mark.tensorflow


def message_of(run, data, fn, **kwargs) -> str:
    with pytest.raises(Exception) as failure:  # noqa: PT011
        run(data, fn, **kwargs)
    return "".join(traceback.format_exception(failure.value))


@pytest.fixture
def data(data_set):
    return data_set({"age": "FLOAT", "name": "BYTES?"}, train={"age": [1.0], "name": ["a"]})


def test_exception_of_the_users_code_passes_with_the_features(run, data):
    def fn(inputs):
        raise ZeroDivisionError("by the user")

    message = message_of(run, data, fn)
    assert 'raise ZeroDivisionError("by the user")' in message
    assert "ZeroDivisionError: by the user\npreprocessing_fn received these features:\n" in message
    assert "\n  age: Tensor float32 (None, 1)\n  name: SparseTensor string (None, None)" in message


def test_unknown_feature_is_answered_with_the_nearest(run, data):
    message = message_of(run, data, lambda inputs: {"x": inputs["nam"]})
    assert "the feature 'nam', which is not in the schema. Did you mean 'name'?" in message
    assert "The schema has: age, name" in message


def test_feature_unlike_any_other(run, data):
    message = message_of(run, data, lambda inputs: {"x": inputs["zzz"]})
    assert "Did you mean" not in message


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (None, "must return a dict from feature names to tensors. Received: NoneType"),
        ({}, "returned an empty dict. Return at least one tensor"),
        ({"x": 3}, "must return tensors, but 'x' is int. Received: 3"),
    ],
)
def test_outputs_that_are_no_dict_of_tensors(run, data, returned, expected):
    assert expected in message_of(run, data, lambda inputs: returned)


def test_key_that_is_no_string(run, data):
    message = message_of(run, data, lambda inputs: {1: inputs["age"]})
    assert "strings as keys. Received the key 1 of type int" in message


def test_dtype_that_an_example_cannot_hold(run, data):
    import tensorflow as tf

    message = message_of(run, data, lambda inputs: {"x": tf.cast(inputs["age"], tf.float64)})
    assert "returned 'x' as float64, which a tf.Example cannot hold" in message
    assert "Cast it to tf.int64, tf.float32 or tf.string" in message


def test_config_that_the_function_does_not_take(run, data):
    message = message_of(run, data, lambda inputs: dict(inputs), custom_config={"a": 1})
    assert "preprocessing_fn has no parameter of that name" in message


def test_not_a_function(run, data):
    assert "must be a function. Received: 'module.fn'" in message_of(run, data, "module.fn")


def test_variable_from_outside_of_the_function_is_a_constant(run, data):
    import tensorflow as tf

    variable = tf.Variable(2.0)
    result = run(data, lambda inputs: {"x": inputs["age"] * variable})
    assert result.rows_transformed == {"train": 1}


def test_inputs_may_be_changed_in_place(run, data):
    def fn(inputs):
        inputs["twice"] = inputs["age"] * 2
        return {"x": inputs.pop("twice")}

    assert run(data, fn).rows_transformed == {"train": 1}


def test_order_of_analyzers_that_changes(run, data):
    import tensorflow as tf
    import tensorflow_transform as tft

    calls = []

    def fn(inputs):
        calls.append(None)
        age = inputs["age"]
        name = tf.cast(tf.strings.length(inputs["name"].values), tf.float32)
        first, second = (age, name) if len(calls) % 2 else (name, age)
        return {"x": age * tft.mean(first) + tft.mean(second)}

    assert "calls its analyzers in a different order each time" in message_of(run, data, fn)


def test_shape_that_an_example_cannot_hold(run, data):
    import tensorflow as tf

    message = message_of(run, data, lambda inputs: {"x": inputs["age"][0, 0]})
    assert "returned 'x' with the shape (). A dense feature needs a first dim" in message
    message = message_of(run, data, lambda inputs: {"x": tf.sparse.to_dense(inputs["name"])})
    assert "returned 'x' with the shape (None, None). A dense feature" in message


def test_other_rows_out_than_in(run, data):
    import tensorflow as tf

    message = message_of(run, data, lambda inputs: {"x": tf.repeat(inputs["age"], 3, axis=0)})
    assert "one row for each row it gets. Received: 1 rows in, and out: {'x': 3}" in message


def test_failure_while_the_graph_runs(run, data):
    import tensorflow as tf
    import tensorflow_transform as tft

    def parse(inputs):
        names = tf.sparse.to_dense(inputs["name"])
        return {"x": tft.scale_to_0_1(tf.strings.to_number(names[:, :1]))}

    message = message_of(run, data, parse)
    assert "StringToNumberOp could not correctly convert string: a" in message
    assert 'test_preprocessing.py", line' in message
    assert "It happened in a batch of 1 rows. preprocessing_fn received these feat" in message
    assert message.rindex('return {"x": tft.scale_to_0_1(tf.strings') < message.index(
        "It happened in"
    )


def test_analyzer_of_a_placeholder(run, data):
    import tensorflow as tf
    import tensorflow_transform as tft

    def fn(inputs):
        other = tf.compat.v1.placeholder(tf.float32, [None, 1], name="mine")
        return {"x": inputs["age"] - tft.mean(other)}

    message = message_of(run, data, fn)
    assert "mine:0" in message
    assert (
        "An analyzer can only read tensors computed from the features that preprocessing_fn rec"
        in message
    )


def test_two_vocabularies_in_one_file(run, data_set):
    import tensorflow_transform as tft

    data = data_set({"word": "BYTES"}, train={"word": ["a", "b", "a"]})

    def fn(inputs, **options):
        word = inputs["word"]
        tft.vocabulary(word, vocab_filename="words")
        return {"x": tft.compute_and_apply_vocabulary(word, vocab_filename="words", **options)}

    run(data, fn, name="equal")
    message = message_of(run, data, lambda inputs: fn(inputs, top_k=1))
    assert (
        "two different vocabularies to the file 'words'. Give each its own vocab_filename"
        in message
    )


@pytest.mark.parametrize(
    "ages", [[1.0, None, 3.0], [[1.0], [2.0, 3.0], [4.0]], [[1.0], [], [2.0, 3.0]]]
)
def test_row_with_other_values_than_the_shape_asks_for(run, data_set, ages):
    data = data_set({"age": "FLOAT"}, train={"age": [1.0] * 3}, eval={"age": ages})
    message = message_of(run, data, lambda inputs: dict(inputs), splits=("train", "eval"))
    assert "Feature 'age' has" in message
    assert "(the 2. of its batch; " in message
    assert "the schema's shape requires 1 in every row" in message
    assert "It was read from" in message
    assert "Split-eval/data_tfrecord-00000-of-00001.gz" in message


def test_shard_with_another_type(run, data_set):
    data = data_set({"age": "FLOAT"}, train={"age": [1.0]})
    data.schema.feature[0].type = 2  # INT
    message = message_of(run, data, lambda inputs: dict(inputs))
    assert "Split-train/data_tfrecord-00000-of-00001.gz: " in message
    assert 'expected int64_list, found float_list for feature "age"' in message


def test_parquet_shard_with_another_type(run, data_set, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from penstock.io import ExamplesSplit

    data = data_set({"age": "FLOAT"}, train={"age": [1.0]})
    files = [str(tmp_path / name) for name in ("a.parquet", "b.parquet")]
    for file, cells in zip(files, (pa.array([1.0, 2.0]), pa.array(["old"])), strict=True):
        pq.write_table(pa.table({"age": cells}), file)
    shards = [ExamplesSplit("train", files, "parquet")]
    object.__setattr__(data, "splits", lambda *_: shards)
    message = message_of(run, data, lambda inputs: dict(inputs))
    assert "Feature 'age' holds large_list<item: binary> in the examples, but the sch" in message
    assert f"It was read from {files[1]}" in message


def test_custom_config_is_never_none(run, data):
    def fn(inputs, custom_config):
        return {"x": inputs["age"] * custom_config.get("factor", 2.0)}

    assert run(data, fn).rows_transformed == {"train": 1}


def test_message_says_where_the_function_is(run, data):
    def fn(inputs):
        inputs["age"]

    line = fn.__code__.co_firstlineno
    message = message_of(run, data, fn)
    assert f"preprocessing_fn (test_preprocessing.py, line {line}) must return a dict" in message
    assert "Does it end without a return statement?" in message


@pytest.mark.parametrize("value", [[[1.0], [2.0]], [[1.0]]])
def test_same_number_of_rows_whatever_comes_in(run, data, value):
    import tensorflow as tf

    def never_read(split, batch):
        raise AssertionError("the data was read")

    constant = tf.constant(value)
    message = message_of(
        run, data, lambda inputs: {"x": constant}, observers=Observers(raw=never_read)
    )
    assert f"returned 'x' with {len(value)} rows, however many it is called with" in message


def test_number_of_analyzers_that_changes(run, data):
    import tensorflow_transform as tft

    calls = []

    def fn(inputs):
        calls.append(None)
        outputs = {"x": inputs["age"] - tft.mean(inputs["age"])}
        if len(calls) > 1:
            outputs["more"] = inputs["age"] - tft.max(inputs["age"])
        return outputs

    assert "calls its analyzers in a different order each time" in message_of(run, data, fn)
