"""A missing cell means the same wherever the data lies: one schema fits a table in all its forms."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock import data_validation as dv
from penstock.io import CsvFiles
from penstock.io.csv.ingest import csv_rows
from penstock.io.ingestion.config import Output
from penstock.io.ingestion.write_examples import Rows, write_examples
from penstock.io.tables.parquet_ingest import read_parquet

TRAINING = {
    "id": [1, 2, 3, 4],
    "fare": [1.5, None, 3.5, 4.5],
    "stops": [1, 2, None, 3],
    "plan": ["free", "pro", None, "pro"],
    "note": ["a", None, None, None],
}
# Lacks a value of `id`, has a new plan, and fares and stops are there in fewer rows.
TODAY = {
    "id": [1, 2, None, 4],
    "fare": [None, None, None, 4.5],
    "stops": [1, None, None, None],
    "plan": ["free", "team", None, "pro"],
    "note": [None, None, None, None],
}
TYPES = {"id": "Int64", "fare": "Float64", "stops": "Int64", "plan": "string", "note": "string"}


def frame(rows):
    return pd.DataFrame({name: pd.array(rows[name], dtype=kind) for name, kind in TYPES.items()})


def from_csv(rows, folder):
    frame(rows).to_csv(folder / "x.csv", index=False)
    return dv.generate_statistics_from_csv(str(folder / "x.csv"))


def from_parquet(rows, folder):
    frame(rows).to_parquet(folder / "x.parquet")
    return dv.generate_statistics_from_parquet(str(folder / "x.parquet"))


def from_dataframe(rows, folder):
    return dv.generate_statistics_from_dataframe(frame(rows))


def from_examples(rows, folder, file_format="tfrecords_gzip"):
    frame(rows).to_csv(folder / "x.csv", index=False)
    source = csv_rows(CsvFiles([str(folder / "x.csv")]))
    return _of_examples(source, folder, file_format)


def from_parquet_examples(rows, folder):
    return from_examples(rows, folder, "parquet")


def from_examples_of_parquet(rows, folder):
    pq.write_table(pa.Table.from_pandas(frame(rows)), folder / "x.parquet")
    source = Rows.of_batches(read_parquet([str(folder / "x.parquet")]), missing="kindless")
    return _of_examples(source, folder, "tfrecords_gzip")


def _of_examples(source, folder, file_format):
    write_examples({"all": source}, Output(), str(folder / "examples"), file_format)
    files = str(folder / "examples/Split-all/*")
    if file_format == "parquet":
        return dv.generate_statistics_from_parquet(files)
    return dv.generate_statistics_from_tfrecord(files)


def from_arrow(rows, folder, empty=None):
    columns = {
        name: pa.array(
            [empty if value is None else [value] for value in values],
            pa.list_({"Int64": pa.int64(), "Float64": pa.float32(), "string": pa.string()}[kind]),
        )
        for (name, values), kind in zip(rows.items(), TYPES.values(), strict=True)
    }
    return dv.statistics_of_record_batches([pa.record_batch(columns)])


def from_arrow_with_empty_lists(rows, folder):
    return from_arrow(rows, folder, [])


PATHS = [
    from_csv,
    from_parquet,
    from_dataframe,
    from_examples,
    from_parquet_examples,
    from_examples_of_parquet,
    from_arrow,
    from_arrow_with_empty_lists,
]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    schema = dv.infer_schema(from_csv(TRAINING, tmp_path_factory.mktemp("training")))
    for name in ("fare", "stops"):
        dv.get_feature(schema, name).presence.min_fraction = 0.7
    schema.default_environment.append("TRAINING")
    anomalies = dv.validate_statistics(
        from_csv(TODAY, tmp_path_factory.mktemp("today")), schema, environment="TRAINING"
    )
    return schema, anomalies


@pytest.mark.parametrize("statistics_from", PATHS)
def test_one_schema_fits_all_forms(statistics_from, tmp_path, expected):
    schema, anomalies = expected
    training, today = tmp_path / "training", tmp_path / "today"
    training.mkdir()
    today.mkdir()
    statistics = statistics_from(TRAINING, training)
    inferred = dv.infer_schema(statistics)
    required = {f.name for f in inferred.feature if f.presence.min_fraction == 1}
    assert required == {"id"}
    for name in ("fare", "stops"):
        dv.get_feature(inferred, name).presence.min_fraction = 0.7
    inferred.default_environment.append("TRAINING")
    assert inferred == schema
    assert not dv.validate_statistics(statistics, schema).anomaly_info
    found = dv.validate_statistics(statistics_from(TODAY, today), schema, environment="TRAINING")
    assert found == anomalies
    assert set(found.anomaly_info) == {"id", "fare", "stops", "plan", "note"}
    assert dv.update_schema(schema, statistics) == schema


def test_the_least_presence_counts_rows_with_a_value(expected):
    _, anomalies = expected
    assert anomalies.anomaly_info["fare"].description == (
        "The feature was present in fewer examples than expected: minimum fraction = 0.700000, "
        "actual = 0.250000"
    )
    assert "shape" in anomalies.anomaly_info["id"].description


def test_lists_may_be_empty_where_the_schema_says_that_there_are_several_values():
    batch = pa.record_batch({"tags": pa.array([["a"], []], pa.list_(pa.string()))})
    statistics = dv.statistics_of_record_batches([batch])

    def anomalies(counts):
        schema = text_format.Parse(
            f"feature {{ name: 'tags' type: BYTES presence {{ min_fraction: 1 }} {counts} }}",
            schema_pb2.Schema(),
        )
        return [
            r.description
            for r in dv.validate_statistics(statistics, schema).anomaly_info["tags"].reason
        ]

    assert anomalies("value_count { max: 5 }") == []
    assert anomalies("value_count { min: 1 }") == ["Some examples have fewer values than expected."]
    missing = "The feature was present in fewer examples than expected: minimum fraction = 1.000000, actual = 0.500000"
    for univalent in ("", "value_count { max: 1 }", "value_count { min: 1 max: 1 }"):
        assert anomalies(univalent) == [missing]


def test_weights_are_read_alike():
    schema = text_format.Parse(
        "feature { name: 'x' type: INT presence { min_fraction: 0.9 } } feature { name: 'w' type: FLOAT }",
        schema_pb2.Schema(),
    )
    found = [
        dv.validate_statistics(
            dv.statistics_of_record_batches(
                [
                    pa.record_batch(
                        {"x": pa.array([[1], empty], pa.list_(pa.int64())), "w": [[3.0], [1.0]]}
                    )
                ],
                dv.StatsOptions(weight_feature="w"),
            ),
            schema,
        )
        .anomaly_info["x"]
        .description
        for empty in (None, [])
    ]
    assert found[0] == found[1]
    assert found[0].endswith("actual = 0.750000")


def test_rows_of_examples_without_a_required_value_are_found(tmp_path):
    source = tmp_path / "x.csv"
    source.write_text("id,fare\n1,1.5\n,2.5\n3,\n")
    write_examples({"all": csv_rows(CsvFiles([str(source)]))}, Output(), str(tmp_path / "examples"))
    schema = text_format.Parse(
        "feature { name: 'id' type: INT presence { min_fraction: 1 min_count: 1 } shape { dim { size: 1 } } } "
        "feature { name: 'fare' type: FLOAT presence { min_count: 1 } value_count { min: 1 max: 1 } }",
        schema_pb2.Schema(),
    )
    found = dv.validate_examples_in_tfrecord(
        str(tmp_path / "examples/Split-all/*"), dv.StatsOptions(schema=schema)
    )
    assert [(d.name, d.num_examples) for d in found.datasets] == [("id_SCHEMA_MISSING_COLUMN", 1)]
