import datetime
import decimal
import uuid

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from penstock.serving.feature_values import feature_lists
from penstock.serving.rows import rows_of
from penstock.serving.signature import FeatureInput

MISSING = [
    None,
    float("nan"),
    np.float32("nan"),
    pd.NA,
    pd.NaT,
    np.datetime64("NaT"),
    decimal.Decimal("NaN"),
]
FLOATS = FeatureInput("float32", None, required=False)
INTEGERS = FeatureInput("int64", None, required=False)
TEXTS = FeatureInput("string", None, required=False)
ONE_FLOAT = FeatureInput("float32", (1,), required=True)


def lists(column, feature=None):
    return feature_lists("c", column, feature).to_pylist()


@pytest.mark.parametrize("missing", MISSING, ids=repr)
@pytest.mark.parametrize("feature", [FLOATS, INTEGERS, TEXTS, None])
def test_a_missing_value_of_any_kind_is_missing(missing, feature):
    assert lists([missing], feature) == [None]


def test_numbers_of_any_kind_are_numbers():
    given = [1, True, np.int8(3), np.uint64(4), np.float32(0.5), decimal.Decimal("2.5")]
    for value in given:
        assert lists([value], FLOATS) == [[float(value)]]
    assert lists([1, 2.5, True], FLOATS) == [[1.0], [2.5], [1.0]]
    assert lists([1, True, np.int64(-3), 4.0, None], INTEGERS) == [[1], [1], [-3], [4], None]
    assert lists([decimal.Decimal("7"), decimal.Decimal("8")], INTEGERS) == [[7], [8]]


def test_text_bytes_dates_and_ids_are_strings_as_ingestion_makes_them():
    moment = datetime.datetime(2026, 1, 31, 12, 30)
    assert lists(["é", b"\xff", np.str_("a")], TEXTS) == [["é".encode()], [b"\xff"], [b"a"]]
    assert lists([datetime.date(2026, 1, 31)], TEXTS) == [[b"2026-01-31"]]
    assert lists([moment], TEXTS) == [[b"2026-01-31T12:30:00"]]
    one = uuid.uuid4()
    assert lists([one], TEXTS) == [[str(one).encode()]]
    assert lists([{"b": 1}, datetime.timedelta(hours=26)], TEXTS) == [[b'{"b": 1}'], [b"26:00:00"]]


def test_lists_are_several_values():
    assert lists([["a", "b"], "c", (), None, np.array(["d"])], TEXTS) == [
        [b"a", b"b"],
        [b"c"],
        [],
        None,
        [b"d"],
    ]
    matrix = FeatureInput("float32", (2, 2), required=True)
    assert lists([[[1, 2], [3, 4]], np.ones((2, 2))], matrix) == [[1, 2, 3, 4], [1, 1, 1, 1]]
    assert np.isnan(lists([[1.0, float("nan")]], FLOATS)[0][1])


def test_an_empty_list_is_missing_where_the_model_reads_a_fixed_number():
    assert lists([[], [2.0]], ONE_FLOAT) == [None, [2.0]]


