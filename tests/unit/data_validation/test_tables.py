"""Statistics of tables as people have them: DataFrames, Parquet files, plain Arrow columns, no rows."""

import datetime as dt
import decimal
import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock import data_validation as dv
from penstock.data_validation.statistics.dataset import DatasetStatistics
from penstock.io import read_parquet

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def statistics_of_parquet(tmp_path):
    def compute(table, options=None):
        path = str(tmp_path / "x.parquet")
        pq.write_table(table, path)
        return by_name(dv.generate_statistics_from_parquet(path, stats_options=options))

    return compute


def by_name(statistics):
    return {".".join(f.path.step): f for f in statistics.datasets[0].features}


def counts(feature):
    common = getattr(feature, feature.WhichOneof("stats")).common_stats
    return common.num_non_missing, common.num_missing, common.tot_num_values


@pytest.mark.parametrize(
    ("values", "mean", "std"),
    [
        (1.7e9 + np.arange(1000), 1700000499.5, 288.6749902572095),
        (np.array([1e39, 1.0, 2.0]), 1e39 / 3, np.std([1e39, 1.0, 2.0])),
    ],
)
def test_doubles_stay_doubles(values, mean, std, statistics_of_parquet):
    frame = pd.DataFrame({"x": values})
    for found in (
        by_name(dv.generate_statistics_from_dataframe(frame)),
        statistics_of_parquet(pa.Table.from_pandas(frame)),
        by_name(dv.statistics_of_record_batches([pa.record_batch({"x": pa.array(values)})])),
    ):
        numbers = found["x"].num_stats
        assert numbers.mean == pytest.approx(mean, rel=1e-12)
        assert numbers.std_dev == pytest.approx(std, rel=1e-9)
        assert numbers.max == values.max()


NESTED = {
    "trip": [{"fare": 1.5, "tip": 2}, {"fare": 2.5, "tip": None}, None],
    "legs": [
        [{"km": 1.5, "stops": ["a"]}],
        [{"km": 2.5, "stops": []}, {"km": 3.0, "stops": None}],
        [],
    ],
}
# Present, missing (of the parent's values), number of values.
NESTED_COUNTS = {
    "trip": (2, 1, 2),
    "trip.fare": (2, 0, 2),
    "trip.tip": (1, 1, 1),
    "legs": (3, 0, 3),
    "legs.km": (3, 0, 3),
    "legs.stops": (2, 1, 1),
}


def test_fields_of_structs_are_counted(statistics_of_parquet):
    table = pa.table(NESTED)
    for found in (
        statistics_of_parquet(table),
        by_name(dv.statistics_of_record_batches(table.to_batches())),
        by_name(
            dv.statistics_of_record_batches(
                [b for r in range(3) for b in table.slice(r, 1).to_batches()]
            )
        ),
        by_name(dv.generate_statistics_from_dataframe(pd.DataFrame(NESTED))),
    ):
        assert {name: counts(feature) for name, feature in found.items()} == NESTED_COUNTS
        assert found["trip.fare"].num_stats.mean == 2.0
        assert found["legs.km"].num_stats.max == 3.0


