import random

import pytest

from penstock.data_validation import FeatureSkewDetector, detect_feature_skew
from penstock.io.examples.messages import example_class


def example(identifier=None, **features):
    message = example_class()()
    if identifier is not None:
        message.features.feature["id"].bytes_list.value.append(identifier.encode())
    for name, value in features.items():
        feature = message.features.feature[name]
        if isinstance(value, str):
            feature.bytes_list.value.append(value.encode())
        elif isinstance(value, float):
            feature.float_list.value.append(value)
        elif value is not None:
            feature.int64_list.value.append(value)
    return message.SerializeToString()


def counts(message):
    return {field.name: value for field, value in message.ListFields()}


def test_examples_are_matched_by_their_identifiers():
    base = [example(i) for i in ("id0", "id0", "id1", "id4", None)]
    test = [example(i) for i in ("id0", "id0", "id2", "id3", "id4", None, None)]
    assert counts(detect_feature_skew(base, test, ["id"]).match_stats) == {
        "base_with_id_count": 4,
        "test_with_id_count": 5,
        "identifiers_count": 5,
        "matching_pairs_count": 5,
        "ids_missing_in_base_count": 2,
        "ids_missing_in_test_count": 1,
        "duplicate_id_count": 1,
        "base_missing_id_count": 1,
        "test_missing_id_count": 2,
    }


def test_features_are_compared():
    base = [example("a", same=1, other=1, left=1, empty=None, half=None)]
    test = [example("a", same=1, other=2, right=1, empty=None)]
    found = detect_feature_skew(base, test, ["id"], sample_size=9)
    assert {skew.feature_name: counts(skew) for skew in found.skew} == {
        "empty": {"feature_name": "empty", "match_count": 1},
        "half": {"feature_name": "half"},
        "left": {"feature_name": "left", "base_count": 1, "base_only": 1, "diff_count": 1},
        "other": {
            "feature_name": "other",
            "base_count": 1,
            "test_count": 1,
            "mismatch_count": 1,
            "diff_count": 1,
        },
        "right": {"feature_name": "right", "test_count": 1, "test_only": 1, "diff_count": 1},
        "same": {"feature_name": "same", "base_count": 1, "test_count": 1, "match_count": 1},
    }
    (pair,) = found.pairs
    assert list(pair.base_only_features) == ["left"]
    assert list(pair.test_only_features) == ["right"]
    assert list(pair.matched_features) == ["empty", "same"]
    assert list(pair.mismatched_features) == ["other"]
    test = example_class().FromString(pair.test)
    assert test.features.feature["other"].int64_list.value == [2]
    assert example_class().FromString(pair.base) != test


def test_some_features_are_ignored_and_floats_rounded():
    base, test = [example("a", f=1.001, x=1)], [example("a", f=1.002, x=2)]
    assert [s.diff_count for s in detect_feature_skew(base, test, ["id"], ["x"]).skew] == [1]
    rounded = detect_feature_skew(base, test, ["id"], ["x"], float_round_ndigits=2)
    assert [s.diff_count for s in rounded.skew] == [0]


def test_duplicates_are_compared_pair_by_pair_if_asked_for():
    base, test = [example("a", x=1), example("a", x=2)], [example("a", x=1)]
    assert detect_feature_skew(base, test, ["id"]).skew == []
    (skew,) = detect_feature_skew(base, test, ["id"], allow_duplicate_identifiers=True).skew
    assert (skew.match_count, skew.mismatch_count) == (1, 1)


def test_values_that_changed_are_counted():
    base = [example("1", v="foo"), example("2", v="foo"), example("3", v="zip")]
    test = [example("1", v="foo"), example("2", v="bar"), example("3")]
    found = detect_feature_skew(base, test, ["id"], confusion_features=["v"]).confusion
    assert [(c.base.bytes_value, c.test.bytes_value, c.count) for c in found] == [
        (b"foo", b"bar", 1),
        (b"foo", b"foo", 1),
        (b"zip", b"__MISSING_VALUE__", 1),
    ]
    with pytest.raises(ValueError, match="feature 'v' with 1 values of int64_list"):
        detect_feature_skew([example("1", v=1)], [example("1")], ["id"], confusion_features=["v"])


def test_parts_and_order_do_not_matter():
    base = [example(f"{i}", x=i % 7) for i in range(60)] + [example()]
    test = [example(f"{i}", x=i % 5) for i in range(20, 90)] + [example()]
    whole = detect_feature_skew(base, test, ["id"], sample_size=4)
    random.Random(0).shuffle(base)
    detector = FeatureSkewDetector(["id"], sample_size=4)
    for part in range(3):
        detector.compare(base, test, part=part, parts=3)
    assert detector.result() == whole
    assert len(whole.pairs) == 4


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"at least one feature.*Received: .*\[\]"):
        FeatureSkewDetector([])
    with pytest.raises(ValueError, match="Received: sample_size=-1"):
        FeatureSkewDetector(["id"], sample_size=-1)
