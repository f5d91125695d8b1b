import dataclasses

import pytest

from penstock.io import (
    Input,
    Output,
    RangeConfig,
    RollingRange,
    Split,
    SplitConfig,
    StaticRange,
)


@pytest.mark.parametrize(
    "config",
    [
        Input([Split("a", "x/*"), Split("b", "{SPAN}/*")]),
        Output(SplitConfig([Split("train", hash_buckets=2)], "user")),
        RangeConfig(static_range=StaticRange(1, 2)),
        RangeConfig(rolling_range=RollingRange(3, 1)),
    ],
)
def test_json_round_trip(config):
    assert type(config).from_json(config.to_json()) == config


def test_the_default_output_depends_on_the_input():
    splits = Output.default_for(Input()).split_config.splits
    assert [(split.name, split.hash_buckets) for split in splits] == [("train", 2), ("eval", 1)]
    assert Output.default_for(Input([Split("a"), Split("b")])) == Output()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Split(""), "needs a name"),
        (lambda: Split("a/b"), "its name has no '/'. Received: name='a/b'"),
        (lambda: Input([]), "at least one split"),
        (lambda: Input([Split("a", "")]), "Input split 'a' needs a pattern"),
        (lambda: Input([Split("a"), Split("a")]), "has two splits of the same name"),
        (lambda: SplitConfig([Split("a")]), "hash_buckets of 1 or more"),
        (lambda: SplitConfig([], "user"), "needs output splits"),
        (lambda: RangeConfig(), "either static_range or rolling_range"),
        (lambda: StaticRange(2, 1), "at or before its end"),
        (lambda: RollingRange(0), "num_spans must be 1"),
        (lambda: Input.from_json({"split": []}), "has no field"),
    ],
)
def test_faults_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# For every field a value other than the default, in a message that has a use for it.
USED = {
    Split: {
        "name": Input([Split("a")]),
        "pattern": Input([Split("a", "x/*")]),
        "hash_buckets": Output(SplitConfig([Split("a", hash_buckets=2)])),
    },
    Input: {"splits": Input([Split("a", "x/*")])},
    Output: {"split_config": Output(SplitConfig([Split("a", hash_buckets=2)]))},
    SplitConfig: {
        "splits": Output(SplitConfig([Split("a", hash_buckets=2)])),
        "partition_feature_name": Output(SplitConfig([Split("a", hash_buckets=2)], "user")),
    },
    RangeConfig: {
        "static_range": RangeConfig(static_range=StaticRange(1, 2)),
        "rolling_range": RangeConfig(rolling_range=RollingRange(2, 1)),
    },
    StaticRange: {
        "start_span_number": RangeConfig(static_range=StaticRange(1, 2)),
        "end_span_number": RangeConfig(static_range=StaticRange(1, 2)),
    },
    RollingRange: {
        "num_spans": RangeConfig(rolling_range=RollingRange(2, 1)),
        "start_span_number": RangeConfig(rolling_range=RollingRange(2, 1)),
    },
}


def test_every_field_survives_and_none_is_passed_over():
    for message, examples in USED.items():
        assert {field.name for field in dataclasses.fields(message)} == set(examples)
        for name, example in examples.items():
            assert f"'{name}'" in str(example.to_json())
            assert type(example).from_json(example.to_json()) == example


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Input([Split("a", hash_buckets=2)]), "Input split 'a' takes no hash_buckets"),
        (lambda: SplitConfig([Split("a", "x/*", 2)]), "Output split 'a' takes no pattern"),
    ],
)
def test_fields_of_the_other_kind_of_split_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_rows_are_hashed_in_one_line():
    splits = [Split("train", hash_buckets=6), Split("test", hash_buckets=2)]
    assert Output.hashed(train=6, test=2) == Output(SplitConfig(splits))
    by_user = Output.hashed(train=6, test=2, partition_feature_name="user")
    assert by_user == Output(SplitConfig(splits, "user"))
    with pytest.raises(ValueError, match="the splits that you name"):
        Output.hashed()
    with pytest.raises(ValueError, match="'test' needs hash_buckets of 1 or more"):
        Output.hashed(train=6, test=0)
