"""Errors of protobuf messages' keywords in words: the nearest name, and what a value must be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format, message_factory

from penstock.spelling import nearest

_EXPLAINED: dict[str, Any] = {}
"""The classes whose keywords are explained, by name."""


def explained_keywords(message_class: Any) -> Any:
    """Make a message class answer a faulty keyword with what it takes; return the class.

    Example:
        >>> MetricConfig(clas_name="AUC")
        ValueError: MetricConfig has no field 'clas_name'. Did you mean 'class_name'?
    """
    plain = message_class.__init__
    known = message_class.DESCRIPTOR.fields_by_name

    def taken(key: str, value: Any) -> Any:
        try:
            plain(message_class(), **{key: value})
        except (TypeError, ValueError):
            return _read_dicts(known, key, value)
        return value

    def __init__(self: Any, *args: Any, **fields: Any) -> None:
        _refuse_text_for_lists(message_class.DESCRIPTOR, fields)
        try:
            plain(self, *args, **fields)
        except (TypeError, ValueError) as error:
            try:
                self.Clear()
                plain(self, *args, **{key: taken(key, fields[key]) for key in fields})
                return
            except (TypeError, ValueError, json_format.ParseError):
                pass
            for key, value in fields.items():
                if key not in known:
                    raise ValueError(_unknown_field(message_class, key)) from None
                try:
                    plain(message_class(), **{key: value})
                except (TypeError, ValueError):
                    inner = re.search(r'message (\w+) has no "(\w+)" field', str(error))
                    if inner:
                        nested = _EXPLAINED[inner.group(1)]
                        raise ValueError(_unknown_field(nested, inner.group(2))) from None
                    raise TypeError(_wrong_value(known[key], value)) from None
            raise

    _EXPLAINED[message_class.DESCRIPTOR.name] = message_class
    message_class.__init__ = __init__
    return message_class


def _read_dicts(known: Mapping[str, Any], key: str, value: Any) -> Any:
    """Return a value with messages in place of dicts, which hold plain values as in JSON.

    Protobuf itself takes `{"lower_bound": {"value": 0.5}}` only, and not `{"lower_bound": 0.5}`.
    """
    field = known.get(key)
    if field is None or field.message_type is None or field.message_type.GetOptions().map_entry:
        return value
    if isinstance(value, list | tuple):
        return [_read_dicts(known, key, each) for each in value]
    if not isinstance(value, Mapping):
        return value
    message = message_factory.GetMessageClass(field.message_type)()
    return json_format.ParseDict(dict(value), message)


def _refuse_text_for_lists(descriptor: Any, fields: Mapping[str, Any]) -> None:
    """Raise a `TypeError` for text in place of a list of text: protobuf would take its letters."""
    for key, value in fields.items():
        field = descriptor.fields_by_name.get(key)
        if field is None:
            continue
        if isinstance(value, str) and field.is_repeated:
            raise TypeError(_wrong_value(field, value))
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for each in value if isinstance(value, list | tuple) else [value]:
                if isinstance(each, Mapping):
                    _refuse_text_for_lists(field.message_type, each)


def nearest_field(message: str) -> str:
    """Return ` Did you mean ...?` for a parse error that names a message and a field it lacks."""
    found = re.search(r'"[\w.]+\.(\w+)" has no field named "(\w+)"', message)
    if not found or found.group(1) not in _EXPLAINED:
        return ""
    name, wrong = found.groups()
    fields = _EXPLAINED[name].DESCRIPTOR.fields
    return nearest(wrong, [*(each.name for each in fields), *(each.json_name for each in fields)])


def _unknown_field(message_class: Any, key: str) -> str:
    name, known = message_class.DESCRIPTOR.name, list(message_class.DESCRIPTOR.fields_by_name)
    return f"{name} has no field {key!r}.{nearest(key, known)} Its fields: {', '.join(known)}"


def _wrong_value(field: Any, value: object) -> str:
    shown = f"a {type(value).__name__}" if hasattr(value, "DESCRIPTOR") else repr(value)
    return (
        f"{field.containing_type.name}.{field.name} must be {_expected(field)}. Received: {shown}"
    )


def _expected(field: Any) -> str:
    kinds = {
        field.CPPTYPE_STRING: "text",
        field.CPPTYPE_BOOL: "True or False",
        field.CPPTYPE_INT32: "a whole number",
        field.CPPTYPE_INT64: "a whole number",
        field.CPPTYPE_FLOAT: "a number",
        field.CPPTYPE_DOUBLE: "a number",
    }
    if field.enum_type is not None:
        return f"one of {', '.join(field.enum_type.values_by_name)}"
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return "a dict"
    name = field.message_type.name if field.message_type is not None else ""
    what = kinds.get(field.cpp_type) or f"{'an' if name[0] in 'AEIO' else 'a'} {name}"
    if field.message_type is not None and field.message_type.file.package == "google.protobuf":
        example = {"DoubleValue": "0.5", "BoolValue": "True"}.get(field.message_type.name, "10")
        what = f'a value in a dict, such as {{"value": {example}}}'
    if field.name == "config":
        what = 'JSON text, such as \'"curve": "PR"\''
    return f"a list of {what.removeprefix('an ').removeprefix('a ')}" if field.is_repeated else what
