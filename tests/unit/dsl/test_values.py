import dataclasses
import datetime
import decimal
import enum
import functools
import json
import math
import pathlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.dsl import DefinitionError, ParameterError, RuntimeParameter
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


class Pair(NamedTuple):
    x: int
    y: tuple[int, ...]


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Doubled:
    x: int
    twice: int = dataclasses.field(init=False)

    def __post_init__(self):
        self.twice = 2 * self.x


class Base:
    @classmethod
    def create(cls):
        return cls()

    def plain(self):
        return 1


class Heir(Base):
    pass


class Fields(TypedDict):
    a: int


@functools.wraps(double)
def _louder(x):
    return 10 * double(x)


louder = _louder
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


@pytest.mark.parametrize(
    "value",
    [
        (1, ("a", [2])),
        {1, 2},
        frozenset({"a"}),
        {1: "a", (1, 2): "b", "$x": None},
        Pair(1, (2,)),
        Access.READ | Access.WRITE,
        Doubled(2),
        pathlib.Path("data/a.csv"),
        datetime.date(2026, 1, 31),
        datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC),
        datetime.time(12, 30),
        datetime.timedelta(days=-1, microseconds=3),
        decimal.Decimal("0.1"),
        uuid.UUID(int=3),
    ],
)
def test_values_come_back_as_the_type_they_were(value):
    back = decode(json.loads(json.dumps(encode(value))))
    assert back == value
    assert repr(back) == repr(value)


def test_numbers_of_numpy_are_written_as_pythons():
    assert decode(encode(np.float64("inf"))) == math.inf
    assert type(encode(np.float64(2))) is float


def test_equal_sets_have_one_form():
    words = [f"word{i}" for i in range(50)]
    assert encode(set(words))["$set"] == sorted(words)


def test_methods_of_objects_are_refused_and_those_of_classes_are_found():
    with pytest.raises(DefinitionError, match="is the method of an object"):
        encode(Heir().plain)
    assert decode(encode(Heir.create)) == Heir.create


def test_a_function_is_not_taken_for_another_of_its_name():
    assert encode(louder) == {"$name": f"{__name__}:_louder"}
    with pytest.raises(DefinitionError, match="has no name for this function"):
        encode(functools.wraps(double)(lambda x: x))


@pytest.mark.parametrize(
    ("value", "fits"),
    [({"a": 1}, True), ({"a": "x"}, False), ({}, False), ({"a": 1, "b": 2}, False)],
)
def test_typed_dicts_are_checked_by_field(value, fits):
    assert accepts(Fields, value) is fits


@pytest.mark.parametrize("value", [object(), 1 + 2j, range(3)])
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
