import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.io.examples.messages import example_class
from penstock.io.examples.serialization import (
    serialize_examples,
    serialize_feature,
    serialize_features,
)

INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)
FLOAT32 = st.floats(width=32, allow_nan=False)
VALUES = {
    "int64_list": (INT64, pa.int64()),
    "float_list": (FLOAT32, pa.float32()),
    "bytes_list": (st.binary(max_size=300), pa.binary()),
}


@st.composite
def columns(draw):
    rows = draw(st.integers(min_value=1, max_value=8))
    names = draw(st.lists(st.text(max_size=140), min_size=1, max_size=5, unique=True))
    out = {}
    for name in names:
        kind = draw(st.sampled_from(sorted(VALUES)))
        cell = st.none() | st.lists(VALUES[kind][0], max_size=12)
        out[name] = (kind, draw(st.lists(cell, min_size=rows, max_size=rows)))
    return rows, out


def batch_of(data):
    return pa.RecordBatch.from_arrays(
        [pa.array(cells, pa.large_list(VALUES[kind][1])) for kind, cells in data.values()],
        list(data),
    )


def message_of(data, row, missing):
    example = example_class()()
    example.features.SetInParent()
    for name, (kind, cells) in data.items():
        if cells[row] is None and missing == "absent":
            continue
        values = getattr(example.features.feature[name], kind)
        values.SetInParent()
        values.value.extend(cells[row] or [])
    return example.SerializeToString(deterministic=True)


@settings(deadline=None)
@given(columns(), st.sampled_from(["empty", "absent"]))
def test_bytes_equal_protobufs_deterministic_serialization(drawn, missing):
    rows, data = drawn
    expected = [message_of(data, row, missing) for row in range(rows)]
    assert serialize_examples(batch_of(data), missing=missing).to_pylist() == expected
    parse = example_class().FromString
    of_features = [parse(each).features.SerializeToString(deterministic=True) for each in expected]
    if missing == "empty":
        assert serialize_features(batch_of(data)).to_pylist() == of_features


def test_a_name_comes_after_those_that_start_with_it():
    data = {name: ("int64_list", [[1]]) for name in ("sex", "sex2", "s", "island", "")}
    assert serialize_examples(batch_of(data)).to_pylist() == [message_of(data, 0, "empty")]


def test_slices_of_a_batch_are_serialized_as_they_stand():
    batch = pa.record_batch(
        {"a": [[1], None, [300, -1]], "b": [[b"x"], [], [b"yy", b""]], "c": [1.5, 2.5, None]}
    )
    whole = serialize_examples(batch).to_pylist()
    assert serialize_examples(batch.slice(1)).to_pylist() == whole[1:]
    assert serialize_examples(batch.slice(1, 1)).to_pylist() == whole[1:2]
    assert serialize_examples(batch.slice(0, 0)).to_pylist() == []


def test_a_column_of_nulls_becomes_a_feature_without_a_kind():
    (record,) = serialize_examples(pa.record_batch({"a": pa.nulls(1)})).to_pylist()
    feature = example_class().FromString(record).features.feature["a"]
    assert feature.WhichOneof("kind") is None


def test_scalars_booleans_and_doubles_fit():
    batch = pa.record_batch({"b": [True, False], "d": [0.1, 0.2], "s": ["ä", None]})
    first, second = map(example_class().FromString, serialize_examples(batch).to_pylist())
    assert list(first.features.feature["b"].int64_list.value) == [1]
    assert first.features.feature["d"].float_list.value[0] == pytest.approx(0.1, rel=1e-7)
    assert first.features.feature["s"].bytes_list.value[0] == "ä".encode()
    assert second.features.feature["s"].WhichOneof("kind") == "bytes_list"


def test_long_values_get_long_lengths():
    cells = [b"x" * size for size in (0, 127, 128, 20_000, 3 << 20)]
    records = serialize_examples(pa.record_batch({"a": cells})).to_pylist()
    parsed = [example_class().FromString(record) for record in records]
    assert [p.features.feature["a"].bytes_list.value[0] for p in parsed] == cells


def test_serialize_feature_is_the_value_of_the_map():
    feature = example_class()().features.feature["x"]
    feature.int64_list.value.extend([7, 300])
    (record,) = serialize_feature("x", pa.array([[7, 300]])).to_pylist()
    assert record == feature.SerializeToString(deterministic=True)


def test_what_does_not_fit_is_named():
    with pytest.raises(TypeError, match=r"Column 'when' of type date32.* does not fit"):
        serialize_examples(pa.record_batch({"when": pa.array([0], pa.date32())}))
    with pytest.raises(ValueError, match="Column 'a' has a null inside a list"):
        serialize_examples(pa.record_batch({"a": [[1, None]]}))
    twice = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    with pytest.raises(ValueError, match="two features of the same name"):
        serialize_examples(twice)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([1.5, -1e300]), r"'x' holds -1e\+300, beyond the floats"),
        (pa.array([2**64 - 1], pa.uint64()), "'x' holds an integer beyond"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(column, message):
    with pytest.raises(ValueError, match=message):
        serialize_examples(pa.record_batch({"x": column}))


def test_infinity_fits():
    assert len(serialize_examples(pa.record_batch({"x": pa.array([float("inf"), 1.0])}))) == 2
