"""Numbers that a schema makes the statistics count like words are checked like other numbers."""

import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock import data_validation as dv


def anomalies(values, domain, kind, with_schema):
    schema = text_format.Parse(
        f"feature {{ name: 'x' type: {kind} {domain} }}", schema_pb2.Schema()
    )
    number = pa.int64() if kind == "INT" else pa.float32()
    batch = pa.record_batch({"x": pa.array([[value] for value in values], pa.list_(number))})
    options = dv.StatsOptions(schema=schema if with_schema else None)
    statistics = dv.statistics_of_record_batches([batch], options)
    found = dv.validate_statistics(statistics, schema)
    fixed = dv.update_schema(schema, statistics)
    assert not dv.validate_statistics(statistics, fixed).anomaly_info
    return [(r.description) for r in found.anomaly_info["x"].reason]


@pytest.mark.parametrize(
    ("values", "domain", "kind", "expected"),
    [
        ([0, 1], "bool_domain {}", "INT", []),
        ([0, 0], "bool_domain {}", "INT", []),
        ([0, 1, 7, -1], "bool_domain {}", "INT", ["Integers (such as -1) not in {0, 1}: converting to an integer."]),
        ([0, 7], "bool_domain {}", "INT", ["Integers (such as 7) not in {0, 1}: converting to an integer."]),
        ([2, 9], "int_domain { is_categorical: true min: 3 max: 8 }", "INT",
         ["Unexpectedly small value: 2.", "Unexpectedly large value: 9."]),
        ([3.0, 8.0], "float_domain { is_categorical: true min: 3 max: 8 }", "FLOAT", []),
        ([2.0, 9.5], "float_domain { is_categorical: true min: 3 max: 8 }", "FLOAT",
         ["Unexpectedly low values: 2<3(upto six significant digits)",
          "Unexpectedly high value: 9.5>8(upto six significant digits)"]),
        ([float("inf"), 1.0], "float_domain { is_categorical: true disallow_inf: true }", "FLOAT",
         ["Float feature has Inf values."]),
        ([float("nan"), 1.0], "float_domain { is_categorical: true disallow_nan: true }", "FLOAT",
         ["Float feature has NaN values."]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("with_schema", [True, False])
def test_bounds(values, domain, kind, expected, with_schema):
    assert anomalies(values, domain, kind, with_schema) == expected


def test_unsigned_categories_beyond_int64_are_counted():
    big = 2**64 - 1
    schema = schema_pb2.Schema()
    schema.feature.add(name="id", type=schema_pb2.INT).int_domain.is_categorical = True
    batches = [
        pa.record_batch({"id": pa.array([big, big, 1], pa.uint64())}),
        pa.record_batch({"id": pa.array([1, 2], pa.int64())}),
    ]
    (feature,) = (
        dv.statistics_of_record_batches(batches, dv.StatsOptions(schema=schema))
        .datasets[0]
        .features
    )
    top = {each.value: each.frequency for each in feature.string_stats.top_values}
    assert top == {str(big): 2, "1": 2, "2": 1}
