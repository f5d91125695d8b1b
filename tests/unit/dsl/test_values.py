import dataclasses
import enum
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.dsl import ParameterError, RuntimeParameter
from penstock.dsl.values import accepts, decode, describe, encode


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass(frozen=True)
class Point:
    x: float
    label: str = ""
    inner: Any = None


class Spec:
    def __init__(self, text):
        self.text = text

    def __eq__(self, other):
        return isinstance(other, Spec) and other.text == self.text

    __hash__ = None

    def to_json(self):
        return json.dumps(self.text)

    @classmethod
    def from_json(cls, value):
        return cls(json.loads(value))


def double(x):
    return 2 * x


keys = st.text().filter(lambda key: not key.startswith("$"))
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(keys, inner),
    max_leaves=10,
)


@given(plain)
def test_plain_values_survive_json(value):
    assert decode(json.loads(json.dumps(encode(value)))) == value


@pytest.mark.parametrize(
    "value",
    [Colour.RED, Point(1.0, "a", Point(math.inf)), Spec("x"), double, {"a": [Colour.RED]}, Point],
)
def test_objects_survive_json(value):
    assert decode(json.loads(json.dumps(encode(value)))) == value


def test_nan_survives():
    assert math.isnan(decode(encode(math.nan)))


def test_messages_survive():
    from google.protobuf import duration_pb2

    message = duration_pb2.Duration(seconds=3)
    assert decode(encode(message)) == message


@pytest.mark.parametrize("value", [object(), {1: 2}, {"$x": 1}])
def test_what_has_no_form_is_refused(value):
    with pytest.raises(ParameterError):
        encode(value)


def test_an_unbound_runtime_parameter_is_named():
    with pytest.raises(ParameterError, match="'epochs' has no value"):
        decode(encode([RuntimeParameter("epochs", int, 1)]))


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (int, 1, True),
        (float, 1, "1"),
        (bool, True, 1),
        (str, "a", b"a"),
        (int | None, None, "x"),
        (Sequence[str], ("a",), "a"),
        (list[int], [1], [1.5]),
        (tuple[int, ...], (1, 2), ("a",)),
        (tuple[int, str], (1, "a"), (1, 2)),
        (Mapping[str, int], {"a": 1}, {"a": "b"}),
        (Literal["a", "b"], "a", "c"),
        (Callable[[int], int], double, 3),
        (Colour, Colour.RED, 1),
        (int, RuntimeParameter("n", int), RuntimeParameter("n", str)),
    ],
)
def test_what_fits_an_annotation(annotation, good, bad):
    assert accepts(annotation, good)
    assert not accepts(annotation, bad)


def test_annotations_are_described_in_words():
    assert describe(int | None) == "int or None"
    assert describe(Sequence[str]) == "Sequence[str]"
    assert describe(Literal["a", "b"]) == "'a' or 'b'"


@pytest.mark.parametrize(
    ("parameter", "text", "value"),
    [
        (RuntimeParameter("n", int), "5", 5),
        (RuntimeParameter("x", float), "1e-3", 0.001),
        (RuntimeParameter("b", bool), "no", False),
        (RuntimeParameter("s"), "no", "no"),
    ],
)
def test_runtime_parameters_are_read_from_text(parameter, text, value):
    assert parameter.parse(text) == value


@pytest.mark.parametrize(("ptype", "text"), [(int, "1.5"), (bool, "maybe"), (float, "x")])
def test_a_wrong_text_is_named(ptype, text):
    with pytest.raises(ParameterError, match=f"'n' is an? {ptype.__name__}. Received: '{text}'"):
        RuntimeParameter("n", ptype).parse(text)
