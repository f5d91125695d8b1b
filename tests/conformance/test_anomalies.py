"""For each anomaly type that the reference emits: what raises it, and what is just inside the limit.

The cases are tensorflow-metadata text protos; `test_every_type_has_both_cases` keeps the tables whole.
"""

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from penstock.data_validation import update_schema, validate_statistics

ANY = "presence { min_fraction: 0 }"


def schema_of(text):
    return text_format.Parse(text, schema_pb2.Schema())


def stats_of(*features, rows=10, weighted_rows=0.0):
    dataset = statistics_pb2.DatasetFeatureStatistics(
        num_examples=rows, weighted_num_examples=weighted_rows
    )
    for text in features:
        text_format.Parse(text, dataset.features.add())
    return statistics_pb2.DatasetFeatureStatisticsList(datasets=[dataset])


COMMON = (
    "common_stats { num_non_missing: 10 min_num_values: 1 max_num_values: 1 tot_num_values: 10 }"
)


def numbers(kind, low, high, common=COMMON, extra=""):
    low_high = f"min: {low} max: {high}"
    return f'path {{ step: "x" }} type: {kind} num_stats {{ {common} {low_high} {extra} }}'


def strings(values, common=COMMON, extra="", path="x"):
    buckets = "".join(
        f'buckets {{ label: "{value}" sample_count: {count} }}' for value, count in values.items()
    )
    return (
        f'path {{ step: "{path}" }} type: STRING string_stats {{ {common} unique: {len(values)} '
        f"rank_histogram {{ {buckets} }} {extra} }}"
    )


def common(present=10, missing=0, low=1, high=1):
    return (
        f"common_stats {{ num_non_missing: {present} num_missing: {missing} min_num_values: {low} "
        f"max_num_values: {high} tot_num_values: {present * high} }}"
    )


def custom(*stats):
    return (
        'path { step: "x" } type: STRING string_stats { '
        + COMMON
        + " } "
        + " ".join(f"custom_stats {{ {stat} }}" for stat in stats)
    )


def x(body, kind="INT"):
    return f'feature {{ name: "x" type: {kind} {body} }}'


def reasons(found, path="x"):
    info = found.dataset_anomaly_info if path is None else found.anomaly_info[path]
    return [anomalies_pb2.AnomalyInfo.Type.Name(reason.type) for reason in info.reason]


NESTED = (
    "common_stats { num_non_missing: 10 min_num_values: 1 max_num_values: 1 "
    "presence_and_valency_stats { num_non_missing: 10 min_num_values: 1 max_num_values: 1 } "
    "presence_and_valency_stats { num_non_missing: 10 min_num_values: 1 max_num_values: 3 } }"
)
NAN = "histograms { num_nan: 1 }"


def image(size, known, unknown):
    return (
        f'path {{ step: "x" }} type: BYTES bytes_stats {{ {COMMON} max_num_bytes_int: {size} }} '
        f'custom_stats {{ name: "image_format_histogram" rank_histogram {{ '
        f'buckets {{ label: "jpeg" sample_count: {known} }} '
        f'buckets {{ label: "UNKNOWN" sample_count: {unknown} }} }} }}'
    )


def ranks(name, label, count):
    return (
        f'name: "{name}" rank_histogram {{ buckets {{ label: "{label}" sample_count: {count} }} }}'
    )


def language(body):
    statistics = text_format.Parse(body, statistics_pb2.NaturalLanguageStatistics())
    feature = statistics_pb2.FeatureNameStatistics()
    text_format.Parse(strings({"a": 10}), feature)
    stat = feature.custom_stats.add(name="nl_statistics")
    stat.any.Pack(statistics)
    return text_format.MessageToString(feature)


def nl(body):
    return x(f"natural_language_domain {{ {body} }}", "BYTES")


def token(limit):
    return nl(f'token_constraints {{ string_value: "t" {limit} }}')


TOKENS = language(
    'feature_coverage: 0.5 avg_token_length: 4 token_statistics { string_token: "t" '
    "fraction_of_sequences: 0.5 per_sequence_min_frequency: 2 per_sequence_max_frequency: 3 }"
)
SPARSE = 'sparse_feature { name: "x" index_feature { name: "i" } value_feature { name: "v" } }'
WEIGHTED = (
    'weighted_feature { name: "x" feature { step: "v" } weight_feature { step: "w" } '
    "lifecycle_stage: PRODUCTION }"
)

