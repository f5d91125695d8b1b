import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.artifacts import Boolean, Bytes, Float, Integer, JsonValue, String

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.integers())
def test_integers_survive(value):
    assert Integer().decode(Integer().encode(value)) == value


@given(st.floats())
def test_floats_survive(value):
    read = Float().decode(Float().encode(value))
    assert read == value or (math.isnan(read) and math.isnan(value))


@given(json_values)
def test_json_survives(value):
    assert JsonValue().decode(JsonValue().encode(value)) == value


@pytest.mark.parametrize(
    ("value", "text"), [(math.nan, b"NaN"), (math.inf, b"Infinity"), (-math.inf, b"-Infinity")]
)
def test_floats_that_are_no_numbers_are_spelt_as_tfx_spells_them(value, text):
    assert Float().encode(value) == text


@pytest.mark.parametrize(
    ("artifact", "value"),
    [(Integer, 3), (Float, 0.1), (String, "ü"), (Bytes, b"\0\xff"), (Boolean, True)],
)
def test_a_value_is_written_and_read(tmp_path, artifact, value):
    made = artifact(str(tmp_path / "1"))
    made.value = value
    assert artifact(str(tmp_path / "1" / "value")).value == value


@pytest.mark.parametrize(
    ("artifact", "value", "expected"),
    [
        (Integer, True, "an int"),
        (Integer, 1.0, "an int"),
        (Float, "1", "a float"),
        (String, 1, "a str"),
    ],
)
def test_a_wrong_type_is_refused(artifact, value, expected):
    with pytest.raises(TypeError, match=f"takes {expected}. Received: {type(value).__name__}"):
        artifact().encode(value)


def test_reading_before_writing_names_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="value"):
        _ = Integer(str(tmp_path)).value


def test_numbers_of_numpy_are_taken_as_pythons():
    assert Integer().encode(np.int64(3)) == b"3"
    assert Float().encode(np.float32(0.5)) == b"0.5"
    assert Boolean().encode(np.bool_(True)) == b"1"
    assert JsonValue().encode({"a": [np.float32(0.5), np.int8(1)]}) == b'{"a": [0.5, 1]}'


@pytest.mark.parametrize("value", [{1: 2}, [{"a": {None: 1}}], {"a": {1}}, {"a": b"x"}])
def test_what_json_would_change_or_lacks_is_refused(value):
    with pytest.raises(TypeError, match="JsonValue takes"):
        JsonValue().encode(value)
