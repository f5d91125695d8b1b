"""The division of traffic: deterministic, by share, and refused where it makes no sense."""

import collections
import re

import pytest

from penstock.server.traffic import Key, Target, Traffic, is_sampled

FIRST_EIGHT = [
    "champion", "champion", "champion", "canary", "champion", "champion", "champion", "canary",
]  # fmt: skip
KEYS = [f"user-{i}".encode() for i in range(10_000)]


def test_each_target_gets_its_share_and_a_key_always_the_same():
    traffic = Traffic.from_config("taxi", {"split": {"champion": 0.7, "canary": 0.2, "7": 0.1}})

    counts = collections.Counter(str(traffic.target(key)) for key in KEYS)

    assert counts["champion"] == pytest.approx(7000, abs=150)
    assert counts["canary"] == pytest.approx(2000, abs=150)
    assert counts["7"] == pytest.approx(1000, abs=120)
    again = Traffic.from_config("taxi", {"split": {"champion": 0.7, "canary": 0.2, "7": 0.1}})
    assert [again.target(key) for key in KEYS] == [traffic.target(key) for key in KEYS]


def test_the_division_is_the_same_in_every_release():
    traffic = Traffic.from_config("taxi", {"split": {"champion": 0.5, "canary": 0.5}})
    assert [str(traffic.target(b"user-%d" % i)) for i in range(8)] == FIRST_EIGHT


def test_a_growing_share_only_takes_keys_over():
    small = Traffic.from_config("taxi", {"split": {"champion": 0.9, "canary": 0.1}})
    large = Traffic.from_config("taxi", {"split": {"champion": 0.6, "canary": 0.4}})
    canary = Target(label="canary")
    before = {key for key in KEYS if small.target(key) == canary}
    after = {key for key in KEYS if large.target(key) == canary}
    assert before < after


def test_models_are_divided_independently_unless_they_share_a_salt():
    split = {"split": {"a": 0.5, "b": 0.5}}
    one, two = Traffic.from_config("one", split), Traffic.from_config("two", split)
    same = sum(one.target(key) == two.target(key) for key in KEYS)
    assert same == pytest.approx(5000, abs=250)
    one = Traffic.from_config("one", split | {"salt": "s"})
    two = Traffic.from_config("two", split | {"salt": "s"})
    assert all(one.target(key) == two.target(key) for key in KEYS)


def test_shadows_get_their_share_whatever_the_split():
    traffic = Traffic.from_config(
        "taxi", {"split": {"a": 0.5, "b": 0.5}, "shadow": {"next": 0.3, "8": 1}}
    )
    assert all(Target(version=8) in traffic.shadows_of(key) for key in KEYS)
    shadowed = [key for key in KEYS if Target(label="next") in traffic.shadows_of(key)]
    assert len(shadowed) == pytest.approx(3000, abs=200)
    in_a = sum(traffic.target(key) == Target(label="a") for key in shadowed)
    assert in_a == pytest.approx(len(shadowed) / 2, abs=150)


def test_without_a_split_the_default_version_answers():
    assert Traffic().target(b"x") is None
    assert Traffic().shadows_of(b"x") == []


def test_a_share_of_nothing_gets_nothing():
    traffic = Traffic.from_config("taxi", {"split": {"a": 0, "b": 1}, "shadow": {"c": 0}})
    assert {str(traffic.target(key)) for key in KEYS} == {"b"}
    assert not any(traffic.shadows_of(key) for key in KEYS)


def test_sampling_takes_a_share_of_the_ids():
    ids = [f"{i:x}" for i in range(10_000)]
    assert sum(is_sampled(0.25, each) for each in ids) == pytest.approx(2500, abs=150)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"spilt": {}}, "models.taxi.traffic has no field 'spilt'. Did you mean 'split'?"),
        ({"split": {"a": 0.5, "b": 0.4}}, "models.taxi.traffic.split add up to 0.9. Expected: 1"),
        ({"split": {"a": 1.5}}, "split.a takes a share from 0 to 1. Received: 1.5"),
        ({"split": {"a": True}}, "split.a takes a share from 0 to 1. Received: True"),
        ({"split": {"a": float("nan")}}, "split.a takes a share"),
        ({"split": ["a"]}, "takes shares by version or label"),
        ({"split": {"": 1}}, "a share without a version or label"),
        ({"shadow": {"a": "x"}}, "shadow.a takes a share from 0 to 1. Received: 'x'"),
        (
            {"key": "cookie:x"},
            "traffic.key: A traffic key is 'header:NAME', 'feature:NAME' or 'request'",
        ),
        ({"key": "header:"}, "traffic.key: A traffic key"),
        ({"key": 3}, "traffic.key takes text. Received: 3"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(config, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Traffic.from_config("taxi", config)


def test_keys_are_parsed():
    assert Key.parse("header:X-User-Id") == Key("header", "x-user-id")
    assert Key.parse("feature:User") == Key("feature", "User")
    assert Key.parse("request") == Key("request")
