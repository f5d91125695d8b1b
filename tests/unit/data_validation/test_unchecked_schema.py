"""Nothing that a schema can say is passed over in silence."""

import logging

import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock import data_validation as dv
from penstock.data_validation.unchecked_schema import (
    CHECKED,
    DESCRIPTIVE,
    UNCHECKED,
    fields_without_effect,
    unchecked_fields,
)

PACKAGE = "tensorflow.metadata.v0."


def reachable():
    """Maps each field that a schema can hold to the fields that lead to it, itself last."""
    found = {}
    queue = [(schema_pb2.Schema.DESCRIPTOR, ())]
    while queue:
        message, way = queue.pop(0)
        for field in message.fields:
            key = f"{message.full_name.removeprefix(PACKAGE)}.{field.name}"
            if key in found:
                continue
            found[key] = (*way, field)
            if field.message_type is not None and key not in {*DESCRIPTIVE, *UNCHECKED}:
                queue.append((field.message_type, (*way, field)))
    return found


FIELDS = reachable()


def schema_with(key):
    """Returns a schema in which a field is set."""
    schema = message = schema_pb2.Schema()
    for field in FIELDS[key]:
        if field.message_type is None:
            value = {field.CPPTYPE_STRING: "x", field.CPPTYPE_FLOAT: 0.5}.get(field.cpp_type, 1)
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, value)
            return schema
        inner = getattr(message, field.name)
        if not field.is_repeated:
            inner.SetInParent()
            message = inner
        elif field.message_type.GetOptions().map_entry:
            inner["x"].SetInParent()
            return schema
        else:
            message = inner.add()
    return schema


def test_every_field_is_in_one_list():
    assert set(FIELDS) == CHECKED | DESCRIPTIVE | set(UNCHECKED)
    assert len(FIELDS) == len(CHECKED) + len(DESCRIPTIVE) + len(UNCHECKED)


@pytest.mark.parametrize("key", sorted(FIELDS))
def test_what_is_not_checked_is_told(key):
    told = unchecked_fields(schema_with(key))
    if key not in UNCHECKED:
        assert told == []
        return
    (phrase,) = told
    assert f"{key.rpartition('.')[2]} ({UNCHECKED[key]})" in phrase


def parse(text):
    return text_format.Parse(text, schema_pb2.Schema())


SCHEMA = """
feature { name: "home" type: BYTES url_domain {} presence { min_count: 1 } }
feature { name: "trip" type: STRUCT struct_domain {
  feature { name: "at" type: BYTES time_domain { string_format: "%Y" } } } }
feature { name: "fare" type: FLOAT drift_comparator { infinity_norm { threshold: 0.1 } } }
feature { name: "plan" type: BYTES skew_comparator { infinity_norm { threshold: 0.1 } } }
sparse_feature { name: "s" value_feature { name: "v" } index_feature { name: "i" } }
dataset_constraints { num_examples_version_comparator { max_fraction_threshold: 2 } }
"""


def test_the_user_is_told(caplog):
    statistics = dv.statistics_of_record_batches([pa.record_batch({"home": [["a"]]})])
    with caplog.at_level(logging.WARNING):
        dv.validate_statistics(statistics, parse(SCHEMA), previous_statistics=statistics)
        dv.validate_instance(pa.table({"home": ["a"]}), dv.StatsOptions(schema=parse(SCHEMA)))
    (message,) = caplog.messages
    for part in (
        "Parts of the schema are not checked here: feature 'home': url_domain (only the type is checked",
        "feature 'trip.at': time_domain (only",
        "feature 'fare': drift_comparator.infinity_norm (it compares how often values occur",
        "feature 'plan': skew_comparator (there are no serving statistics to compare with)",
        "feature 's': sparse_feature (the statistics were made without the schema",
        "num_examples_version_comparator (there are no previous_version statistics",
    ):
        assert part in message


def test_statistics_made_with_the_schema_suffice(caplog):
    schema = parse(
        """sparse_feature { name: "s" value_feature { name: "v" } index_feature { name: "i" } }
        feature { name: "v" type: INT } feature { name: "i" type: INT }
        feature { name: "image" type: BYTES image_domain { max_image_byte_size: 9
          minimum_supported_image_fraction: 0.5 } }"""
    )
    batch = pa.record_batch({"v": [[1]] * 100, "i": [[2]] * 100, "image": [[b"BM "]] * 100})
    with caplog.at_level(logging.WARNING):
        for options in (
            dv.StatsOptions(schema=schema, enable_semantic_domain_stats=True),
            dv.StatsOptions(),
        ):
            found = dv.statistics_of_record_batches([batch], options)
            assert not dv.validate_statistics(found, schema).anomaly_info
    (message,) = caplog.messages
    for part in ("'s': sparse_feature", "max_image_byte_size", "minimum_supported_image_fraction"):
        assert part in message


def test_constraints_of_the_whole_are_not_those_of_slices(caplog):
    statistics = dv.statistics_of_record_batches([pa.record_batch({"a": [[1]]})])
    schema = dv.infer_schema(statistics)
    schema.dataset_constraints.min_examples_count = 5
    with caplog.at_level(logging.WARNING):
        dv.validate_corresponding_slices(statistics, schema)
    assert caplog.messages == ["The schema's dataset_constraints are not checked for slices."]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("feature { name: 'a' type: INT } feature { name: 'a' type: FLOAT }", "'a' (comes 2 times"),
        (
            "feature { name: 'a' type: BYTES drift_comparator { infinity_norm {} } }",
            "drift_comparator.infinity_norm (it sets no threshold)",
        ),
        (
            "feature { name: 'a' type: BYTES skew_comparator {} }",
            "skew_comparator (it sets no threshold)",
        ),
    ],
)
def test_what_cannot_have_an_effect_is_told(schema, said):
    (phrase,) = fields_without_effect(parse(schema))
    assert said in phrase


def test_values_too_rare_to_be_listed_are_told(caplog):
    batch = pa.record_batch({"a": [["x"], ["x"], ["y"]]})
    schema = parse("feature { name: 'a' type: BYTES string_domain { value: 'x' } }")
    statistics = dv.statistics_of_record_batches([batch], dv.StatsOptions(frequency_threshold=2))
    dv.validate_statistics(statistics, schema)
    assert "'a': all but the 1 most frequent of 2 values" in caplog.text
    assert not dv.infer_schema(statistics).string_domain


def test_numbers_are_not_compared_with_words(caplog):
    numbers, words = (
        dv.statistics_of_record_batches([pa.record_batch({"a": [[value]]})]) for value in (1.5, "x")
    )
    limit = "drift_comparator { jensen_shannon_divergence { threshold: 0.1 } }"
    schema = parse(f"feature {{ name: 'a' type: FLOAT {limit} }}")
    dv.validate_statistics(numbers, schema, previous_statistics=words)
    assert "'a': drift_comparator (its values are numbers on one side and words" in caplog.text