@pytest.mark.parametrize(
    ("column", "feature", "message"),
    [
        ([1.0, "one"], FLOATS, r"Column 'c' has 1.0 in row 0 and 'one' \(str\) in row 1"),
        ([None, "one"], FLOATS, r"reads 'c' as floats. Received in row 1: 'one' \(str\)"),
        ([None, 5], TEXTS, r"reads 'c' as strings. Received in row 1: 5 \(int\)"),
        ([1, 2.5], INTEGERS, r"reads 'c' as integers. Received in row 1: 2.5 \(float\)"),
        ([1, 2**63], INTEGERS, r"Row 1 has 9223372036854775808 in 'c', which has more than 64 bits"),
        ([np.uint64(2**63)], INTEGERS, r"Row 0 has 9223372036854775808 in 'c'"),
        ([["a", None]], TEXTS, r"Row 0 has a missing value within the list in 'c'"),
        ([1.0, [1.0, 2.0]], ONE_FLOAT, r"reads 'c' as 1 value per row. Received in row 1: 2 values"),
        ([None, {"a"}], TEXTS, r"column 'c' of type list<item: list<item: string>> does not fit"),
        ([object()], TEXTS, r"Row 0 has <object .*Expected a number, a string"),
        ([1j], FLOATS, r"Row 0 has 1j \(complex\) in 'c'"),
        ([[[1.0]]], FLOATS, r"column 'c' of type list<item: list<item: double>> does not fit"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_its_row(column, feature, message):
    with pytest.raises(ValueError, match=message):
        lists(column, feature)


def arrow(values, kind=None):
    return pa.array(values, kind)


@pytest.mark.parametrize(
    ("column", "feature", "expected"),
    [
        (arrow(["a", None, "a"]).dictionary_encode(), TEXTS, [[b"a"], None, [b"a"]]),
        (arrow([decimal.Decimal("1.50"), None]), FLOATS, [[1.5], None]),
        (arrow([decimal.Decimal("2")], pa.decimal128(5, 2)), INTEGERS, [[2]]),
        (arrow([0, None], pa.timestamp("s", "UTC")), TEXTS, [[b"1970-01-01T00:00:00Z"], None]),
        (arrow([0], pa.date32()), TEXTS, [[b"1970-01-01"]]),
        (arrow([1.0, float("nan"), None]), FLOATS, [[1.0], None, None]),
        (arrow([True, None]), INTEGERS, [[1], None]),
        (arrow([[1, 2], None, []], pa.list_(pa.int32())), INTEGERS, [[1, 2], None, []]),
        (arrow([[1, 2], None], pa.list_(pa.int32(), 2)), INTEGERS, [[1, 2], None]),
        (arrow([["a"]], pa.large_list(pa.string())), TEXTS, [[b"a"]]),
        (arrow(["a"], pa.string_view()), TEXTS, [[b"a"]]),
        (pa.nulls(2), TEXTS, [None, None]),
        (arrow([3], pa.float16()), FLOATS, [[3.0]]),
        (arrow([1, 2], pa.uint8()), None, [[1], [2]]),
    ],
)
def test_arrow_columns(column, feature, expected):
    assert lists(column, feature) == expected


def test_a_null_within_an_arrow_list_is_named():
    with pytest.raises(ValueError, match="Row 1 has a missing value within the list in 'c'"):
        lists(pa.array([["a"], ["b", None]]), TEXTS)


def test_every_kind_of_pandas_column():
    frame = pd.DataFrame(
        {
            "category": pd.Series(["a", None], dtype="category"),
            "int": pd.Series([1, None], dtype="Int64"),
            "float": pd.Series([1.5, pd.NA], dtype="Float64"),
            "bool": pd.Series([True, None], dtype="boolean"),
            "string": pd.Series(["s", None], dtype="string"),
            "object": pd.Series(["s", np.nan], dtype=object),
            "mixed": pd.Series([b"s", "t"], dtype=object),
            "lists": pd.Series([["a", "b"], None], dtype=object),
            "arrays": pd.Series([np.array([1.0, np.nan]), None], dtype=object),
            "time": pd.to_datetime(pd.Series(["2026-01-31", None])).astype("datetime64[s]"),
            "ints_with_nan": [7, np.nan],
        }
    )
    frame.index = [5, 5]
    kinds = {
        "category": TEXTS,
        "int": INTEGERS,
        "float": FLOATS,
        "bool": INTEGERS,
        "arrays": FLOATS,
    }
    kinds["ints_with_nan"] = INTEGERS
    rows = rows_of(frame)
    got = {name: lists(rows.columns[name], kinds.get(name, TEXTS)) for name in rows.columns}
    arrays = got.pop("arrays")
    assert [str(value) for value in arrays[0]] == ["1.0", "nan"]
    assert arrays[1] is None
    assert got == {
        "category": [[b"a"], None],
        "int": [[1], None],
        "float": [[1.5], None],
        "bool": [[1], None],
        "string": [[b"s"], None],
        "object": [[b"s"], None],
        "mixed": [[b"s"], [b"t"]],
        "lists": [[b"a", b"b"], None],
        "time": [[b"2026-01-31T00:00:00"], None],
        "ints_with_nan": [[7], None],
    }


def test_forms_of_rows():
    assert rows_of({"a": 1}).columns == {"a": [1]}
    assert rows_of([{"a": 1}, {"b": 2}]).columns == {"a": [1, None], "b": [None, 2]}
    assert rows_of(row for row in [{"a": 1}]).count == 1
    table = pa.table({"a": pa.chunked_array([[1], [2]])})
    assert rows_of(table).columns["a"].to_pylist() == [1, 2]
    assert rows_of(table.to_batches()[0]).count == 1
    assert rows_of([]).count == rows_of(pd.DataFrame()).count == 0


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ("a,b", TypeError, "predict takes a list of dicts.*Received: str"),
        (3, TypeError, "Received: int"),
        ([{"a": 1}, [2]], TypeError, "Received in row 1: list"),
        ([{1: 2}], TypeError, "Names are strings. Received in row 0: 1"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "Two columns have the name 'a'"),
    ],
)
def test_what_is_no_rows_is_refused(data, error, message):
    with pytest.raises(error, match=message):
        rows_of(data)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("int32", 2**40),
        ("uint8", 300),
        ("uint8", -1),
        ("bool", 2),
        ("float16", 1e9),
        ("float32", 1e39),
    ],
)
def test_a_number_beyond_the_models_type_is_refused_not_wrapped(dtype, value):
    feature = FeatureInput(dtype, (), required=True)
    with pytest.raises(ValueError, match=f"as {dtype}, from .* Received in row 1: "):
        lists([1, value], feature)
    assert lists([1], feature) == [[1]]


def test_arrays_series_and_sequences_are_lists():
    for given in (pd.Series([1.0, 2.0]), np.array([1.0, 2.0]), range(1, 3), (1, 2)):
        assert lists([given], FLOATS) == [[1.0, 2.0]]


def test_lists_of_lists_have_the_shape_that_the_model_reads():
    image = FeatureInput("float32", (2, 2), required=True)
    flat = [[1.0, 2.0, 3.0, 4.0]]
    assert lists([[[1, 2], [3, 4]]], image) == flat
    assert lists([[1, 2, 3, 4]], image) == flat
    assert lists([[np.array([1, 2]), [3, 4]]], image) == flat
    assert lists(pa.array([[[1.0, 2.0], [3.0, 4.0]]]), image) == flat
    for wrong in ([[1], [2, 3, 4]], [[1, 2, 3, 4]], [1, [2, 3, 4]]):
        with pytest.raises(ValueError, match=r"in the shape \[2, 2\]. Received in row 0: "):
            lists([wrong], image)


def test_half_a_character_is_named():
    with pytest.raises(ValueError, match=r"Row 1 has '\\ud800' in 'c', which is no valid text"):
        lists(["a", "\ud800"], TEXTS)
