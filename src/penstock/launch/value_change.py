"""A change from one value to another, in a few words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

ABSENT: Any = object()
"""Stands for a value that is not there."""

_INSIDE = (
    "$tuple", "$set", "$frozenset", "$bytes", "$path", "$datetime", "$date", "$time", "$decimal", "$uuid",
)  # fmt: skip
"""Keys of forms that are shown as what stands in them."""

_LONGEST = 60
_BEFORE = 20
"""How much of what is the same is shown before the place where long values differ."""


def change(old: Any, new: Any, *, quote: bool = True) -> str:
    """Return how a value changed. Of long ones the place is shown where they differ.

    Args:
        old: What it was, in the form of `penstock.dsl.values.encode`; `ABSENT` for nothing.
        new: What it is.
        quote: Whether strings are quoted.

    Example:
        >>> change(5, 20), change(ABSENT, 0.1)
        ('changed: 5 -> 20', 'is new: 0.1')
        >>> change(["a"], {"$tuple": ["a"]})
        'changed: list ["a"] -> tuple ["a"]'
    """
    show = shown if quote else str
    if old is ABSENT:
        return f"is new: {_cut(show(new))}"
    if new is ABSENT:
        return f"is gone; it was {_cut(show(old))}"
    first, second = show(old), show(new)
    if first == second:
        # A list and a tuple look alike, as do a string and a path.
        first, second = (f"{_kind(each)} {text}" for each, text in ((old, first), (new, second)))
    if first == second:
        first, second = json.dumps(old, default=str), json.dumps(new, default=str)
    start = _first_difference(first, second)
    return f"changed: {_cut(first, start)} -> {_cut(second, start)}"


def _kind(value: Any) -> str:
    if isinstance(value, Mapping) and len(value) == 1:
        return str(next(iter(value))).removeprefix("$")
    return type(value).__name__


def shown(value: Any) -> str:
    """Return a value as JSON; what is encoded as it is written in Python."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        if len(value) == 1 and next(iter(value)) in _INSIDE:
            return shown(next(iter(value.values())))
        if "$items" in value:
            items = (f"{shown(key)}: {shown(each)}" for key, each in value["$items"])
            return f"{{{', '.join(items)}}}"
        if "$named_tuple" in value:
            kind = str(value["$named_tuple"]).rpartition(":")[2]
            return f"{kind}({', '.join(map(shown, value['elements']))})"
        for key in ("$name", "$object", "$enum", "$float"):
            if key in value:
                return str(value.get("name") or value[key])
        for key in ("$dataclass", "$message"):
            if key in value:
                kind = str(value[key]).rpartition(":")[2]
                return f"{kind}({json.dumps(value.get('fields', {}), ensure_ascii=False)})"
    return json.dumps(value, default=str, ensure_ascii=False)


def _first_difference(first: str, second: str) -> int:
    shorter = min(len(first), len(second))
    return next((i for i in range(shorter) if first[i] != second[i]), shorter)


def _cut(text: str, at: int = 0) -> str:
    """Return a text, or what stands of a long one around a place of it."""
    if len(text) <= _LONGEST:
        return text
    start = max(0, at - _BEFORE) if at > _LONGEST - _BEFORE else 0
    end = start + _LONGEST
    return f"{'...' if start else ''}{text[start:end]}{'...' if end < len(text) else ''}"