# type, schema, statistics that raise it, statistics just inside the limit
CASES = [
    ("BOOL_TYPE_SMALL_INT", x("bool_domain {}"), numbers("INT", -1, 1), numbers("INT", 0, 1)),
    ("BOOL_TYPE_BIG_INT", x("bool_domain {}"), numbers("INT", 0, 2), numbers("INT", 0, 1)),
    (
        "BOOL_TYPE_UNEXPECTED_FLOAT",
        x("bool_domain {}", "FLOAT"),
        numbers("FLOAT", 0, 0.5),
        numbers("FLOAT", 0, 1),
    ),
    (
        "BOOL_TYPE_UNEXPECTED_FLOAT",
        x("bool_domain {}", "FLOAT"),
        numbers("FLOAT", 0, 1, extra=NAN),
        numbers("FLOAT", 0, 1, extra="histograms { num_nan: 0 }"),
    ),
    (
        "BOOL_TYPE_UNEXPECTED_STRING",
        x('bool_domain { true_value: "yes" false_value: "no" }', "BYTES"),
        strings({"maybe": 1, "yes": 9}),
        strings({"no": 1, "yes": 9}),
    ),
    (
        "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
        x('string_domain { value: "a" }', "BYTES"),
        strings({"a": 9, "b": 1}),
        strings({"a": 10}),
    ),
    (
        "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
        x(
            'string_domain { value: "a" } distribution_constraints { min_domain_mass: 0.8 }',
            "BYTES",
        ),
        strings({"a": 7, "b": 3}),
        strings({"a": 9, "b": 1}),
    ),
    (
        "ENUM_TYPE_INVALID_UTF8",
        x('string_domain { value: "a" }', "BYTES"),
        strings({"a": 10}, extra="invalid_utf8_count: 1"),
        strings({"a": 10}, extra="invalid_utf8_count: 0"),
    ),
    (
        "FEATURE_TYPE_LOW_NUMBER_VALUES",
        x("value_count { min: 2 }"),
        numbers("INT", 0, 9, common(low=1, high=3)),
        numbers("INT", 0, 9, common(low=2, high=3)),
    ),
    (
        "FEATURE_TYPE_HIGH_NUMBER_VALUES",
        x("value_count { max: 2 }"),
        numbers("INT", 0, 9, common(low=1, high=3)),
        numbers("INT", 0, 9, common(low=1, high=2)),
    ),
    (
        "FEATURE_TYPE_HIGH_NUMBER_VALUES",
        x("value_counts { value_count { max: 1 } value_count { max: 2 } }"),
        numbers("INT", 0, 9, NESTED),
        numbers("INT", 0, 9, NESTED.replace("max_num_values: 3", "max_num_values: 2")),
    ),
    (
        "VALUE_NESTEDNESS_MISMATCH",
        x("value_count { min: 1 }"),
        numbers("INT", 0, 9, NESTED),
        numbers("INT", 0, 9),
    ),
    (
        "VALUE_NESTEDNESS_MISMATCH",
        x("value_counts { value_count { min: 1 } value_count { min: 1 } }"),
        numbers("INT", 0, 9),
        numbers("INT", 0, 9, NESTED),
    ),
    (
        "INVALID_FEATURE_SHAPE",
        x("shape { dim { size: 1 } }"),
        numbers("INT", 0, 9, common(low=1, high=2)),
        numbers("INT", 0, 9),
    ),
    (
        "INVALID_FEATURE_SHAPE",
        x("shape { dim { size: 2 } dim { size: 2 } }"),
        numbers("INT", 0, 9, common(low=3, high=3)),
        numbers("INT", 0, 9, common(low=4, high=4)),
    ),
    (
        "INVALID_FEATURE_SHAPE",
        x("shape {}"),
        numbers("INT", 0, 9, common(9, 1)),
        numbers("INT", 0, 9, common(10, 0)),
    ),
    (
        "FEATURE_TYPE_LOW_NUMBER_PRESENT",
        x("presence { min_count: 9 }"),
        numbers("INT", 0, 9, common(8, 2)),
        numbers("INT", 0, 9, common(9, 1)),
    ),
    (
        "FEATURE_TYPE_LOW_FRACTION_PRESENT",
        x("presence { min_fraction: 0.9 }"),
        numbers("INT", 0, 9, common(8, 2)),
        numbers("INT", 0, 9, common(10, 0)),
    ),
    (
        "FEATURE_TYPE_NOT_PRESENT",
        x("presence { min_count: 1 }"),
        numbers("INT", 0, 9, common(0, 10)),
        numbers("INT", 0, 9, common(1, 9)),
    ),
    (
        "FEATURE_TYPE_LOW_UNIQUE",
        x("unique_constraints { min: 2 max: 5 }", "BYTES"),
        strings({"a": 10}),
        strings({"a": 5, "b": 5}),
    ),
    (
        "FEATURE_TYPE_HIGH_UNIQUE",
        x("unique_constraints { min: 1 max: 1 }", "BYTES"),
        strings({"a": 5, "b": 5}),
        strings({"a": 10}),
    ),
    (
        "FEATURE_TYPE_NO_UNIQUE",
        x("unique_constraints { min: 1 max: 1 }", "INT"),
        numbers("INT", 0, 9),
        strings({"1": 10}).replace("type: STRING", "type: INT"),
    ),
    (
        "FLOAT_TYPE_BIG_FLOAT",
        x("float_domain { max: 1 }", "FLOAT"),
        numbers("FLOAT", 0, 1.5),
        numbers("FLOAT", 0, 1),
    ),
    (
        "FLOAT_TYPE_SMALL_FLOAT",
        x("float_domain { min: 0 }", "FLOAT"),
        numbers("FLOAT", -0.5, 1),
        numbers("FLOAT", 0, 1),
    ),
    (
        "FLOAT_TYPE_STRING_NOT_FLOAT",
        x("float_domain {}", "BYTES"),
        strings({"1.5": 9, "x": 1}),
        strings({"1.5": 9, "nan": 1}),
    ),
    (
        "FLOAT_TYPE_HAS_NAN",
        x("float_domain { disallow_nan: true }", "FLOAT"),
        numbers("FLOAT", 0, 1, extra=NAN),
        numbers("FLOAT", 0, 1),
    ),
    (
        "FLOAT_TYPE_HAS_INF",
        x("float_domain { disallow_inf: true }", "FLOAT"),
        numbers("FLOAT", 0, "inf"),
        numbers("FLOAT", 0, 3e38),
    ),
    (
        "INT_TYPE_BIG_INT",
        x("int_domain { max: 9 }"),
        numbers("INT", 0, 10),
        numbers("INT", 0, 9),
    ),
    (
        "INT_TYPE_SMALL_INT",
        x("int_domain { min: 0 }"),
        numbers("INT", -1, 9),
        numbers("INT", 0, 9),
    ),
    (
        "INT_TYPE_NOT_INT_STRING",
        x("int_domain {}", "BYTES"),
        strings({"1": 9, "x": 1}),
        strings({"1": 9, "-7": 1}),
    ),
    (
        "DOMAIN_INVALID_FOR_TYPE",
        x("int_domain {}", "FLOAT"),
        numbers("FLOAT", 0, 1),
        None,
    ),
    (
        "LOW_SUPPORTED_IMAGE_FRACTION",
        x("image_domain { minimum_supported_image_fraction: 0.9 }", "BYTES"),
        image(size=9, known=8, unknown=2),
        image(size=9, known=9, unknown=1),
    ),
    (
        "MAX_IMAGE_BYTE_SIZE_EXCEEDED",
        x("image_domain { max_image_byte_size: 100 }", "BYTES"),
        image(size=101, known=9, unknown=1),
        image(size=100, known=9, unknown=1),
    ),
    ("STATS_NOT_AVAILABLE", token("min_per_sequence: 1"), strings({"a": 10}), TOKENS),
    ("FEATURE_COVERAGE_TOO_LOW", nl("coverage { min_coverage: 0.75 }"), TOKENS, None),
    (
        "FEATURE_COVERAGE_TOO_SHORT_AVG_TOKEN_LENGTH",
        nl("coverage { min_avg_token_length: 5 }"),
        TOKENS,
        None,
    ),
    ("SEQUENCE_VALUE_TOO_FEW_OCCURRENCES", token("min_per_sequence: 3"), TOKENS, None),
    ("SEQUENCE_VALUE_TOO_MANY_OCCURRENCES", token("max_per_sequence: 2"), TOKENS, None),
    ("SEQUENCE_VALUE_TOO_SMALL_FRACTION", token("min_fraction_of_sequences: 0.75"), TOKENS, None),
    ("SEQUENCE_VALUE_TOO_LARGE_FRACTION", token("max_fraction_of_sequences: 0.25"), TOKENS, None),
    ("SCHEMA_NEW_COLUMN", "", numbers("INT", 0, 9), None),
    ("UNEXPECTED_DATA_TYPE", x("", "BYTES"), numbers("INT", 0, 9), strings({"a": 10})),
    (
        "SPARSE_FEATURE_MISSING_VALUE",
        SPARSE,
        custom('name: "missing_value" num: 1'),
        custom('name: "missing_value" num: 0'),
    ),
    (
        "SPARSE_FEATURE_MISSING_INDEX",
        SPARSE,
        custom(ranks("missing_index", "i", 1)),
        custom(ranks("missing_index", "i", 0)),
    ),
    (
        "SPARSE_FEATURE_LENGTH_MISMATCH",
        SPARSE,
        custom(ranks("max_length_diff", "i", 2)),
        custom(ranks("max_length_diff", "i", 0)),
    ),
    ("SPARSE_FEATURE_NAME_COLLISION", SPARSE + x(""), numbers("INT", 0, 9), None),
    (
        "WEIGHTED_FEATURE_MISSING_VALUE",
        WEIGHTED,
        custom('name: "missing_value" num: 1'),
        custom('name: "missing_value" num: 0'),
    ),
    (
        "WEIGHTED_FEATURE_MISSING_WEIGHT",
        WEIGHTED,
        custom('name: "missing_weight" num: 1'),
        custom('name: "missing_weight" num: 0'),
    ),
    (
        "WEIGHTED_FEATURE_LENGTH_MISMATCH",
        WEIGHTED,
        custom('name: "min_weight_length_diff" num: -1'),
        custom('name: "min_weight_length_diff" num: 0'),
    ),
    ("WEIGHTED_FEATURE_NAME_COLLISION", WEIGHTED + x(""), numbers("INT", 0, 9), None),
    (
        "SEMANTIC_DOMAIN_UPDATE",
        x("", "BYTES"),
        custom('name: "domain_info" str: "image_domain {}"'),
        custom('name: "domain_info" str: "not a domain"'),
    ),
    ("FEATURE_MISSING_TYPE", 'feature { name: "x" }', numbers("INT", 0, 9), None),
    (
        "INVALID_SCHEMA_SPECIFICATION",
        x("value_count { min: 2 max: 1 }"),
        numbers("INT", 0, 9, common(low=2, high=2)),
        None,
    ),
    (
        "INVALID_SCHEMA_SPECIFICATION",
        x("distribution_constraints { min_domain_mass: 0.5 } int_domain {}"),
        numbers("INT", 0, 9),
        None,
    ),
    ("INVALID_DOMAIN_SPECIFICATION", x('domain: "gone"', "BYTES"), strings({"a": 10}), None),
    (
        "DERIVED_FEATURE_INVALID_SOURCE",
        x(""),
        numbers("INT", 0, 9) + ' validation_derived_source { deriver_name: "d" }',
        numbers("INT", 0, 9),
    ),
    (
        "DERIVED_FEATURE_BAD_LIFECYCLE",
        x('validation_derived_source { deriver_name: "d" } lifecycle_stage: PRODUCTION'),
        numbers("INT", 0, 9),
        None,
    ),
]


