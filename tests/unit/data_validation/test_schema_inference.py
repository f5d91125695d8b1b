import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.data_validation import (
    get_domain,
    get_feature,
    infer_schema,
    set_domain,
    statistics_of_record_batches,
    update_schema,
    validate_statistics,
)


def stats(**columns):
    return statistics_of_record_batches([pa.record_batch(columns)])


def inferred(column, **options):
    return infer_schema(stats(x=column), **options)


def feature_text(column, **options):
    return text_format.MessageToString(inferred(column, **options).feature[0], as_one_line=True)


EVERYWHERE = "presence { min_fraction: 1.0 min_count: 1 }"
ONE = "shape { dim { size: 1 } }"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([[5], [6]], f'name: "x" type: INT {EVERYWHERE} {ONE}'),
        ([[1.5], [2.5]], f'name: "x" type: FLOAT {EVERYWHERE} {ONE}'),
        (
            [[5], None],
            'name: "x" value_count { min: 1 max: 1 } type: INT presence { min_count: 1 }',
        ),
        ([[5], [6, 7]], f'name: "x" value_count {{ min: 1 }} type: INT {EVERYWHERE}'),
        # With at most one value a row an empty list is a missing cell, as null is.
        ([[5], []], 'name: "x" value_count { min: 1 max: 1 } type: INT presence { min_count: 1 }'),
        ([[5], [], [6, 7]], f'name: "x" type: INT {EVERYWHERE}'),
        ([[5, 6], [7, 8]], f'name: "x" type: INT {EVERYWHERE} shape {{ dim {{ size: 2 }} }}'),
        (
            [[[1, 2]], [[3, 4]]],
            f'name: "x" type: INT {EVERYWHERE} shape {{ dim {{ size: 1 }} dim {{ size: 2 }} }}',
        ),
        (
            [[[1], [2, 3]], [[4]]],
            f'name: "x" type: INT {EVERYWHERE} value_counts {{ value_count {{ min: 1 }} '
            "value_count { min: 1 } }",
        ),
        ([[0], [1]], f'name: "x" type: INT bool_domain {{ }} {EVERYWHERE} {ONE}'),
        ([[0], [0]], f'name: "x" type: INT {EVERYWHERE} {ONE}'),
        ([[-1], [1]], f'name: "x" type: INT {EVERYWHERE} {ONE}'),
        ([["7"], ["-8"]], f'name: "x" type: BYTES int_domain {{ }} {EVERYWHERE} {ONE}'),
        ([["7"], ["8.5"]], f'name: "x" type: BYTES domain: "x" {EVERYWHERE} {ONE}'),
        (
            [["true"], ["false"]],
            f'name: "x" type: BYTES bool_domain {{ true_value: "true" false_value: "false" }} '
            f"{EVERYWHERE} {ONE}",
        ),
        (
            [["true"], ["1"]],
            f'name: "x" type: BYTES domain: "x" {EVERYWHERE} {ONE}',
        ),
        ([[b"\xff"], [b"a"]], f'name: "x" type: BYTES {EVERYWHERE} {ONE}'),
    ],
)
def test_rules(column, expected):
    actual = text_format.Parse(feature_text(column), schema_pb2.Feature())
    assert actual == text_format.Parse(expected, schema_pb2.Feature())


def test_a_feature_that_never_occurs_may_be_absent():
    text = feature_text(pa.nulls(2))
    assert text.strip() == 'name: "x" type: BYTES presence { min_count: 0 }'


def test_without_shapes():
    assert "value_count { min: 1 max: 1 }" in feature_text([[5], [6]], infer_feature_shape=False)


def test_string_domains_are_sorted_and_limited():
    schema = inferred([["b"], ["a"], ["ab"]])
    assert list(schema.string_domain[0].value) == ["a", "ab", "b"]
    values = [[f"v{i}"] for i in range(5)]
    assert not inferred(values, max_string_domain_size=4).string_domain
    assert len(inferred(values, max_string_domain_size=5).string_domain) == 1


def test_domain_names_do_not_clash():
    schema = schema_pb2.Schema(string_domain=[{"name": "x"}])
    updated = update_schema(schema, stats(x=[["a"], ["b"]]))
    assert updated.feature[0].domain == "x2"


def test_structs_are_descended():
    schema = infer_schema(stats(s=pa.array([[{"a": [1]}], [{"a": [2]}]])))
    assert schema.feature[0].type == schema_pb2.STRUCT
    assert get_feature(schema, ("s", "a")).type == schema_pb2.INT
    assert not validate_statistics(
        stats(s=pa.array([[{"a": [1]}], [{"a": [2]}]])), schema
    ).anomaly_info


def test_transformations_are_applied_in_turn():
    def rename(schema, statistics):
        schema.feature[0].name += str(statistics.num_examples)
        return schema

    schema = infer_schema(stats(x=[[1], [2]]), schema_transformations=[rename, rename])
    assert schema.feature[0].name == "x22"


def test_an_inferred_schema_accepts_its_data():
    data = stats(a=[[1], None, [3]], b=[["x"], ["y"], []], c=[[1.5, 2.5], [], None], d=pa.nulls(3))
    assert not validate_statistics(data, infer_schema(data)).anomaly_info


def test_update_widens_and_deprecates():
    schema = infer_schema(stats(a=[["x"], ["y"]], gone=[[1], [2]]))
    updated = update_schema(schema, stats(a=[["z"], ["x"]], new=[[1.0], [2.0]]))
    assert list(get_domain(updated, "a").value) == ["x", "y", "z"]
    assert get_feature(updated, "gone").lifecycle_stage == schema_pb2.DEPRECATED
    assert get_feature(updated, "new").type == schema_pb2.FLOAT


def test_update_fixes_structs_and_what_is_inside_of_them():
    first = stats(s=pa.array([[{"a": ["x"]}], [{"a": ["y"]}]]))
    second = stats(s=pa.array([[{"a": ["z"]}], None]))
    updated = update_schema(infer_schema(first), second)
    assert get_feature(updated, "s").presence.min_fraction == 0.5
    assert list(get_domain(updated, ("s", "a")).value) == ["x", "y", "z"]
    assert not get_feature(updated, ("s", "a")).HasField("lifecycle_stage")
    for data in (first, second):
        assert not validate_statistics(data, updated).anomaly_info


def test_domains_are_set_and_found():
    schema = infer_schema(stats(a=[[5], [6]], b=[["x"], ["y"]]))
    set_domain(schema, "a", schema_pb2.IntDomain(min=0, max=9))
    assert get_domain(schema, "a").max == 9
    set_domain(schema, "a", "b")
    assert get_domain(schema, "a").name == "b"
    with pytest.raises(
        ValueError, match=r"Feature zz not found in the schema. Features: \['a', 'b'\]"
    ):
        get_feature(schema, "zz")
    with pytest.raises(
        ValueError, match="Invalid global string domain 'zz'. The schema has: \\['b'\\]"
    ):
        set_domain(schema, "a", "zz")
    with pytest.raises(TypeError, match="domain is of type int"):
        set_domain(schema, "a", 7)
