"""What a `SlicingSpec` says: which slices it yields, and how its values compare with the data's.

Values stand in a spec as text. They match a string feature exactly as written, so that the zip code
`02134` is that and no number, and a number feature by their value; floats are compared as float32,
which is what a tf.Example holds.
"""

from __future__ import annotations

import re
import struct
from typing import Any

from penstock.evaluation.keys import SliceKey, slice_name

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def spec_matches(spec: Any, key: SliceKey) -> bool:
    """Return whether `spec`, a `SlicingSpec`, may yield the slice `key`."""
    columns = dict(key)
    if set(columns) != {*spec.feature_keys, *spec.feature_values}:
        return False
    return all(value_matches(columns[name], text) for name, text in spec.feature_values.items())


def spec_name(spec: Any) -> str:
    """Return a slicing spec's name for people, such as `island, sex=male`."""
    values = slice_name(tuple(sorted(spec.feature_values.items()))) if spec.feature_values else ""
    return ", ".join([*spec.feature_keys, *([values] if values else [])]) or slice_name(())


def cross_spec_name(spec: Any) -> str:
    """Return a cross-slicing spec's name for people, such as `Overall vs. island`."""
    compared = " or ".join(spec_name(each) for each in spec.slicing_specs) or "all other slices"
    return f"{spec_name(spec.baseline_spec)} vs. {compared}"


def value_matches(value: str | int | float, text: str) -> bool:
    """Return whether a feature's value is the one that a spec writes as `text`.

    Example:
        >>> value_matches("02134", "02134"), value_matches("2134", "02134"), value_matches(7, "7.0")
        (True, False, True)
    """
    if isinstance(value, str):
        return value == text
    number = _number(text)
    if number is None:
        return False
    return value == number or (isinstance(value, float) and _float32(number) == _float32(value))


def key_value(text: str, value: str | int | float) -> str | int | float:
    """Return what stands in the slice's key for a spec's `text` that matched `value`.

    For a text feature that is the text, so that `1` and `1.0` are two slices, and the slice is the same
    as that of a spec which names the feature in `feature_keys`.
    """
    number = _number(text)
    return text if number is None or isinstance(value, str) else number


def _number(text: str) -> int | float | None:
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else None


def _float32(value: float) -> float | None:
    try:
        result: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return None
    return result