# The same types just inside the limit, where the schema and not the statistics make the difference.
INSIDE = [
    ("DOMAIN_INVALID_FOR_TYPE", x("int_domain {}", "INT"), numbers("INT", 0, 1)),
    ("FEATURE_COVERAGE_TOO_LOW", nl("coverage { min_coverage: 0.5 }"), TOKENS),
    (
        "FEATURE_COVERAGE_TOO_SHORT_AVG_TOKEN_LENGTH",
        nl("coverage { min_avg_token_length: 4 }"),
        TOKENS,
    ),
    ("SEQUENCE_VALUE_TOO_FEW_OCCURRENCES", token("min_per_sequence: 2"), TOKENS),
    ("SEQUENCE_VALUE_TOO_MANY_OCCURRENCES", token("max_per_sequence: 3"), TOKENS),
    ("SEQUENCE_VALUE_TOO_SMALL_FRACTION", token("min_fraction_of_sequences: 0.5"), TOKENS),
    ("SEQUENCE_VALUE_TOO_LARGE_FRACTION", token("max_fraction_of_sequences: 0.5"), TOKENS),
    ("SCHEMA_NEW_COLUMN", x(""), numbers("INT", 0, 9)),
    ("SCHEMA_MISSING_COLUMN", x(ANY), None),
    ("SPARSE_FEATURE_NAME_COLLISION", SPARSE + x("lifecycle_stage: DEPRECATED"), custom()),
    ("WEIGHTED_FEATURE_NAME_COLLISION", WEIGHTED, custom()),
    ("FEATURE_MISSING_TYPE", x(""), numbers("INT", 0, 9)),
    ("FEATURE_MISSING_NAME", 'feature { name: "" type: INT }', None),
    (
        "INVALID_SCHEMA_SPECIFICATION",
        x("value_count { min: 2 max: 2 }"),
        numbers("INT", 0, 9, common(low=2, high=2)),
    ),
    (
        "INVALID_DOMAIN_SPECIFICATION",
        x('domain: "there"', "BYTES") + 'string_domain { name: "there" value: "a" }',
        strings({"a": 10}),
    ),
    (
        "DERIVED_FEATURE_BAD_LIFECYCLE",
        x('validation_derived_source { deriver_name: "d" } lifecycle_stage: VALIDATION_DERIVED'),
        numbers("INT", 0, 9),
    ),
]


