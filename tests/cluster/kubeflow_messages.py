"""Checks what is sent to Kubeflow's API server as the server does, by the models of `kfp_server_api`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kfp_server_api import models

_WHOLE_NUMBERS = {"max_concurrency", "interval_second", "execution_id"}
"""64-bit numbers, which the models call text and JSON may hold as either."""


class BadMessage(ValueError):
    """A body is not of its type; the server answers 400."""


def check(name: str, value: Any, where: str = "") -> None:
    """Raise BadMessage if a JSON value is no message of a type, as grpc-gateway would.

    Args:
        name: A model of `kfp_server_api`, `str`, `int`, `bool`, `datetime`, `object`, `list[X]` or
            `dict(str, X)`.
        value: The value.
        where: Path of the value in the body.
    """
    if value is None or name == "object":
        return
    if found := re.fullmatch(r"list\[(.*)\]", name):
        _expect(isinstance(value, list), name, value, where)
        for number, each in enumerate(value):
            check(found[1], each, f"{where}[{number}]")
    elif found := re.fullmatch(r"dict\(str, (.*)\)", name):
        _expect(isinstance(value, Mapping), name, value, where)
        for key, each in value.items():
            check(found[1], each, f"{where}.{key}")
    elif name == "str":
        number = where.rpartition(".")[2] in _WHOLE_NUMBERS
        _expect(isinstance(value, str) or (number and isinstance(value, int)), name, value, where)
        if number:
            _expect(re.fullmatch(r"-?\d+", str(value)), "int64", value, where)
    elif name in ("int", "bool"):
        _expect(type(value).__name__ == name, name, value, where)
    elif name == "datetime":
        _expect(isinstance(value, str) and _is_time(value), "RFC 3339 time", value, where)
    else:
        _check_model(getattr(models, name), value, where)


def _check_model(model: Any, value: Any, where: str) -> None:
    if not model.openapi_types:  # an enumeration
        allowed = model.allowable_values
        _expect(value in allowed, f"one of {allowed}", value, where)
        return
    _expect(isinstance(value, Mapping), model.__name__, value, where)
    types = {json: model.openapi_types[name] for name, json in model.attribute_map.items()}
    for key, each in value.items():
        if key not in types:
            raise BadMessage(
                f"proto: (line 1:1): unknown field {key!r} in {where or model.__name__}"
            )
        check(types[key], each, f"{where}.{key}")


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _expect(good: Any, kind: str, value: Any, where: str) -> None:
    if not good:
        raise BadMessage(f"proto: invalid value for {kind} field {where}: {value!r}")
