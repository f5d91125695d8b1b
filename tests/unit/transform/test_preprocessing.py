"""What a user sees of a `preprocessing_fn` that does not fit."""

from __future__ import annotations

import traceback

import pytest

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

    assert "calls its analyzers in another order each time" in message_of(run, data, fn)