@pytest.mark.parametrize(("kind", "schema", "stats"), INSIDE, ids=lambda v: str(v)[:40])
def test_just_inside(kind, schema, stats):
    assert kind
    found = validate_statistics(stats_of(*[stats] if stats else []), schema_of(schema))
    assert not found.anomaly_info


# What other tests of this file raise.
ELSEWHERE = {
    "SCHEMA_MISSING_COLUMN",
    "COMPARATOR_CONTROL_DATA_MISSING",
    "COMPARATOR_L_INFTY_HIGH",
    "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH",
    "COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH",
    "COMPARATOR_LOW_NUM_EXAMPLES",
    "COMPARATOR_HIGH_NUM_EXAMPLES",
    "DATASET_LOW_NUM_EXAMPLES",
    "DATASET_HIGH_NUM_EXAMPLES",
    "FEATURE_MISSING_NAME",
}
EMITTED = {
    "BOOL_TYPE_BIG_INT",
    "BOOL_TYPE_SMALL_INT",
    "BOOL_TYPE_UNEXPECTED_STRING",
    "BOOL_TYPE_UNEXPECTED_FLOAT",
    "INVALID_DOMAIN_SPECIFICATION",
    "ENUM_TYPE_INVALID_UTF8",
    "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
    "FEATURE_TYPE_HIGH_NUMBER_VALUES",
    "FEATURE_TYPE_LOW_NUMBER_VALUES",
    "FEATURE_TYPE_LOW_FRACTION_PRESENT",
    "FEATURE_TYPE_LOW_NUMBER_PRESENT",
    "FEATURE_TYPE_HIGH_UNIQUE",
    "FEATURE_TYPE_LOW_UNIQUE",
    "FEATURE_TYPE_NO_UNIQUE",
    "VALUE_NESTEDNESS_MISMATCH",
    "INVALID_FEATURE_SHAPE",
    "COMPARATOR_CONTROL_DATA_MISSING",
    "COMPARATOR_L_INFTY_HIGH",
    "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH",
    "COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH",
    "FLOAT_TYPE_BIG_FLOAT",
    "FLOAT_TYPE_SMALL_FLOAT",
    "FLOAT_TYPE_STRING_NOT_FLOAT",
    "FLOAT_TYPE_HAS_NAN",
    "FLOAT_TYPE_HAS_INF",
    "INT_TYPE_BIG_INT",
    "INT_TYPE_SMALL_INT",
    "INT_TYPE_NOT_INT_STRING",
    "DOMAIN_INVALID_FOR_TYPE",
    "LOW_SUPPORTED_IMAGE_FRACTION",
    "MAX_IMAGE_BYTE_SIZE_EXCEEDED",
    "SEQUENCE_VALUE_TOO_FEW_OCCURRENCES",
    "SEQUENCE_VALUE_TOO_MANY_OCCURRENCES",
    "SEQUENCE_VALUE_TOO_SMALL_FRACTION",
    "SEQUENCE_VALUE_TOO_LARGE_FRACTION",
    "FEATURE_COVERAGE_TOO_LOW",
    "FEATURE_COVERAGE_TOO_SHORT_AVG_TOKEN_LENGTH",
    "STATS_NOT_AVAILABLE",
    "COMPARATOR_LOW_NUM_EXAMPLES",
    "COMPARATOR_HIGH_NUM_EXAMPLES",
    "DATASET_LOW_NUM_EXAMPLES",
    "DATASET_HIGH_NUM_EXAMPLES",
    "FEATURE_TYPE_NOT_PRESENT",
    "SCHEMA_MISSING_COLUMN",
    "SCHEMA_NEW_COLUMN",
    "SPARSE_FEATURE_MISSING_VALUE",
    "SPARSE_FEATURE_MISSING_INDEX",
    "SPARSE_FEATURE_LENGTH_MISMATCH",
    "SPARSE_FEATURE_NAME_COLLISION",
    "WEIGHTED_FEATURE_NAME_COLLISION",
    "WEIGHTED_FEATURE_MISSING_VALUE",
    "WEIGHTED_FEATURE_MISSING_WEIGHT",
    "WEIGHTED_FEATURE_LENGTH_MISMATCH",
    "SEMANTIC_DOMAIN_UPDATE",
    "FEATURE_MISSING_NAME",
    "FEATURE_MISSING_TYPE",
    "INVALID_SCHEMA_SPECIFICATION",
    "UNEXPECTED_DATA_TYPE",
    "DERIVED_FEATURE_BAD_LIFECYCLE",
    "DERIVED_FEATURE_INVALID_SOURCE",
}


