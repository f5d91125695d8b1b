"""For each rule of schema inference: statistics for which it fires, and for which it does not."""

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation import infer_schema, update_schema


def stats_of(*features, rows=10, weighted_rows=0.0):
    dataset = statistics_pb2.DatasetFeatureStatistics(
        num_examples=rows, weighted_num_examples=weighted_rows
    )
    for text in features:
        text_format.Parse(text, dataset.features.add())
    return statistics_pb2.DatasetFeatureStatisticsList(datasets=[dataset])


def common(present=10, missing=0, low=1, high=1, extra=""):
    return (
        f"common_stats {{ num_non_missing: {present} num_missing: {missing} min_num_values: {low} "
        f"max_num_values: {high} tot_num_values: {present * high} {extra} }}"
    )


COMMON = common()


def numbers(kind="INT", low=0, high=9, common_stats=COMMON, path='step: "x"'):
    return f"path {{ {path} }} type: {kind} num_stats {{ {common_stats} min: {low} max: {high} }}"


def strings(*values, common_stats=COMMON, extra="", custom="", path='step: "x"'):
    buckets = " ".join(f'buckets {{ label: "{value}" sample_count: 1 }}' for value in values)
    return (
        f"path {{ {path} }} type: STRING string_stats {{ {common_stats} unique: {len(values)} "
        f"rank_histogram {{ {buckets} }} {extra} }} {custom}"
    )


STRUCT = f'path {{ step: "x" }} type: STRUCT struct_stats {{ {common()} }}'
OPTIONAL = common(9, 1)


def levels(*bounds, missing=0):
    nested = " ".join(
        f"presence_and_valency_stats {{ num_non_missing: 10 num_missing: {missing} "
        f"min_num_values: {low} max_num_values: {high} }}"
        for low, high in bounds
    )
    return common(10 - missing, missing, *bounds[0], extra=nested)


def domain_info(text):
    return f'custom_stats {{ name: "domain_info" str: "{text}" }}'


REQUIRED = "presence { min_fraction: 1 min_count: 1 }"
SHAPE = "shape { dim { size: 1 } }"
FIXED = f"{REQUIRED} {SHAPE}"

# rule, statistics for which it fires, what then is inferred, the same for which it does not
RULES = [
    (
        "an INT is an INT",
        numbers("INT"),
        f"type: INT {FIXED}",
        numbers("FLOAT"),
        f"type: FLOAT {FIXED}",
    ),
    (
        "strings are BYTES",
        strings(*map(str.__add__, "ab", "cd")),
        f'type: BYTES {FIXED} domain: "x"',
        STRUCT,
        f"type: STRUCT {REQUIRED} value_count {{ min: 1 max: 1 }}",
    ),
    (
        "what is never missing is required",
        numbers(common_stats=common(10, 0)),
        f"type: INT {FIXED}",
        numbers(common_stats=OPTIONAL),
        "type: INT presence { min_count: 1 } value_count { min: 1 max: 1 }",
    ),
    (
        "what is never there needs nothing",
        numbers(common_stats=common(0, 10, 0, 0)),
        "type: INT presence { min_count: 0 }",
        numbers(common_stats=common(1, 9)),
        "type: INT presence { min_count: 1 } value_count { min: 1 max: 1 }",
    ),
    (
        "a fixed number of values is a shape",
        numbers(common_stats=common(low=3, high=3)),
        f"type: INT {REQUIRED} shape {{ dim {{ size: 3 }} }}",
        numbers(common_stats=common(low=2, high=3)),
        f"type: INT {REQUIRED} value_count {{ min: 1 }}",
    ),
    (
        "rows without values limit nothing",
        numbers(common_stats=common(low=0, high=3)),
        f"type: INT {REQUIRED}",
        numbers(common_stats=common(low=1, high=3)),
        f"type: INT {REQUIRED} value_count {{ min: 1 }}",
    ),
    (
        "fixed lists of lists have a shape",
        numbers(common_stats=levels((2, 2), (3, 3))),
        f"type: INT {REQUIRED} shape {{ dim {{ size: 2 }} dim {{ size: 3 }} }}",
        numbers(common_stats=levels((2, 2), (1, 3))),
        f"type: INT {REQUIRED} value_counts {{ value_count {{ min: 2 max: 2 }} "
        f"value_count {{ min: 1 }} }}",
    ),
    (
        "0 and 1 are boolean",
        numbers(low=0, high=1),
        f"type: INT {FIXED} bool_domain {{}}",
        numbers(low=0, high=2),
        f"type: INT {FIXED}",
    ),
    (
        "0 alone is not boolean",
        numbers(low=1, high=1),
        f"type: INT {FIXED} bool_domain {{}}",
        numbers(low=0, high=0),
        f"type: INT {FIXED}",
    ),
    (
        "negative numbers are not boolean",
        numbers(low=0, high=1),
        f"type: INT {FIXED} bool_domain {{}}",
        numbers(low=-1, high=1),
        f"type: INT {FIXED}",
    ),
    (
        "floats are not boolean",
        numbers("INT", 0, 1),
        f"type: INT {FIXED} bool_domain {{}}",
        numbers("FLOAT", 0, 1),
        f"type: FLOAT {FIXED}",
    ),
    (
        "a word for true and one for false are boolean",
        strings("true", "false"),
        f'type: BYTES {FIXED} bool_domain {{ true_value: "true" false_value: "false" }}',
        strings("true", "set"),
        f'type: BYTES {FIXED} domain: "x"',
    ),
    (
        "one word for true is boolean",
        strings("SET"),
        f'type: BYTES {FIXED} bool_domain {{ true_value: "SET" }}',
        strings("yes"),
        f'type: BYTES {FIXED} domain: "x"',
    ),
    (
        "two words for false are not boolean",
        strings("false"),
        f'type: BYTES {FIXED} bool_domain {{ false_value: "false" }}',
        strings("false", "clear"),
        f'type: BYTES {FIXED} domain: "x"',
    ),
    (
        "strings of digits are integers",
        strings("7", "-12", "300"),
        f"type: BYTES {FIXED} int_domain {{}}",
        strings("7", "x", "300"),
        f'type: BYTES {FIXED} domain: "x"',
    ),
    (
        "strings of decimals are no floats",
        strings("7", "12", "300"),
        f"type: BYTES {FIXED} int_domain {{}}",
        strings("7.5", "1.5", "2.5"),
        f'type: BYTES {FIXED} domain: "x"',
    ),
    (
        "few words are a domain",
        strings(*(f"v{i:03}" for i in range(100))),
        f'type: BYTES {FIXED} domain: "x"',
        strings(*(f"v{i:03}" for i in range(101))),
        f"type: BYTES {FIXED}",
    ),
    (
        "what is not UTF-8 has no domain",
        strings("a", "b", "c", extra="invalid_utf8_count: 0"),
        f'type: BYTES {FIXED} domain: "x"',
        strings("a", "b", "c", extra="invalid_utf8_count: 1"),
        f"type: BYTES {FIXED}",
    ),
    (
        "bytes have no domain",
        strings("a", "b", "c"),
        f'type: BYTES {FIXED} domain: "x"',
        f'path {{ step: "x" }} type: BYTES bytes_stats {{ {common()} }}',
        f"type: BYTES {FIXED}",
    ),
    (
        "a suggested domain wins",
        strings("a", "b", "c", custom=domain_info("image_domain {}")),
        f"type: BYTES {FIXED} image_domain {{}}",
        strings("a", "b", "c", custom=domain_info("nonsense {}")),
        f'type: BYTES {FIXED} domain: "x"',
    ),
]


