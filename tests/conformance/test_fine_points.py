"""Where the reference decides in ways that one would not guess; each case was compared with it."""

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from penstock.data_validation import infer_schema, update_schema, validate_statistics

COMMON = "common_stats { num_non_missing: 4 min_num_values: 1 max_num_values: 1 tot_num_values: 4 }"


def schema_of(text):
    return text_format.Parse(text, schema_pb2.Schema())


def stats_of(*features, rows=4, weight=0.0):
    dataset = statistics_pb2.DatasetFeatureStatistics(
        num_examples=rows, weighted_num_examples=weight
    )
    for text in features:
        text_format.Parse(text, dataset.features.add())
    return statistics_pb2.DatasetFeatureStatisticsList(datasets=[dataset])


def strings(*values, path="x", common=COMMON):
    feature = statistics_pb2.FeatureNameStatistics(type="STRING", path={"step": [path]})
    text_format.Parse(common, feature.string_stats)
    feature.string_stats.unique = len(values)
    for value in values:
        feature.string_stats.rank_histogram.buckets.add(label=value, sample_count=1)
    return text_format.MessageToString(feature)


def numbers(kind, low, high, path="x", extra=""):
    steps = " ".join(f'step: "{step}"' for step in path.split("."))
    return (
        f"path {{ {steps} }} type: {kind} num_stats {{ {COMMON} min: {low} max: {high} {extra} }}"
    )


def reasons(found, name="x"):
    return [anomalies_pb2.AnomalyInfo.Type.Name(r.type) for r in found.anomaly_info[name].reason]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.", 1),
        (" -.5\t", -0.5),
        ("1e3", 1000),
        ("0x10", 16),
        ("-0X1.8p+1", -3),
        ("0x.8", 0.5),
        ("1e39", float("inf")),
        ("-0x1p2000", float("-inf")),
        ("INFINITY", float("inf")),
        *(
            (text, None)
            for text in ("", ".", "1_0", "0x", "0x1p", "1e", "1f", "٣", "\xa01", "1\x1c")
        ),
    ],
)
def test_strings_are_floats_as_c_reads_them(text, number):
    schema = schema_of('feature { name: "x" type: BYTES float_domain { min: 77 max: 77 } }')
    updated = update_schema(schema, stats_of(strings(text))).feature[0]
    if number is None:
        assert updated.WhichOneof("domain_info") is None
    else:
        assert number in (updated.float_domain.min, updated.float_domain.max)


@pytest.mark.parametrize("text", ["nan", "-NaN", "nan(ab_1)"])
def test_strings_are_nan_as_c_reads_them(text):
    schema = schema_of('feature { name: "x" type: BYTES float_domain { disallow_nan: true } }')
    assert reasons(validate_statistics(stats_of(strings(text)), schema)) == ["FLOAT_TYPE_HAS_NAN"]


@pytest.mark.parametrize(
    ("text", "domain"), [("+7 ", "int_domain"), ("٣", "domain"), ("\xa07", "domain")]
)
def test_strings_are_integers_in_ascii_only(text, domain):
    assert infer_schema(stats_of(strings(text))).feature[0].WhichOneof("domain_info") == domain


@pytest.mark.parametrize("domain", ["int_domain { min: 0 max: 1 }", "bool_domain {}"])
def test_the_greatest_int64_fits_although_statistics_round_it_up(domain):
    schema = schema_of(f'feature {{ name: "x" type: INT {domain} }}')
    updated = update_schema(schema, stats_of(numbers("INT", -9223372036854775808, 2**63)))
    assert updated.feature[0].int_domain == schema_pb2.IntDomain(min=-(2**63), max=2**63 - 1)


def test_an_update_counts_the_values_of_new_features_but_infers_no_shape():
    data = stats_of(numbers("INT", 1, 2))
    (inferred,) = infer_schema(data).feature
    assert [dim.size for dim in inferred.shape.dim] == [1]
    for infer_feature_shape in (True, False):
        (added,) = update_schema(schema_pb2.Schema(), data, infer_feature_shape).feature
        assert (added.HasField("shape"), added.value_count.min, added.value_count.max) == (
            False,
            1,
            1,
        )