def test_every_type_has_both_cases():
    raised = {kind for kind, *_ in CASES} | ELSEWHERE
    assert raised == EMITTED
    inside = {kind for kind, _, _, inside in CASES if inside is not None}
    inside |= {kind for kind, _, _ in INSIDE}
    both_in_one_test = {kind for kind in ELSEWHERE if kind.startswith(("COMPARATOR", "DATASET"))}
    assert inside | both_in_one_test == EMITTED


def test_a_feature_without_a_name():
    nameless = numbers("INT", 0, 9).replace('step: "x"', 'step: ""')
    found = validate_statistics(stats_of(nameless), schema_of("feature { type: INT }"))
    (info,) = found.anomaly_info.values()
    assert [info.Type.Name(reason.type) for reason in info.reason] == ["FEATURE_MISSING_NAME"]


@pytest.mark.parametrize(("kind", "schema", "outside", "inside"), CASES, ids=lambda v: str(v)[:40])
def test_anomaly(kind, schema, outside, inside):
    schema = schema_of(schema)
    found = validate_statistics(stats_of(outside), schema)
    assert kind in reasons(found)
    info = found.anomaly_info["x"]
    assert info.severity == info.ERROR
    assert info.short_description
    assert list(info.path.step) == ["x"]
    assert found.baseline == schema
    if inside is not None:
        assert not validate_statistics(stats_of(inside), schema).anomaly_info