COLUMNS = {
    "timestamp": (pa.array([dt.datetime(2024, 1, 2, 3), None]), "2024-01-02T03:00:00.000000"),
    "zoned": (
        pa.array([dt.datetime(2024, 1, 2), None], pa.timestamp("s", "UTC")),
        "2024-01-02T00:00:00.000Z",
    ),
    "date": (pa.array([dt.date(2024, 1, 2), None]), "2024-01-02"),
    "time": (pa.array([dt.time(1, 2), None], pa.time32("s")), "01:02:00.000"),
    "category": (pa.array(["a", None]).dictionary_encode(), "a"),
    "view": (pa.array(["a", None], pa.string_view()), "a"),
    "large": (pa.array(["a", None], pa.large_string()), "a"),
    "fixed": (pa.array([b"ab", None], pa.binary(2)), "ab"),
    "dates": (pa.array([[dt.date(2024, 1, 2)], None]), "2024-01-02"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_that_are_text(name, statistics_of_parquet):
    column, expected = COLUMNS[name]
    found = statistics_of_parquet(pa.table({name: column}))[name]
    assert counts(found) == (1, 1, 1)
    assert [value.value for value in found.string_stats.top_values] == [expected]


@pytest.mark.parametrize(
    ("column", "mean"),
    [
        (pa.array([decimal.Decimal("1.10"), None]), 1.1),
        (pa.array([1.5, None], pa.float16()), 1.5),
        (pa.array([True, None]), 1.0),
        (pa.array([2**63 + 2**11, None], pa.uint64()), 2.0**63 + 2**11),
        (pa.array([3, None], pa.int8()).dictionary_encode(), 3.0),
        (pa.array([3, 3, None]).take(pa.array([0, 2])), 3.0),
    ],
)
def test_columns_that_are_numbers(column, mean, statistics_of_parquet):
    found = statistics_of_parquet(pa.table({"x": column}))["x"]
    assert counts(found) == (1, 1, 1)
    assert found.num_stats.mean == mean


def test_maps_are_lists_of_keys_and_values(statistics_of_parquet):
    column = pa.array([[("a", 1), ("b", 2)], None, [("a", 5)]], pa.map_(pa.string(), pa.int64()))
    found = statistics_of_parquet(pa.table({"m": column}))
    assert counts(found["m"]) == (2, 1, 3)
    assert found["m.value"].num_stats.max == 5


def test_what_has_no_statistics_is_left_out_and_said(statistics_of_parquet, caplog):
    table = pa.table({"id": [1, 2], "took": pa.array([dt.timedelta(1), None])})
    with caplog.at_level(logging.WARNING):
        assert set(statistics_of_parquet(table)) == {"id"}
        frame = pd.DataFrame(
            {"id": [1], "took": [pd.Timedelta("1s")], "month": [pd.Period("2024-01")]}
        )
        assert set(by_name(dv.generate_statistics_from_dataframe(frame))) == {"id"}
    assert len(caplog.messages) == 3
    assert "column 'month' of type" in caplog.messages[2]
    assert "column 'took' of type duration[us] is left out of the statistics" in caplog.messages[0]


def test_plain_columns_are_lists_of_one():
    plain = pa.record_batch({"a": [1, 2, None], "s": ["x", "y", "z"]})
    listed = pa.record_batch({"a": [[1], [2], None], "s": [["x"], ["y"], ["z"]]})
    options = dv.StatsOptions(slicing_config=[{"s": ["x"]}], generators=[dv.CrossFeatureStats()])
    found = dv.statistics_of_record_batches([plain], options)
    assert found == dv.statistics_of_record_batches([listed], options)
    assert counts(by_name(found)["a"]) == (2, 1, 2)


def test_rows_of_plain_columns_are_validated():
    schema = text_format.Parse(
        "feature { name: 'age' type: INT int_domain { min: 0 } }", schema_pb2.Schema()
    )
    options = dv.StatsOptions(schema=schema)
    found = dv.validate_instance(pa.table({"age": [-1]}), options)
    assert found.anomaly_info["age"].description == "Unexpectedly small value: -1."
    rows = dv.identify_anomalous_examples(pa.table({"age": [3, -1]}).to_batches(), options)
    assert [d.num_examples for d in rows.statistics.datasets] == [1]


def test_tables_of_no_rows_keep_their_columns(tmp_path, statistics_of_parquet):
    table = pa.table({"a": pa.array([], pa.int64()), "s": pa.array([], pa.string())})
    frame = pd.DataFrame({"a": pd.Series([], dtype="int64"), "s": pd.Series([], dtype="str")})
    expected = {"a": (0, 0, 0), "s": (0, 0, 0)}
    for found in (
        statistics_of_parquet(table),
        statistics_of_parquet(table.slice(0, 0), dv.StatsOptions(slicing_config=[{"s": None}])),
        by_name(dv.generate_statistics_from_dataframe(frame)),
    ):
        assert {name: counts(feature) for name, feature in found.items()} == expected
        assert found["a"].type == found["a"].INT
    chosen = statistics_of_parquet(table, dv.StatsOptions(feature_allowlist=["s"]))
    assert set(chosen) == {"s"}


def test_a_csv_of_no_rows_has_statistics_of_none(tmp_path):
    header, rows = tmp_path / "header.csv", tmp_path / "rows.csv"
    header.write_text("a,b\n")
    rows.write_text("a,b\n1,x\n")
    found = dv.generate_statistics_from_csv(str(header))
    assert (found.datasets[0].num_examples, len(found.datasets[0].features)) == (0, 0)
    assert dv.validate_statistics(found, schema_pb2.Schema()).data_missing
    both = dv.generate_statistics_from_csv(str(tmp_path / "*.csv"))
    assert both == dv.generate_statistics_from_csv(str(rows))
    schema = dv.infer_schema(both)
    assert not dv.validate_examples_in_csv(str(header), dv.StatsOptions(schema=schema)).datasets


def test_the_index_that_pandas_writes_is_a_feature_without_a_name(tmp_path):
    path = str(tmp_path / "x.csv")
    pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}).to_csv(path)
    found = dv.generate_statistics_from_csv(path)
    assert [f.path.step[0] for f in found.datasets[0].features] == ["", "a", "b"]
    assert not dv.validate_statistics(found, dv.infer_schema(found)).anomaly_info


def test_columns_that_arrow_does_not_know_are_left_out_or_converted(caplog):
    frame = pd.DataFrame({"z": [1 + 2j, 2], "s": pd.arrays.SparseArray([0, 3]), "a": [1.5, 2.5]})
    features = by_name(dv.generate_statistics_from_dataframe(frame))
    assert sorted(features) == ["a", "s"]
    assert features["s"].num_stats.mean == 1.5
    assert "'z' of type complex128 is left out" in caplog.text


@pytest.mark.parametrize(
    ("cells", "message"),
    [([1, "x"], "'a' holds values of several types"), ([2**70, 1], "'a' holds an integer beyond")],
)
def test_a_column_that_cannot_be_read_is_named(cells, message):
    with pytest.raises(TypeError, match=message):
        dv.generate_statistics_from_dataframe(pd.DataFrame({"b": [1, 2], "a": cells}))


@pytest.mark.parametrize("weight", [-1.0, np.inf, np.nan])
def test_weights_are_finite_and_not_negative(weight):
    batch = pa.record_batch({"a": pa.array([1, 2]), "w": pa.array([1.0, weight])})
    kernel = DatasetStatistics(dv.StatsOptions(weight_feature="w"))
    with pytest.raises(ValueError, match="'w' must have a finite number of 0 or more"):
        kernel.add(batch)


def test_two_parquet_columns_of_one_name_are_refused(tmp_path):
    path = str(tmp_path / "twice.parquet")
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), path)
    with pytest.raises(ValueError, match=r"\['a'\] come more than once"):
        dv.generate_statistics_from_parquet(path)
    with pytest.raises(ValueError, match=r"\['a'\] come more than once"):
        list(read_parquet([path]))
