"""A checkpoint's contents as JSON and NumPy arrays: no pickles, the same for all backends."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

_ARRAY, _TUPLE, _BYTES = "$array", "$tuple", "$bytes"


def split(contents: Any) -> tuple[str, dict[str, np.ndarray]]:
    """Return nested contents as JSON text and the arrays that it names.

    Args:
        contents: Dicts with string keys, lists, tuples, strings, bytes, numbers, None, and NumPy arrays
            of any dtype, also of `ml_dtypes` such as bfloat16.

    Raises:
        TypeError: If there is anything else in it.

    Example:
        >>> text, arrays = split({"step": 7, "weights": [np.zeros(3)]})
        >>> text
        '{"step": 7, "weights": [{"$array": ["0", "float64"]}]}'
    """
    arrays: dict[str, np.ndarray] = {}
    return json.dumps(_encoded(contents, arrays, "")), arrays


def join(text: str, arrays: Any) -> Any:
    """Return the contents that `split` gave a text and arrays for."""
    return _decoded(json.loads(text), arrays)


def _encoded(value: Any, arrays: dict[str, np.ndarray], place: str) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return value.item()
    if isinstance(value, np.ndarray):
        name = str(len(arrays))
        # NumPy's file format has no name for the types of ml_dtypes (bfloat16 has the kind "V").
        plain = value.view(f"u{value.dtype.itemsize}") if value.dtype.kind == "V" else value
        arrays[name] = plain
        return {_ARRAY: [name, value.dtype.name]}
    if isinstance(value, dict):
        if strange := [key for key in value if not isinstance(key, str)]:
            raise TypeError(
                f"{place or 'A checkpoint'} has the key {strange[0]!r}; keys are strings."
            )
        return {key: _encoded(each, arrays, f"{place}/{key}") for key, each in value.items()}
    if isinstance(value, list):
        return [_encoded(each, arrays, f"{place}/{i}") for i, each in enumerate(value)]
    if isinstance(value, tuple):
        return {_TUPLE: [_encoded(each, arrays, f"{place}/{i}") for i, each in enumerate(value)]}
    if isinstance(value, bytes):
        return {_BYTES: value.hex()}
    raise TypeError(
        f"A checkpoint holds numbers, texts, NumPy arrays, and lists and dicts of them. "
        f"Received at {place or 'the top'}: {type(value).__name__}"
    )


def _decoded(value: Any, arrays: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(each, arrays) for each in value]
    if not isinstance(value, dict):
        return value
    if _ARRAY in value:
        name, dtype = value[_ARRAY]
        array = arrays[name]
        return array if array.dtype.name == dtype else array.view(_dtype(dtype))
    if _TUPLE in value:
        return tuple(_decoded(each, arrays) for each in value[_TUPLE])
    if _BYTES in value:
        return bytes.fromhex(value[_BYTES])
    return {key: _decoded(each, arrays) for key, each in value.items()}


def _dtype(name: str) -> Any:
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))