@pytest.mark.parametrize(
    ("rule", "fires", "then", "not_", "else_"), RULES, ids=[r[0] for r in RULES]
)
def test_rule(rule, fires, then, not_, else_):
    assert fires != not_
    for stats, expected in ((fires, then), (not_, else_)):
        schema = infer_schema(stats_of(stats))
        (feature,) = schema.feature
        wanted = text_format.Parse(f'name: "x" {expected}', schema_pb2.Feature())
        if not wanted.presence.min_count:
            wanted.presence.CopyFrom(feature.presence)
            assert not feature.presence.min_count
            assert not feature.presence.min_fraction
        assert feature == wanted, rule


def test_the_values_of_a_domain_are_sorted():
    schema = infer_schema(stats_of(strings("c", "a", "b")))
    assert [list(domain.value) for domain in schema.string_domain] == [["a", "b", "c"]]


def test_names_of_domains_are_unique():
    first = strings("a", "b", "c", path='step: "a.b"')
    schema = infer_schema(stats_of(first, strings("d", "e", "f", path='step: "x"')))
    assert len({domain.name for domain in schema.string_domain}) == 2
    taken = text_format.Parse('string_domain { name: "x" value: "q" }', schema_pb2.Schema())
    updated = update_schema(taken, stats_of(strings("a", "b", "c")))
    assert updated.feature[0].domain == "x2"
    assert [domain.name for domain in updated.string_domain] == ["x", "x2"]


def test_shapes_can_be_left_out():
    schema = infer_schema(stats_of(numbers()), infer_feature_shape=False)
    assert not schema.feature[0].HasField("shape")
    assert (schema.feature[0].value_count.min, schema.feature[0].value_count.max) == (1, 1)


def test_the_size_of_domains_can_be_chosen():
    stats = stats_of(strings("a", "b", "c"))
    assert infer_schema(stats, max_string_domain_size=3).string_domain
    assert not infer_schema(stats, max_string_domain_size=2).string_domain


def test_composite_features_are_not_invented():
    sparse = 'path { step: "s" } custom_stats { name: "missing_value" num: 1 }'
    schema = infer_schema(stats_of(numbers(), sparse))
    assert [feature.name for feature in schema.feature] == ["x"]
    declared = text_format.Parse('sparse_feature { name: "s" }', schema_pb2.Schema())
    updated = update_schema(declared, stats_of(numbers(), sparse))
    assert [feature.name for feature in updated.feature] == ["x"]


def test_structs_are_inferred_inside():
    child = numbers(path='step: "x" step: "y"')
    schema = infer_schema(stats_of(STRUCT, child))
    (inner,) = schema.feature[0].struct_domain.feature
    assert (inner.name, inner.type) == ("y", schema_pb2.INT)
    alone = infer_schema(stats_of(STRUCT))
    assert not alone.feature[0].struct_domain.feature


def test_transformations_are_applied_in_turn():
    def rename(schema, dataset):
        schema.feature[0].name += str(int(dataset.num_examples))
        return schema

    schema = infer_schema(stats_of(numbers()), schema_transformations=[rename, rename])
    assert schema.feature[0].name == "x1010"