@pytest.mark.parametrize(("kind", "schema", "outside", "inside"), CASES, ids=lambda v: str(v)[:40])
def test_the_updated_schema_accepts_the_data(kind, schema, outside, inside):
    schema = schema_of(schema)
    before = schema.SerializeToString(deterministic=True)
    updated = update_schema(schema, stats_of(outside))
    assert schema.SerializeToString(deterministic=True) == before
    assert not validate_statistics(stats_of(outside), updated).anomaly_info


def test_a_missing_column():
    found = validate_statistics(stats_of(), schema_of(x("presence { min_count: 1 }")))
    assert reasons(found) == ["SCHEMA_MISSING_COLUMN"]
    assert found.anomaly_info["x"].description == "Column is completely missing"
    assert not validate_statistics(stats_of(), schema_of(x(ANY))).anomaly_info
    deprecated = x("presence { min_count: 1 } lifecycle_stage: DEPRECATED")
    assert not validate_statistics(stats_of(), schema_of(deprecated)).anomaly_info


def test_descriptions_of_several_reasons_are_joined():
    schema = schema_of(x("int_domain { min: 0 max: 9 }"))
    info = validate_statistics(stats_of(numbers("INT", -1, 10)), schema).anomaly_info["x"]
    assert info.short_description == "Multiple errors"
    assert info.description == "Unexpectedly small value: -1. Unexpectedly large value: 10."
    assert [r.short_description for r in info.reason] == ["Out-of-range values"] * 2


