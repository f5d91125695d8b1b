"""JSON forms of plain Python values that JSON lacks, from which equal values of the same type are made."""

from __future__ import annotations

import base64
import datetime
import decimal
import pathlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any

_TEXTS: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "$bytes": (bytes, lambda value: base64.b64encode(value).decode(), base64.b64decode),
    "$path": (pathlib.PurePath, str, pathlib.Path),
    # A datetime is a date, too: it stands before it.
    "$datetime": (
        datetime.datetime,
        datetime.datetime.isoformat,
        datetime.datetime.fromisoformat,
    ),
    "$date": (datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
    "$time": (datetime.time, datetime.time.isoformat, datetime.time.fromisoformat),
    "$decimal": (decimal.Decimal, str, decimal.Decimal),
    "$uuid": (uuid.UUID, str, uuid.UUID),
}
"""Key of the form, the type, and the ways to text and back."""


def plain_form(value: Any) -> dict[str, str] | None:
    """Return the form of bytes, a path, a date or time, a Decimal or a UUID; None for other values.

    Subclasses, such as pandas' Timestamp, have none: they would come back as the plain type.

    Example:
        >>> plain_form(datetime.date(2026, 1, 31))
        {'$date': '2026-01-31'}
    """
    for key, (kind, write, _) in _TEXTS.items():
        if type(value) is kind or (kind is pathlib.PurePath and isinstance(value, kind)):
            return {key: write(value)}
    if type(value) is datetime.timedelta:
        parts = (value.days, value.seconds, value.microseconds)
        return {"$timedelta": " ".join(map(str, parts))}
    return None


def plain_value(form: Mapping[str, Any]) -> tuple[Any] | None:
    """Return the value of a form that `plain_form` made, in a tuple; None for other forms."""
    if len(form) != 1:
        return None
    ((key, text),) = form.items()
    if key == "$timedelta":
        return (datetime.timedelta(*map(int, text.split())),)
    return (_TEXTS[key][2](text),) if key in _TEXTS else None
