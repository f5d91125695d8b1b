import pyarrow as pa
import pytest

from penstock.evaluation import SlicingSpec
from penstock.evaluation.keys import slice_name
from penstock.evaluation.slices.slicing import Slicer
from penstock.evaluation.slices.slicing_specs import spec_matches, spec_name


def batch(**columns):
    kinds = {"s": pa.binary(), "i": pa.int64(), "f": pa.float32()}
    arrays = [pa.array(v, pa.large_list(kinds[n[0]])) for n, v in columns.items()]
    return pa.RecordBatch.from_arrays(arrays, list(columns))


def slices(slicer, *batches):
    found: dict = {}
    first = 0
    for each in batches:
        membership = slicer.assign(each)
        for row, group in zip(membership.rows.tolist(), membership.groups.tolist(), strict=True):
            found.setdefault(slicer.keys[group], []).append(first + row)
        first += each.num_rows
    return found


def test_the_whole_data_set_is_the_slice_without_features():
    assert slices(Slicer([]), batch(i=[[1], [2]])) == {(): [0, 1]}


def test_a_feature_key_makes_a_slice_of_each_value_and_skips_rows_without_one():
    rows = batch(sex=[[b"m"], [b"f"], [], [b"m"], None])
    assert slices(Slicer([SlicingSpec(feature_keys=["sex"])]), rows) == {
        (("sex", "m"),): [0, 3],
        (("sex", "f"),): [1],
    }


def test_a_cross_has_its_features_sorted_and_only_the_values_that_occur():
    rows = batch(s=[[b"x"], [b"y"], [b"x"]], i=[[1], [1], [2]])
    assert slices(Slicer([SlicingSpec(feature_keys=["s", "i"])]), rows) == {
        (("i", 1), ("s", "x")): [0],
        (("i", 1), ("s", "y")): [1],
        (("i", 2), ("s", "x")): [2],
    }


def test_a_row_with_several_values_is_in_each_slice_once():
    rows = batch(s=[[b"x", b"y", b"x"], [b"y"]], i=[[1, 2], [1]])
    assert slices(Slicer([SlicingSpec(feature_keys=["s", "i"])]), rows) == {
        (("i", 1), ("s", "x")): [0],
        (("i", 2), ("s", "x")): [0],
        (("i", 1), ("s", "y")): [0, 1],
        (("i", 2), ("s", "y")): [0],
    }


def test_feature_values_select_by_text_and_number():
    rows = batch(s=[[b"x"], [b"y"]], i=[[5], [7]], f=[[0.5], [2.0]])
    specs = [
        SlicingSpec(feature_values={"i": "5"}),
        SlicingSpec(feature_values={"f": "0.5"}),
        SlicingSpec(feature_keys=["i"], feature_values={"s": "y"}),
    ]
    assert slices(Slicer(specs), rows) == {
        (("i", 5),): [0],
        (("f", 0.5),): [0],
        (("i", 7), ("s", "y")): [1],
    }


@pytest.mark.parametrize(
    ("feature", "text", "values", "key"),
    [
        # Text features match as written; TFMA's key of a number in its usual form is the number.
        ("s", "02134", [[b"02134"], [b"2134"]], "02134"),
        ("s", "10001", [[b"10001"], [b"2"]], "10001"),
        ("s", "10.50", [[b"10.50"], [b"10.5"]], "10.50"),
        ("s", "1_000", [[b"1_000"], [b"1000"]], "1_000"),
        ("s", "+1", [[b"+1"], [b"1"]], "+1"),
        ("s", " 5", [[b" 5"], [b"5"]], " 5"),
        # Number features match by value, floats as float32.
        ("f", "0.1", [[0.1], [0.5]], 0.1),
        ("f", "10.50", [[10.5], [1.0]], 10.5),
        ("f", "3", [[3.0], [1.0]], 3),
        ("f", "1e3", [[1000.0], [1.0]], 1000.0),
        ("i", "02134", [[2134], [1]], 2134),
        ("i", "+1", [[1], [2]], 1),
    ],
)
def test_values_are_taken_as_written(feature, text, values, key):
    spec = SlicingSpec(feature_values={feature: text})
    assert slices(Slicer([spec]), batch(**{feature: values})) == {((feature, key),): [0]}
    assert spec_matches(spec, ((feature, key),))


def test_what_is_no_number_matches_no_number():
    rows = batch(i=[[1000], [5]])
    specs = [SlicingSpec(feature_values={"i": text}) for text in ("1_000", " 5", "five")]
    assert slices(Slicer(specs), rows) == {}


def test_a_threshold_on_a_float_finds_the_slice_that_its_key_made():
    spec = SlicingSpec(feature_values={"f": "0.1"})
    (key,) = slices(Slicer([SlicingSpec(feature_keys=["f"])]), batch(f=[[0.1]]))
    assert spec_matches(spec, key)
    assert slice_name(key) == "f=0.1"


def test_two_specs_of_one_slice_count_a_row_once():
    rows = batch(s=[[b"x"], [b"y"]])
    specs = [SlicingSpec(feature_keys=["s"]), SlicingSpec(feature_values={"s": "x"})]
    assert slices(Slicer(specs), rows) == {(("s", "x"),): [0], (("s", "y"),): [1]}


def test_slices_grow_from_batch_to_batch_and_columns_may_be_absent():
    slicer = Slicer([SlicingSpec(), SlicingSpec(feature_keys=["s"])])
    found = slices(slicer, batch(i=[[1]]), batch(s=[[b"x"]]), batch(s=[[b"y"], [b"x"]]))
    assert found == {(): [0, 1, 2, 3], (("s", "x"),): [1, 3], (("s", "y"),): [2]}


def test_a_misspelt_feature_is_named_with_the_nearest():
    slicer = Slicer([SlicingSpec(feature_keys=["iland"])])
    with pytest.raises(
        ValueError, match="'iland', which the examples do not have. Did you mean 'island'"
    ):
        slicer.check_features(["island", "sex"])


def test_a_feature_cannot_be_key_and_value():
    with pytest.raises(ValueError, match="'s' in both feature_keys and feature_values"):
        Slicer([SlicingSpec(feature_keys=["s"], feature_values={"s": "x"})])


def test_values_that_are_not_text_are_refused():
    with pytest.raises(ValueError, match="Cannot slice by 's'"):
        Slicer([SlicingSpec(feature_keys=["s"])]).assign(batch(s=[[b"\xff"]]))


def test_spec_matches_the_slices_that_it_may_yield():
    spec = SlicingSpec(feature_keys=["a"], feature_values={"b": "1"})
    assert spec_matches(spec, (("a", "x"), ("b", 1)))
    assert not spec_matches(spec, (("a", "x"), ("b", 2)))
    assert not spec_matches(spec, (("a", "x"),))
    assert spec_name(spec) == "a, b=1"
    assert spec_name(SlicingSpec()) == "Overall"


def test_a_feature_that_is_named_twice_counts_once():
    slicer = Slicer([SlicingSpec(feature_keys=["s", "s"])])
    assert slices(slicer, batch(s=[[b"a"], [b"b"], [b"a"]])) == {
        (("s", "a"),): [0, 2],
        (("s", "b"),): [1],
    }


def test_texts_of_equal_numbers_are_different_slices():
    specs = [SlicingSpec(feature_values={"s": text}) for text in ("1", "1.0")]
    slicer = Slicer([*specs, SlicingSpec(feature_keys=["s"])])
    assert slices(slicer, batch(s=[[b"1"], [b"1.0"], [b"1"]])) == {
        (("s", "1"),): [0, 2],
        (("s", "1.0"),): [1],
    }