@pytest.mark.parametrize(
    ("schema", "stats", "text"),
    [
        (
            x('string_domain { value: "a" }', "BYTES"),
            strings({"a": 8, "b": 2}),
            "Examples contain values missing from the schema: b (~20%). ",
        ),
        (
            x("presence { min_fraction: 0.9 }"),
            numbers("INT", 0, 9, common(8, 2)),
            "The feature was present in fewer examples than expected: minimum fraction = 0.900000, "
            "actual = 0.800000",
        ),
        (
            x("float_domain { max: 1 }", "FLOAT"),
            numbers("FLOAT", 0, 1.23456789),
            "Unexpectedly high value: 1.23457>1(upto six significant digits)",
        ),
        (
            x("", "BYTES"),
            numbers("INT", 0, 9),
            "Expected data of type: BYTES but got INT",
        ),
    ],
)
def test_descriptions(schema, stats, text):
    found = validate_statistics(stats_of(stats), schema_of(schema))
    assert found.anomaly_info["x"].description == text


def test_severities_can_be_overridden():
    schema = schema_of("")
    found = validate_statistics(
        stats_of(numbers("INT", 0, 9)), schema, severity_overrides={"SCHEMA_NEW_COLUMN": "WARNING"}
    )
    assert found.anomaly_info["x"].severity == anomalies_pb2.AnomalyInfo.WARNING


def test_environments():
    schema = schema_of(
        'default_environment: "TRAINING" default_environment: "SERVING" '
        + x('presence { min_count: 1 } not_in_environment: "SERVING"')
    )
    without, with_x = stats_of(), stats_of(numbers("INT", 0, 9))
    assert reasons(validate_statistics(without, schema, "TRAINING")) == ["SCHEMA_MISSING_COLUMN"]
    assert not validate_statistics(without, schema, "SERVING").anomaly_info
    assert not validate_statistics(with_x, schema, "TRAINING").anomaly_info
    info = validate_statistics(with_x, schema, "SERVING").anomaly_info["x"]
    assert info.short_description == "Column missing in environment"
    with pytest.raises(
        ValueError, match=r"'TEST' not found in the schema.*\['TRAINING', 'SERVING'\]"
    ):
        validate_statistics(with_x, schema, "TEST")


def test_no_row_is_data_missing_and_nothing_else():
    found = validate_statistics(stats_of(rows=0), schema_of(x("presence { min_count: 1 }")))
    assert found.data_missing
    assert not found.anomaly_info


LIMITS = {
    "COMPARATOR_L_INFTY_HIGH": "infinity_norm { threshold: %s }",
    "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH": "jensen_shannon_divergence { threshold: %s }",
    "COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH": "normalized_abs_difference { threshold: %s }",
}
DISTANCES = {
    "COMPARATOR_L_INFTY_HIGH": 0.25,
    "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH": 0.0487949,
    "COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH": 0.15,
}


@pytest.mark.parametrize("kind", list(LIMITS))
@pytest.mark.parametrize("comparator", ["drift", "skew"])
def test_comparators_of_counts(kind, comparator):
    now, before = stats_of(strings({"a": 5, "b": 5})), stats_of(strings({"a": 3, "b": 1}))
    if kind == "COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH":
        now = stats_of(strings({"a": 5, "b": 5}))
        before = stats_of(strings({"a": 8, "b": 2}))
    other = {"drift": "previous_statistics", "skew": "serving_statistics"}[comparator]

    def check(threshold):
        body = f"{comparator}_comparator {{ {LIMITS[kind] % threshold} }}"
        return validate_statistics(now, schema_of(x(body, "BYTES")), **{other: before})

    distance = DISTANCES[kind]
    found = check(distance * 0.99)
    assert reasons(found) == [kind]
    sides = {"drift": "current and previous", "skew": "training and serving"}[comparator]
    assert sides in found.anomaly_info["x"].description
    found = check(distance * 1.01)
    assert not found.anomaly_info
    (info,) = found.drift_skew_info
    (measured,) = info.drift_measurements or info.skew_measurements
    assert measured.value == pytest.approx(distance, rel=1e-5)


def histogram(*buckets, nan=0, kind="STANDARD"):
    body = " ".join(
        f"buckets {{ low_value: {low} high_value: {high} sample_count: {count} }}"
        for low, high, count in buckets
    )
    return f"histograms {{ type: {kind} num_nan: {nan} {body} }}"


