"""The rows that have anomalies: found by halving as by looking at each."""

from typing import Any

import pyarrow as pa
import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from penstock.data_validation import StatsOptions, validate_instance
from penstock.data_validation.anomalous_rows import row_finder

SCHEMA = """
feature { name: "age" type: INT int_domain { min: 0 max: 90 }
          value_count { min: 1 max: 2 } presence { min_count: 1 } }
feature { name: "fare" type: FLOAT float_domain { min: 0.0 disallow_nan: true } }
feature { name: "plan" type: BYTES domain: "plans" }
string_domain { name: "plans" value: "free" value: "pro" }
"""
_TYPES = {
    "age": pa.large_list(pa.int64()),
    "fare": pa.large_list(pa.float32()),
    "plan": pa.large_list(pa.binary()),
    "new": pa.large_list(pa.int64()),
}
_ROWS = st.fixed_dictionaries(
    {
        "age": st.none() | st.lists(st.sampled_from([5, 41, 90, 91, -1]), max_size=3),
        "fare": st.none() | st.lists(st.sampled_from([0.0, 2.5, -1.0, float("nan")]), max_size=2),
        "plan": st.none() | st.lists(st.sampled_from([b"free", b"pro", b"max"]), max_size=2),
        "new": st.none() | st.just([1]),
    }
)


def _batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    columns = [pa.array([row[name] for row in rows], kind) for name, kind in _TYPES.items()]
    return pa.RecordBatch.from_arrays(columns, list(_TYPES))


def _reasons(found: anomalies_pb2.Anomalies) -> list[str]:
    return [
        f"{name}_{anomalies_pb2.AnomalyInfo.Type.Name(reason.type)}"
        for name, info in sorted(found.anomaly_info.items())
        for reason in info.reason
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(_ROWS, min_size=1, max_size=12))
@pytest.mark.parametrize("new", [False, True])
def test_halving_finds_what_looking_at_each_row_finds(
    new: bool, rows: list[dict[str, Any]]
) -> None:
    options = StatsOptions(schema=text_format.Parse(SCHEMA, schema_pb2.Schema()))
    batch = _batch(rows)
    if not new:
        batch = batch.drop_columns(["new"])
    expected = []
    for number in range(batch.num_rows):
        row = batch.slice(number, 1)
        if reasons := _reasons(validate_instance(row, options)):
            expected.append((row.to_pylist(), reasons))
    found = row_finder(options, null_is_absent=False)(batch)
    assert repr([(row.to_pylist(), reasons) for row, reasons in found]) == repr(expected)


@settings(max_examples=12, deadline=None)
@given(st.lists(_ROWS, min_size=1, max_size=12))
@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("absent", ["", "age"])
def test_absent_columns_are_found_as_by_looking_at_each_row(
    everywhere: bool, absent: str, rows: list[dict[str, Any]]
) -> None:
    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    schema.feature[2].presence.min_fraction = 1 if everywhere else 0.5
    options = StatsOptions(schema=schema)
    batch = _batch(rows)
    if absent:
        batch = batch.drop_columns([absent])
    expected = []
    for number in range(batch.num_rows):
        row = batch.slice(number, 1)
        empty = {n for n, (value,) in row.to_pydict().items() if value is None}
        if everywhere and row.to_pylist()[0]["plan"] == []:
            empty.add("plan")
        row = row.drop_columns(sorted(empty))
        if reasons := _reasons(validate_instance(row, options)):
            expected.append((row.to_pylist(), reasons))
    found = row_finder(options, null_is_absent=True)(batch)
    assert repr([(row.to_pylist(), reasons) for row, reasons in found]) == repr(expected)


def test_names_with_dots_are_found() -> None:
    schema = text_format.Parse(
        "feature { name: 'pick.up' type: INT int_domain { min: 0 } } feature { name: 'b' type: INT }",
        schema_pb2.Schema(),
    )
    batch = pa.record_batch({"pick.up": [[1], [-1], [2], [3]], "b": [[1]] * 4})
    ((row, reasons),) = row_finder(StatsOptions(schema=schema), null_is_absent=True)(batch)
    assert row.to_pylist() == [{"pick.up": [-1], "b": [1]}]
    assert reasons == ["'pick.up'_INT_TYPE_SMALL_INT"]
