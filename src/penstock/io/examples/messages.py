"""tf.Example and tf.SequenceExample as protobuf messages, without TensorFlow.

The messages are those of TensorFlow's `example.proto` and `feature.proto`, built at run time in
their own pool, so that they do not collide with TensorFlow's.
"""

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_MESSAGE, _BYTES, _STRING = _Field.TYPE_MESSAGE, _Field.TYPE_BYTES, _Field.TYPE_STRING
_FLOAT, _INT64 = _Field.TYPE_FLOAT, _Field.TYPE_INT64
_PACKAGE = "tensorflow"


def _add_message(
    file: descriptor_pb2.FileDescriptorProto,
    name: str,
    *fields: tuple[str, int, str | None, bool],
) -> descriptor_pb2.DescriptorProto:
    message = file.message_type.add(name=name)
    for number, (field_name, kind, type_name, repeated) in enumerate(fields, start=1):
        field = message.field.add(name=field_name, number=number, type=kind)
        field.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
        if type_name:
            field.type_name = f".{_PACKAGE}.{type_name}"
    return message


def _add_map(
    file: descriptor_pb2.FileDescriptorProto, name: str, field: str, value_type: str
) -> None:
    entry_name = "".join(part.capitalize() for part in field.split("_")) + "Entry"
    message = _add_message(file, name, (field, _MESSAGE, f"{name}.{entry_name}", True))
    entry = message.nested_type.add(name=entry_name)
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_STRING, label=_Field.LABEL_OPTIONAL)
    value = entry.field.add(name="value", number=2, type=_MESSAGE, label=_Field.LABEL_OPTIONAL)
    value.type_name = f".{_PACKAGE}.{value_type}"


@cache
def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="penstock/example.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, kind in (("BytesList", _BYTES), ("FloatList", _FLOAT), ("Int64List", _INT64)):
        _add_message(file, name, ("value", kind, None, True))
    feature = _add_message(
        file,
        "Feature",
        ("bytes_list", _MESSAGE, "BytesList", False),
        ("float_list", _MESSAGE, "FloatList", False),
        ("int64_list", _MESSAGE, "Int64List", False),
    )
    feature.oneof_decl.add(name="kind")
    for field in feature.field:
        field.oneof_index = 0
    _add_map(file, "Features", "feature", "Feature")
    _add_message(file, "FeatureList", ("feature", _MESSAGE, "Feature", True))
    _add_map(file, "FeatureLists", "feature_list", "FeatureList")
    _add_message(file, "Example", ("features", _MESSAGE, "Features", False))
    _add_message(
        file,
        "SequenceExample",
        ("context", _MESSAGE, "Features", False),
        ("feature_lists", _MESSAGE, "FeatureLists", False),
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in ("Example", "SequenceExample")
    }


def example_class() -> Any:
    """Return the message class of tf.Example."""
    return _messages()["Example"]


def sequence_example_class() -> Any:
    """Return the message class of tf.SequenceExample."""
    return _messages()["SequenceExample"]


def feature_kind(record: bytes, name: str) -> str | None:
    """Return the kind of a feature, such as "int64_list"; None if it is absent or has none.

    Args:
        record: A serialized tf.Example, or a tf.SequenceExample, of which the context is searched.
        name: The feature's name.
    """
    features = example_class().FromString(record).features.feature
    kind: str | None = features[name].WhichOneof("kind") if name in features else None
    return kind