@pytest.mark.parametrize(
    ("a", "b", "divergence"),
    [
        (histogram((0, 1, 5), (1, 2, 5)), histogram((0, 2, 8)), 0.0),
        (histogram((0, 1, 5)), histogram((1, 2, 5)), 1.0),
        (histogram((1, 1, 5)), histogram((1, 1, 7)), 0.0),
        (histogram((0, 1, 5), nan=5), histogram((0, 1, 10)), 0.311278),
        (histogram((0, "inf", 5)), histogram((0, "inf", 5)), 1.0),
    ],
)
def test_divergence_of_histograms(a, b, divergence):
    schema = schema_of(
        x("drift_comparator { jensen_shannon_divergence { threshold: 2 } }", "FLOAT")
    )
    found = validate_statistics(
        stats_of(numbers("FLOAT", 0, 1, extra=a)),
        schema,
        previous_statistics=stats_of(numbers("FLOAT", 0, 1, extra=b)),
    )
    (measured,) = found.drift_skew_info[0].drift_measurements
    assert measured.value == pytest.approx(divergence, abs=1e-6)


def test_control_data_without_the_feature():
    schema = schema_of(x("drift_comparator { infinity_norm { threshold: 1 } }", "BYTES"))
    found = validate_statistics(
        stats_of(strings({"a": 10})), schema, previous_statistics=stats_of()
    )
    assert reasons(found) == ["COMPARATOR_CONTROL_DATA_MISSING"]
    assert not validate_statistics(stats_of(strings({"a": 10})), schema).anomaly_info


@pytest.mark.parametrize(
    ("kind", "constraint", "rows", "inside", "control"),
    [
        ("DATASET_LOW_NUM_EXAMPLES", "min_examples_count: 10", 9, 10, None),
        ("DATASET_HIGH_NUM_EXAMPLES", "max_examples_count: 10", 11, 10, None),
        (
            "COMPARATOR_LOW_NUM_EXAMPLES",
            "num_examples_drift_comparator { min_fraction_threshold: 0.5 }",
            4,
            5,
            "previous_statistics",
        ),
        (
            "COMPARATOR_HIGH_NUM_EXAMPLES",
            "num_examples_version_comparator { max_fraction_threshold: 2 }",
            21,
            20,
            "previous_version_statistics",
        ),
    ],
)
def test_dataset_constraints(kind, constraint, rows, inside, control):
    schema = schema_of(f"dataset_constraints {{ {constraint} }}")
    others = {control: stats_of(rows=10)} if control else {}
    found = validate_statistics(stats_of(rows=rows), schema, **others)
    assert reasons(found, None) == [kind]
    inside_found = validate_statistics(stats_of(rows=inside), schema, **others)
    assert not inside_found.HasField("dataset_anomaly_info")


def test_new_struct_features_are_one_anomaly():
    struct = 'path { step: "s" } type: STRUCT struct_stats { ' + COMMON + " }"
    child = numbers("INT", 0, 9).replace('step: "x"', 'step: "s" step: "x"')
    found = validate_statistics(stats_of(struct, child), schema_of(""))
    assert list(found.anomaly_info) == ["s"]
    schema = schema_of('feature { name: "s" type: STRUCT }')
    assert list(validate_statistics(stats_of(struct, child), schema).anomaly_info) == ["s.x"]


def test_odd_names_are_quoted():
    found = validate_statistics(stats_of(strings({"a": 10}, path="pick.up")), schema_of(""))
    assert list(found.anomaly_info) == ["'pick.up'"]


def test_weighted_counts_are_used_where_they_exist():
    weighted = (
        "common_stats { num_non_missing: 10 min_num_values: 1 max_num_values: 1 "
        "weighted_common_stats { num_non_missing: 2 num_missing: 8 } }"
    )
    schema = schema_of(x("presence { min_fraction: 0.5 }"))
    found = validate_statistics(stats_of(numbers("INT", 0, 9, weighted), weighted_rows=10), schema)
    assert reasons(found) == ["FEATURE_TYPE_LOW_FRACTION_PRESENT"]
    assert not validate_statistics(stats_of(numbers("INT", 0, 9, weighted)), schema).anomaly_info


def test_statistics_with_names_instead_of_paths():
    old = numbers("INT", 0, 9).replace('path { step: "x" }', 'name: "x"')
    assert not validate_statistics(stats_of(old), schema_of(x(""))).anomaly_info


def test_wrong_arguments_are_named():
    with pytest.raises(TypeError, match="schema is of type str, should be a Schema proto"):
        validate_statistics(stats_of(), "schema.pbtxt")
    with pytest.raises(TypeError, match="should be a DatasetFeatureStatisticsList proto"):
        validate_statistics("x", schema_of(""))
    two = statistics_pb2.DatasetFeatureStatisticsList(datasets=[{"name": "a"}, {"name": "b"}])
    with pytest.raises(ValueError, match=r"datasets \['a', 'b'\]"):
        validate_statistics(two, schema_of(""))