def test_distances_are_listed_in_one_order():
    limits = "threshold: 1"
    schema = schema_of(
        'feature { name: "x" type: BYTES drift_comparator { '
        f"jensen_shannon_divergence {{ {limits} }} infinity_norm {{ {limits} }} "
        f"normalized_abs_difference {{ {limits} }} }} }}"
    )
    data = stats_of(strings("a", "b"))
    (info,) = validate_statistics(data, schema, previous_statistics=data).drift_skew_info
    kinds = anomalies_pb2.DriftSkewInfo.Measurement
    assert [measured.type for measured in info.drift_measurements] == [
        kinds.L_INFTY,
        kinds.NORMALIZED_ABSOLUTE_DIFFERENCE,
        kinds.JENSEN_SHANNON_DIVERGENCE,
    ]


def test_empty_statistics_are_no_baseline_but_those_of_other_features_are():
    schema = schema_of(
        'feature { name: "x" type: BYTES drift_comparator { infinity_norm { threshold: 0.1 } } }'
    )
    data = stats_of(strings("a"))
    empty = validate_statistics(data, schema, previous_statistics=stats_of(rows=0))
    assert not empty.anomaly_info
    other = validate_statistics(data, schema, previous_statistics=stats_of(rows=5))
    assert reasons(other) == ["COMPARATOR_CONTROL_DATA_MISSING"]


def test_a_baseline_of_another_type_is_refused_even_without_rows():
    with pytest.raises(TypeError, match="previous_statistics is of type str"):
        validate_statistics(stats_of(rows=0), schema_pb2.Schema(), previous_statistics="yesterday")


STRUCT = f'path {{ step: "s" }} type: STRUCT struct_stats {{ {COMMON} }}'


@pytest.mark.parametrize(
    ("parent", "reported"),
    [
        ("type: STRUCT struct_domain {}", ["s.x"]),
        ("struct_domain {}", ["s"]),  # without a type the fix is to deprecate it
        ("type: INT", ["s"]),
        ("type: STRUCT lifecycle_stage: PLANNED", []),
    ],
)
def test_what_is_inside_of_a_feature_that_is_given_up_is_not_checked(parent, reported):
    data = stats_of(STRUCT, numbers("INT", 1, 2, path="s.x"))
    found = validate_statistics(data, schema_of(f'feature {{ name: "s" {parent} }}'))
    assert list(found.anomaly_info) == reported


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("FLOAT", ["DERIVED_FEATURE_BAD_LIFECYCLE"]), ("BYTES", ["UNEXPECTED_DATA_TYPE"])],
)
def test_a_feature_of_another_type_is_not_asked_for_its_lifecycle(kind, expected):
    schema = schema_of(
        f'feature {{ name: "x" type: {kind} validation_derived_source {{ deriver_name: "d" }} }}'
    )
    data = stats_of(numbers("FLOAT", 1, 2) + ' validation_derived_source { deriver_name: "d" }')
    assert reasons(validate_statistics(data, schema)) == expected


def test_values_that_nobody_counted_are_all_outside_of_the_domain():
    schema = schema_of(
        'feature { name: "x" type: BYTES string_domain { value: "a" } '
        "distribution_constraints { min_domain_mass: 0.1 } }"
    )
    uncounted = strings("a", "b", common="common_stats { num_non_missing: 4 }")
    (reason,) = validate_statistics(stats_of(uncounted), schema).anomaly_info["x"].reason
    assert reason.description == "Examples contain values missing from the schema: b (?). "
    assert not validate_statistics(stats_of(strings("a", "b")), schema).anomaly_info


def test_of_two_domains_of_one_name_the_first_counts():
    schema = schema_of(
        'feature { name: "x" type: BYTES domain: "D" } string_domain { name: "D" value: "a" } '
        'string_domain { name: "D" value: "b" }'
    )
    updated = update_schema(schema, stats_of(strings("a", "b")))
    assert [list(domain.value) for domain in updated.string_domain] == [["a", "b"], ["b"]]


def test_the_specification_in_a_description_is_ascii():
    schema = schema_of('feature { name: "é" type: BYTES int_domain {} }')
    data = stats_of(f'path {{ step: "é" }} type: BYTES bytes_stats {{ {COMMON} }}')
    description = validate_statistics(data, schema).anomaly_info["é"].description
    assert description.endswith('domain_info: name: "\\303\\251"\ntype: BYTES\n')


