"""Protocol-buffer messages from the `.proto` files beside this module, in a pool of their own.

The pool is private so that TensorFlow Model Analysis, which registers the same full names in the
default pool, can be imported in the same process, before or after, whatever its version. Messages of
the two are exchanged by serialization.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

PACKAGE = "tensorflow_model_analysis"
_FILES = ("config", "metrics_for_slice", "validation_result")
_SCALARS = {
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "float": FieldDescriptorProto.TYPE_FLOAT,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "string": FieldDescriptorProto.TYPE_STRING,
}
_TOKENS = re.compile(r'//[^\n]*|"[^"]*"|[\w.]+|[{}<>=;,]')


def message_class(name: str) -> Any:
    """Return the class of the message `name`, such as `"EvalConfig"`."""
    cls = message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))
    # Pickles and JSON forms refer to the class by this name; the pool would name TFMA's module.
    cls.__module__ = "penstock.evaluation.config"
    return cls


def enum_class(name: str) -> Any:
    """Return the wrapper of the enum `name`, with its values as attributes."""
    return EnumTypeWrapper(_pool().FindEnumTypeByName(f"{PACKAGE}.{name}"))


@cache
def _pool() -> Any:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    for name in _FILES:
        text = resources.files(__package__).joinpath("proto", f"{name}.proto").read_text("utf-8")
        parsed = parse_proto(text, f"{PACKAGE}/proto/{name}.proto")
        pool.AddSerializedFile(parsed.SerializeToString())
    return pool


def parse_proto(text: str, file_name: str) -> descriptor_pb2.FileDescriptorProto:
    """Parse the part of proto3 that the files beside this module use.

    Messages, enums, oneofs, maps, imports, `repeated`; no options, services or extensions. Type names
    are left to the pool to resolve, scope by scope, as protoc does.

    Args:
        text: The `.proto` file's text.
        file_name: The name under which the file is imported.

    Returns:
        The file's descriptor.

    Raises:
        ValueError: If a token is not understood.
    """
    file = descriptor_pb2.FileDescriptorProto(name=file_name, syntax="proto3")
    tokens = (token for token in _TOKENS.findall(text) if not token.startswith("//"))
    for token in tokens:
        if token == "package":
            file.package = next(tokens)
        elif token == "import":
            file.dependency.append(next(tokens).strip('"'))
        elif token == "message":
            _parse_message(tokens, file.message_type.add())
        elif token == "enum":
            _parse_enum(tokens, file.enum_type.add())
        elif token == "syntax":
            _expect(tokens, "=")
            _expect(tokens, '"proto3"')
        elif token != ";":
            raise ValueError(f"{file_name}: a declaration was expected. Received: {token}")
    return file


def _expect(tokens: Iterator[str], expected: str) -> None:
    token = next(tokens)
    if token != expected:
        raise ValueError(f"{expected!r} was expected. Received: {token!r}")


def _parse_enum(tokens: Iterator[str], enum: Any) -> None:
    enum.name = next(tokens)
    _expect(tokens, "{")
    while (token := next(tokens)) != "}":
        _expect(tokens, "=")
        enum.value.add(name=token, number=int(next(tokens)))
        _expect(tokens, ";")


def _parse_message(tokens: Iterator[str], message: Any) -> None:
    message.name = next(tokens)
    _expect(tokens, "{")
    while (token := next(tokens)) != "}":
        if token == "message":
            _parse_message(tokens, message.nested_type.add())
        elif token == "enum":
            _parse_enum(tokens, message.enum_type.add())
        elif token == "oneof":
            message.oneof_decl.add(name=next(tokens))
            _expect(tokens, "{")
            while (member := next(tokens)) != "}":
                field = _parse_field(tokens, member, message)
                field.oneof_index = len(message.oneof_decl) - 1
        else:
            _parse_field(tokens, token, message)


def _parse_field(tokens: Iterator[str], type_name: str, message: Any) -> Any:
    label = FieldDescriptorProto.LABEL_OPTIONAL
    entry = None
    if type_name == "repeated":
        label = FieldDescriptorProto.LABEL_REPEATED
        type_name = next(tokens)
    elif type_name == "map":
        label = FieldDescriptorProto.LABEL_REPEATED
        entry = message.nested_type.add(options={"map_entry": True})
        _expect(tokens, "<")
        _add_field(entry, "key", 1, next(tokens), FieldDescriptorProto.LABEL_OPTIONAL)
        _expect(tokens, ",")
        _add_field(entry, "value", 2, next(tokens), FieldDescriptorProto.LABEL_OPTIONAL)
        _expect(tokens, ">")
    name = next(tokens)
    _expect(tokens, "=")
    number = int(next(tokens))
    _expect(tokens, ";")
    if entry is not None:
        entry.name = type_name = "".join(map(str.capitalize, name.split("_"))) + "Entry"
    return _add_field(message, name, number, type_name, label)


def _add_field(message: Any, name: str, number: int, type_name: str, label: int) -> Any:
    field = message.field.add(name=name, number=number, label=label)
    if type_name in _SCALARS:
        field.type = _SCALARS[type_name]
    else:
        field.type_name = type_name
    return field
