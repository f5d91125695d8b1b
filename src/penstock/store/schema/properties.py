"""Properties in ML Metadata's columns: which column holds a value, and back."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from penstock.artifacts import PropertyType
from penstock.store.exceptions import PropertyConflict

_STRUCT = "mlmd-struct::"

PROPERTY_NUMBERS: dict[PropertyType, int] = {
    PropertyType.INT: 1,
    PropertyType.FLOAT: 2,
    PropertyType.STRING: 3,
    PropertyType.JSON_VALUE: 4,
    PropertyType.PROTO: 5,
    PropertyType.BOOLEAN: 6,
}
"""ML Metadata's numbers of the property types (`TypeProperty.data_type`)."""

ArtifactColumns = tuple[str, bool, int | None, float | None, str | None, bool | None]
"""name, is_custom_property, int_value, double_value, string_value, bool_value."""


def encode_struct(value: Any) -> str:
    """Return a JSON value as ML Metadata keeps it: base64 of a serialized protobuf `Struct`.

    A list or a scalar, which is no Struct, lies in one under `__value__`, as TFX does it. A Struct
    knows no integers: they come back as floats of the same value.
    """
    from google.protobuf import json_format, struct_pb2

    fields = value if isinstance(value, dict) and set(value) != {"__value__"} else None
    struct = json_format.ParseDict(
        {"__value__": value} if fields is None else fields, struct_pb2.Struct()
    )
    serialized = struct.SerializeToString(deterministic=True)
    return _STRUCT + base64.b64encode(serialized).decode()


def decode_string(text: str) -> Any:
    """Return what a string column holds: the string, or the JSON value of a Struct."""
    if not text.startswith(_STRUCT):
        return text
    from google.protobuf import json_format, struct_pb2

    struct = struct_pb2.Struct.FromString(base64.b64decode(text[len(_STRUCT) :]))
    value = json_format.MessageToDict(struct)
    return value["__value__"] if set(value) == {"__value__"} else value


def artifact_columns(
    type_name: str,
    declared: Mapping[str, PropertyType],
    properties: Mapping[str, Any],
    custom_properties: Mapping[str, Any],
) -> list[ArtifactColumns]:
    """Return the rows of `ArtifactProperty` (without the id) for one artifact.

    Args:
        type_name: For messages.
        declared: The type's properties.
        properties: Values of declared properties; None means unset.
        custom_properties: Further values; None means unset.

    Raises:
        PropertyConflict: If a value has not the type declared for it.
    """
    rows: list[ArtifactColumns] = []
    for name, value in properties.items():
        if value is not None:
            kind = declared.get(name)
            if kind is None:
                raise PropertyConflict(f"{type_name} declares no property {name!r}.")
            rows.append((name, False, *_declared(type_name, name, kind, value)))
    for name, value in custom_properties.items():
        if value is not None:
            rows.append((name, True, *_inferred(value)))
    return rows


def _declared(
    type_name: str, name: str, kind: PropertyType, value: Any
) -> tuple[int | None, float | None, str | None, bool | None]:
    is_int = isinstance(value, int) and not isinstance(value, bool)
    if kind is PropertyType.INT and is_int:
        return value, None, None, None
    if kind is PropertyType.FLOAT and (is_int or isinstance(value, float)):
        return None, float(value), None, None
    if kind is PropertyType.STRING and isinstance(value, str):
        return None, None, value, None
    if kind is PropertyType.BOOLEAN and isinstance(value, bool):
        return None, None, None, value
    if kind is PropertyType.JSON_VALUE:
        return None, None, encode_struct(value), None
    raise PropertyConflict(
        f"{type_name}.{name} is declared {kind.value}. Received: {value!r} ({type(value).__name__})."
    )


def _inferred(value: Any) -> tuple[int | None, float | None, str | None, bool | None]:
    if isinstance(value, bool):
        return None, None, None, value
    if isinstance(value, int):
        return value, None, None, None
    if isinstance(value, float):
        return None, value, None, None
    if isinstance(value, str):
        return None, None, value, None
    return None, None, encode_struct(value), None


def decode_columns(
    int_value: int | None,
    double_value: float | None,
    string_value: str | None,
    bool_value: int | None,
) -> Any:
    """Return the one value that is set, or None."""
    if string_value is not None:
        return decode_string(string_value)
    if int_value is not None:
        return int_value
    if double_value is not None:
        return double_value
    return None if bool_value is None else bool(bool_value)


ExecutionColumns = tuple[str, bool, int | None, float | None, str | None]
"""name, is_custom_property, int_value, double_value, string_value."""


def execution_columns(parameters: Mapping[str, Any]) -> list[ExecutionColumns]:
    """Return the rows of `ExecutionProperty` (without the id) for execution parameters, as TFX.

    All are custom properties. Numbers and strings lie as they are; a bool is the string `true` or
    `false` and a list the JSON text, each with a `__schema__<name>__` beside it that says so; any
    other value is its JSON text; None is left out.

    Source: tfx/orchestration/data_types_utils.py, `set_parameter_value`.
    """
    rows: list[ExecutionColumns] = []
    for name, value in parameters.items():
        if value is None:
            continue
        if isinstance(value, bool):
            rows.append((name, True, None, None, "true" if value else "false"))
            rows.append(_schema(name, {"boolean_type": {}}))
        elif isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
            rows.append((name, True, value, None, None))
        elif isinstance(value, float):
            rows.append((name, True, None, value, None))
        elif isinstance(value, str):
            rows.append((name, True, None, None, value))
        else:
            text = json.dumps(value, sort_keys=True, default=str)
            rows.append((name, True, None, None, text))
            if isinstance(value, list | tuple) and value:
                rows.append(_schema(name, {"list_type": _element(value)}))
    return rows


def _element(values: Iterable[Any]) -> dict[str, Any]:
    return {"boolean_type": {}} if all(isinstance(value, bool) for value in values) else {}


def _schema(name: str, value_type: dict[str, Any]) -> ExecutionColumns:
    text = json.dumps({"value_type": value_type}, indent=2)
    return f"__schema__{name}__", True, None, None, text
