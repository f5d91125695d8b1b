"""TFDV's messages about feature skew, built at run time so that TFDV need not be installed.

The fields are those of TFDV's `feature_skew_results.proto`; a SkewPair holds its examples serialized.
"""

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "tensorflow.data_validation"
_COUNT, _TEXT, _BYTES = _Field.TYPE_UINT64, _Field.TYPE_STRING, _Field.TYPE_BYTES
_FEATURE_SKEW = (
    ("feature_name", _TEXT),
    *(
        (name, _COUNT)
        for name in (
            "base_count",
            "test_count",
            "match_count",
            "base_only",
            "test_only",
            "mismatch_count",
            "diff_count",
        )
    ),
)
_MATCH_STATS = tuple(
    (name, _COUNT)
    for name in (
        "base_with_id_count",
        "test_with_id_count",
        "identifiers_count",
        "ids_missing_in_base_count",
        "ids_missing_in_test_count",
        "matching_pairs_count",
        "base_missing_id_count",
        "test_missing_id_count",
        "duplicate_id_count",
    )
)
_FEATURE_LISTS = (
    "base_only_features",
    "test_only_features",
    "matched_features",
    "mismatched_features",
)


def _add(
    file: descriptor_pb2.FileDescriptorProto, name: str, fields: tuple[tuple[str, int | str], ...]
) -> descriptor_pb2.DescriptorProto:
    message = file.message_type.add(name=name)
    for number, (field_name, kind) in enumerate(fields, start=1):
        field = message.field.add(name=field_name, number=number, label=_Field.LABEL_OPTIONAL)
        if isinstance(kind, str):
            field.type, field.type_name = _Field.TYPE_MESSAGE, kind
        else:
            field.type = kind  # type: ignore[assignment]
    return message


@cache
def message_class(name: str) -> Any:
    """Return the message class FeatureSkew, SkewPair, MatchStats, ConfusionValue or ConfusionCount."""
    file = descriptor_pb2.FileDescriptorProto(
        name="penstock/feature_skew_results.proto", package=_PACKAGE, syntax="proto3"
    )
    _add(file, "FeatureSkew", _FEATURE_SKEW)
    _add(file, "MatchStats", _MATCH_STATS)
    _add(file, "ConfusionValue", (("bytes_value", _BYTES),))
    value = f".{_PACKAGE}.ConfusionValue"
    _add(
        file,
        "ConfusionCount",
        (("feature_name", _TEXT), ("base", value), ("test", value), ("count", _COUNT)),
    )
    pair = _add(file, "SkewPair", (("base", _BYTES), ("test", _BYTES)))
    for number, field_name in enumerate(_FEATURE_LISTS, start=3):
        pair.field.add(
            name=field_name,
            number=number,
            type=_Field.TYPE_STRING,
            label=_Field.LABEL_REPEATED,
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
