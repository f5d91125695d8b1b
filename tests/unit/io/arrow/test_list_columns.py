import uuid

import pyarrow as pa
import pytest

from penstock.data_validation.statistics.generate import statistics_of_record_batches
from penstock.io.arrow.list_columns import list_columns, with_list_columns
from penstock.io.tables.example_columns import example_columns, value_type

SOME = uuid.UUID(int=7)


def test_slices_with_nulls_keep_their_rows():
    columns = {
        "text": pa.array([["a"], ["b", "c"], None, [], ["d"]]),
        "flags": pa.array([[True], [False, True], None, [], [True]]),
        "map": pa.array([[("k", 1)], [("k", 2)], None, [], [("k", 3)]], pa.map_("string", "int64")),
        "fixed": pa.array([[1, 2], [3, 4], None, [5, 6], [7, 8]], pa.list_(pa.int32(), 2)),
    }
    part = list_columns(pa.record_batch(columns).slice(1, 3)).to_pydict()
    assert part["text"] == [[b"b", b"c"], None, []]
    assert part["flags"] == [[0, 1], None, []]
    assert part["map"] == [[{"key": [b"k"], "value": [2]}], None, []]
    assert part["fixed"] == [[3, 4], None, [5, 6]]


def test_a_uuid_is_its_text():
    column = pa.array([SOME.bytes, None], pa.uuid())
    expected = [[str(SOME).encode()], None]
    assert list_columns(pa.record_batch({"id": column})).to_pydict() == {"id": expected}
    types = {"id": value_type("id", column.type)}
    batch = pa.record_batch({"id": column})
    assert example_columns(batch, types).to_pydict() == {"id": expected}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array(['{"a": 1}'], pa.json_()), [[b'{"a": 1}']]),
        (pa.array([["a"], None], pa.list_view(pa.string())), [[b"a"], None]),
        (
            pa.ListArray.from_arrays([0, 1], pa.array([SOME.bytes], pa.uuid())),
            [[str(SOME).encode()]],
        ),
    ],
)
def test_examples_take_what_statistics_take(column, expected):
    batch = pa.record_batch({"a": column})
    assert list_columns(batch).to_pydict() == {"a": expected}
    assert example_columns(batch, {"a": value_type("a", column.type)}).to_pydict() == {
        "a": expected
    }


def test_lists_of_values_that_statistics_do_not_take_are_converted():
    words = pa.array([["x"]], pa.list_(pa.dictionary(pa.int32(), pa.string())))
    assert with_list_columns(pa.record_batch({"a": words})).to_pydict() == {"a": [[b"x"]]}
    plain = pa.record_batch({"a": pa.array([["x"]])})
    assert with_list_columns(plain) is plain


def test_two_columns_of_one_name_are_refused():
    batch = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    with pytest.raises(ValueError, match=r"\['a'\] come more than once"):
        statistics_of_record_batches([batch])
