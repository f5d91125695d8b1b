import pyarrow as pa
import pytest

from penstock.data_validation import (
    FeatureValueSlicer,
    StatsOptions,
    get_feature_value_slicer,
    statistics_of_record_batches,
)

BATCH = pa.record_batch(
    {
        "n": pa.array([[1], [2, 1], None, [2, 2]]),
        "s": pa.array([["a"], ["b"], ["a"], None]),
        "b": pa.array([[b"a"], [b"\xf0"], [], [b"a"]]),
        "f": pa.array([[0.5]] * 4),
    }
)


def slices(features, batch=BATCH):
    return {name: rows["n"].to_pylist() for name, rows in get_feature_value_slicer(features)(batch)}


def test_rows_are_in_the_slice_of_each_of_their_values():
    assert slices({"n": None}) == {"n_1": [[1], [2, 1]], "n_2": [[2, 1], [2, 2]]}
    assert slices({"n": [2], "s": None}) == {"n_2_s_b": [[2, 1]]}
    assert slices({"s": ["a", "zz"]}) == {"s_a": [[1], None]}
    assert slices({"n": [7]}) == slices({"zz": None}) == slices({"n": None, "zz": None}) == {}


def test_integers_may_be_given_as_text():
    assert slices({"n": ["02"]}) == slices({"n": [2]}) == {"n_2": [[2, 1], [2, 2]]}
    with pytest.raises(ValueError, match=r"not valid integers. Received: n=\['2.5'\]"):
        slices({"n": ["2.5"]})


def test_a_slice_is_named_in_utf8():
    assert slices({"b": [b"a"]}) == {"b_a": [[1], [2, 2]]}
    with pytest.raises(ValueError, match=r"must be valid UTF-8. Received: feature 'b' with .*xf0"):
        slices({"b": None})


def test_what_slices_cannot_be_made_by_is_refused():
    with pytest.raises(ValueError, match="Received: features={}"):
        FeatureValueSlicer({})
    for values in ("abc", 7, [0.5]):
        with pytest.raises(TypeError, match="iterable of strings and integers. Received: s="):
            FeatureValueSlicer({"s": values})
    with pytest.raises(TypeError, match="feature 'f' of type double"):
        slices({"f": None})


def test_a_slice_of_two_specs_is_counted_once():
    batch = pa.record_batch({"day": [["mon"], ["tue"], ["mon"]]})
    options = StatsOptions(slicing_config=[{"day": None}, {"day": ["mon"]}])
    datasets = statistics_of_record_batches([batch], options).datasets
    assert {d.name: d.num_examples for d in datasets} == {
        "All Examples": 3,
        "day_mon": 2,
        "day_tue": 1,
    }
