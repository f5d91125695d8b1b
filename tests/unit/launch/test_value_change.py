import pathlib

import pytest

from penstock.dsl.values import encode
from penstock.launch.value_change import ABSENT, change, shown

NAMES = [f"feature_{number}" for number in range(30)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (5, 20, "changed: 5 -> 20"),
        (None, "a", 'changed: none -> "a"'),
        (ABSENT, 0.1, "is new: 0.1"),
        (0.1, ABSENT, "is gone; it was 0.1"),
        ("x" * 80, "x" * 70 + "y" * 10,
         'changed: ...' + "x" * 20 + "x" * 10 + '" -> ...' + "x" * 20 + "y" * 10 + '"'),
        ("a" + "x" * 80, "b" + "x" * 80,
         'changed: "a' + "x" * 58 + '... -> "b' + "x" * 58 + "..."),
    ],
)  # fmt: skip
def test_a_change_in_words(old, new, expected):
    assert change(old, new) == expected


@pytest.mark.parametrize("place", [0, 3, 15, 29])
def test_long_values_are_shown_where_they_differ(place):
    changed = [*NAMES]
    changed[place] = "another"
    sentence = change(NAMES, changed)
    assert len(sentence) < 150
    before, after = sentence.removeprefix("changed: ").split(" -> ")
    assert before != after
    assert f"feature_{place}" in before
    assert "another" in after


def test_values_that_look_alike_are_told_apart():
    assert change(["a"], {"$tuple": ["a"]}) == 'changed: list ["a"] -> tuple ["a"]'
    assert change({"$path": "x"}, "x") == 'changed: path "x" -> str "x"'
    assert change({"$name": "m:f", "x": 1}, {"$name": "m:f", "x": 2}) == (
        'changed: {"$name": "m:f", "x": 1} -> {"$name": "m:f", "x": 2}'
    )
    assert change(1, "1", quote=False) == "changed: int 1 -> str 1"


def test_forms_are_shown_as_what_stands_in_them():
    assert shown(encode((1, 2))) == "[1, 2]"
    assert shown(encode({1: (2, 3)})) == "{1: [2, 3]}"
    assert shown(encode(pathlib.Path("a/b"))) == '"a/b"'
