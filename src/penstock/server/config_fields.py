"""Reading the fields of a dataclass from a config file, with messages that name the place."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from penstock.spelling import did_you_mean

_Config = TypeVar("_Config")

_KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "str": ("text", (str,)),
    "int": ("a whole number", (int,)),
    "float": ("a number", (int, float)),
    "bool": ("true or false", (bool,)),
    "tuple[str, ...]": ("a list of text", (list, tuple)),
    "Mapping[str, int]": ("whole numbers by name", (dict,)),
}


def read_fields(kind: type[_Config], where: str, config: Any, **ready: Any) -> _Config:
    """Return a dataclass of what a config file has for it.

    Args:
        kind: The dataclass; its fields are text, numbers, truth values, and lists and tables of those.
        where: The place, for messages, such as "models.taxi.request_log".
        config: The fields by name, as they were read.
        **ready: Values of other fields that are not to be checked.

    Raises:
        ValueError: If a field is unknown, missing or makes no sense; the message says where.

    Example:
        >>> read_fields(Limits, "limits", {"rows": 1000}).rows
        1000
    """
    fields = {each.name: each for each in dataclasses.fields(kind) if each.name not in ready}  # type: ignore[arg-type]
    values = dict(table(where, config, fields))
    for name, value in values.items():
        _check(f"{where}.{name}", value, str(fields[name].type))
        if isinstance(value, list):
            values[name] = tuple(value)
    for name, each in fields.items():
        no_default = each.default is each.default_factory is dataclasses.MISSING
        if no_default and name not in values:
            raise ValueError(f"{where} needs the field {name!r}.")
    try:
        return kind(**values, **ready)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def table(where: str, config: Any, known: Collection[str]) -> Mapping[str, Any]:
    """Return a table of a config file, all of whose names are known.

    Raises:
        ValueError: If it is no table, or has another name.
    """
    if not isinstance(config, Mapping):
        raise ValueError(f"{where} is a table of fields. Received: {config!r}")
    for name in config:
        if name not in known:
            raise ValueError(f"{where} has no field {name!r}.{did_you_mean(name, known)}")
    return config


def _check(where: str, value: Any, annotation: str) -> None:
    optional = annotation.endswith(" | None")
    words, kinds = _KINDS[annotation.removesuffix(" | None")]
    fits = (
        isinstance(value, kinds)
        and (bool in kinds or not isinstance(value, bool))
        and (not isinstance(value, list | tuple) or all(isinstance(each, str) for each in value))
        and (
            not isinstance(value, dict)
            or all(type(each) is int and isinstance(name, str) for name, each in value.items())
        )
    )
    if not fits and not (optional and value is None):
        raise ValueError(f"{where} takes {words}. Received: {value!r}")