def test_weights_hold_beside_features_that_have_no_counts():
    weighted = "weighted_common_stats { num_non_missing: 1 num_missing: 3 }"
    data = stats_of(
        numbers("INT", 1, 2).replace("common_stats {", f"common_stats {{ {weighted}", 1),
        'path { step: "sparse" } custom_stats { name: "missing_value" num: 0 }',
        weight=4.0,
    )
    schema = schema_of(
        'feature { name: "x" type: INT presence { min_fraction: 0.5 } } '
        'sparse_feature { name: "sparse" }'
    )
    assert reasons(validate_statistics(data, schema)) == ["FEATURE_TYPE_LOW_FRACTION_PRESENT"]


def test_parts_of_a_weighted_feature_are_reported_in_the_order_of_the_statistics():
    schema = schema_of('weighted_feature { name: "x" }')
    stats = ('name: "missing_weight" num: 2', 'name: "missing_value" num: 1')
    for order, first in ((stats, "WEIGHT"), (stats[::-1], "VALUE")):
        custom = "".join(f"custom_stats {{ {stat} }}" for stat in order)
        found = validate_statistics(stats_of(f'path {{ step: "x" }} {custom}'), schema)
        assert reasons(found)[0] == f"WEIGHTED_FEATURE_MISSING_{first}"


def test_only_new_features_that_are_needed_are_reported():
    data = stats_of(numbers("INT", 1, 2), numbers("INT", 1, 2, path="y"))
    found = validate_statistics(data, schema_pb2.Schema(), features_needed=[("y",)])
    assert list(found.anomaly_info) == ["y"]
    assert set(validate_statistics(data, schema_pb2.Schema()).anomaly_info) == {"x", "y"}


@pytest.mark.parametrize(
    ("severities", "severity"),
    [({}, 2), ({"INT_TYPE_SMALL_INT": "WARNING"}, 2), ({"INT_TYPE_SMALL_INT": "UNKNOWN"}, 2)],
)
def test_the_greatest_severity_of_several_reasons_counts(severities, severity):
    schema = schema_of('feature { name: "x" type: INT int_domain { min: 5 max: 6 } }')
    data = stats_of(numbers("INT", 1, 9))
    found = validate_statistics(data, schema, severity_overrides=severities)
    assert found.anomaly_info["x"].severity == severity
    warned = validate_statistics(
        data, schema, severity_overrides={**severities, "INT_TYPE_BIG_INT": "WARNING"}
    )
    assert (warned.anomaly_info["x"].severity == 1) == bool(severities)


def test_what_is_of_unknown_severity_alone_is_not_reported():
    schema = schema_of(
        'feature { name: "x" type: INT int_domain { min: 5 } } '
        'feature { name: "m" type: INT presence { min_count: 1 } }'
    )
    silenced = {"INT_TYPE_SMALL_INT": "UNKNOWN", "SCHEMA_MISSING_COLUMN": "UNKNOWN"}
    data = stats_of(numbers("INT", 1, 9))
    assert not validate_statistics(data, schema, severity_overrides=silenced).anomaly_info


def test_a_maximum_of_rows_holds_alone():
    """The reference looks at it only beside a minimum."""
    schema = schema_of(
        'feature { name: "x" type: INT } dataset_constraints { max_examples_count: 3 }'
    )
    (reason,) = validate_statistics(
        stats_of(numbers("INT", 1, 2)), schema
    ).dataset_anomaly_info.reason
    assert reason.description == "The dataset has 4 examples, which is more than expected."


def test_nan_is_drift_whatever_the_buckets():
    """The reference counts it only where both histograms have the same bounds."""
    schema = schema_of(
        'feature { name: "x" type: FLOAT drift_comparator { '
        "jensen_shannon_divergence { threshold: 0.4 } } }"
    )

    def data(nan, high):
        buckets = f"buckets {{ low_value: 0 high_value: {high} sample_count: 4 }}"
        return stats_of(
            numbers("FLOAT", 0, high, extra=f"histograms {{ num_nan: {nan} {buckets} }}")
        )

    for high in (1, 1.0001):
        found = validate_statistics(data(12, high), schema, previous_statistics=data(0, 1))
        assert reasons(found) == ["COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH"]
    same = validate_statistics(data(0, 1.0001), schema, previous_statistics=data(0, 1))
    assert not same.anomaly_info
