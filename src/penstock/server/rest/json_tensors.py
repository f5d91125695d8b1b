"""Tensors as JSON, by the rules of TensorFlow Serving's REST API.

Numbers are checked: text is no number, a fraction no integer, and a float must hold an integer exactly.
Bytes are `{"b64": "..."}`; outputs of text are written so if their name ends in `_bytes`.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from penstock.server.errors import InvalidArgumentError
from penstock.server.safety.json_depth import DEEPEST_JSON, is_too_deep
from penstock.server.servables.signature import ANY, TensorInfo

_SHOWN = 60


def read_json(body: bytes) -> Any:
    """Parse JSON; NaN, Infinity and -Infinity are numbers, as in TensorFlow Serving.

    Raises:
        InvalidArgumentError: If it is none, or nested too deep.
    """
    if is_too_deep(body):
        raise InvalidArgumentError(
            f"JSON Parse error: it is nested deeper than {DEEPEST_JSON} levels."
        )
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if not body.strip():
            raise InvalidArgumentError("JSON Parse error: The document is empty") from error
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as worse:
            raise InvalidArgumentError(f"JSON Parse error: {worse or 'nested too deep'}") from worse


def read_object(body: bytes) -> dict[str, Any]:
    """Parse JSON that is an object.

    Raises:
        InvalidArgumentError: If it is none.
    """
    content = read_json(body)
    if not isinstance(content, dict):
        raise InvalidArgumentError(f"JSON Value: {shown(content)} Is not object")
    return content


def write_json(content: Any) -> bytes:
    """Return JSON; arrays of numbers are lists, floats have the digits of their type.

    Numbers that are not finite are NaN, Infinity and -Infinity.
    """
    # Half of a character, as "\\ud800" in a request, is no text to orjson.
    with contextlib.suppress(orjson.JSONEncodeError):
        written = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY, default=_plain)
        # It writes null for a number that is not finite.
        if b"null" not in written or _finite(content):
            return written
    return json.dumps(content, default=_plain).encode()


def shown(value: Any) -> str:
    """Return a value as JSON for a message, cut short."""
    text = ""
    try:
        # Only what is shown: the value may be large.
        for part in json.JSONEncoder().iterencode(value):
            text += part[: _SHOWN + 1]
            if len(text) > _SHOWN:
                break
    except (TypeError, ValueError, RecursionError):
        text = repr(type(value).__name__)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def to_array(name: str, value: Any, tensor: TensorInfo) -> npt.NDArray[Any]:
    """Return a JSON value as an array of a tensor's type.

    Raises:
        InvalidArgumentError: If it has another type, or lists of different sizes.
    """
    if tensor.dtype == "string" or (tensor.dtype == ANY and _is_text(value)):
        return _texts(name, value, nullable=tensor.dtype == ANY)
    if _holds_text(value):
        raise _wrong_type(name, value, tensor)
    try:
        array = np.array(_nan_for_null(value) if tensor.dtype == ANY else value)
    except (ValueError, OverflowError, RecursionError) as error:
        raise InvalidArgumentError(
            f"The input {name!r} has lists of different sizes: {shown(value)}"
        ) from error
    dtype = np.dtype(np.float64) if tensor.dtype == ANY else _dtype(name, tensor)
    kind = array.dtype.kind
    if array.size == 0:
        return array.astype(dtype)
    wanted = {"f": "fiu", "V": "fiu", "i": "iu", "u": "iu", "b": "b"}.get(dtype.kind, "")
    if kind not in wanted:
        raise _wrong_type(name, value, tensor)
    _check_range(name, array, dtype)
    return array.astype(dtype)


def _holds_text(value: Any) -> bool:
    """Return whether numbers are mixed with text, of which NumPy would make each as long as the longest."""
    level = [value]
    try:
        while level and isinstance(level[0], list):
            level = list(itertools.chain.from_iterable(level))
    except TypeError:
        return False  # lists of different sizes
    return str in set(map(type, level))


def _wrong_type(name: str, value: Any, tensor: TensorInfo) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"JSON Value: {shown(value)} is not of expected type: {tensor.dtype} (input {name!r})"
    )


def to_value(name: str, array: npt.NDArray[Any]) -> Any:
    """Return an output as what `write_json` takes: an array of numbers, or lists of text."""
    if array.dtype == object:
        as_bytes = name.endswith("_bytes")
        return _text_value(array.tolist(), as_bytes)
    if array.dtype.kind == "V" or array.dtype == np.float16:  # bfloat16, and halves
        array = array.astype(np.float32)
    return np.ascontiguousarray(array)


def is_bytes(value: Any) -> bool:
    """Whether a JSON value is `{"b64": "..."}`."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def to_bytes(value: Any) -> bytes:
    """Return text, or the bytes of `{"b64": "..."}`.

    Raises:
        InvalidArgumentError: If it is neither, or no base64.
    """
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise InvalidArgumentError(f"{shown(value)} is no valid text.") from error
    if not is_bytes(value):
        raise InvalidArgumentError(f"JSON Value: {shown(value)} is not of expected type: string")
    text = value["b64"].replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidArgumentError("Unable to base64 decode") from error


def _nan_for_null(value: Any) -> Any:
    """Return a value in which null, a missing value for an estimator, is NaN."""
    if isinstance(value, list):
        return [_nan_for_null(each) for each in value]
    return float("nan") if value is None else value


def _is_text(value: Any) -> bool:
    if isinstance(value, list):
        return any(_is_text(each) for each in value)
    return isinstance(value, str | dict)


def decoded(values: Sequence[Any]) -> npt.NDArray[Any] | None:
    """Return bytes if all values are `{"b64": "..."}` as most clients write it, else None.

    This is the form of tf.Examples, where it takes a tenth of the time that checking each value does.
    """
    try:
        if sum(map(len, values)) != len(values):
            return None
        texts = [binascii.a2b_base64(each["b64"], strict_mode=True) for each in values]
    except (TypeError, KeyError, IndexError, ValueError):
        return None  # it is of another form, or wrong
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def _texts(name: str, value: Any, nullable: bool) -> npt.NDArray[Any]:
    sizes: list[int] = []
    level = value
    while isinstance(level, list):
        sizes.append(len(level))
        level = level[0] if level else None
    flat: list[Any] = [value]
    for size in sizes:
        if any(not isinstance(each, list) or len(each) != size for each in flat):
            raise InvalidArgumentError(
                f"The input {name!r} has lists of different sizes: {shown(value)}"
            )
        flat = [entry for each in flat for entry in each]
    array = np.empty(len(flat), dtype=object)
    array[:] = [None if each is None and nullable else to_bytes(each) for each in flat]
    return array.reshape(sizes)


def _dtype(name: str, tensor: TensorInfo) -> np.dtype[Any]:
    if tensor.dtype == "bfloat16":
        import ml_dtypes

        bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return bfloat16
    try:
        return np.dtype(tensor.dtype)
    except TypeError as error:
        raise InvalidArgumentError(
            f"The input {name!r} is of the type {tensor.dtype}, which JSON has no values for."
        ) from error


def _check_range(name: str, array: npt.NDArray[Any], dtype: np.dtype[Any]) -> None:
    if dtype.kind in "iu":
        if array.dtype == dtype:
            return
        least, most = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
        wrong = (array < least) | (array > most)
    elif dtype.kind == "f" and array.dtype.kind in "iu":
        most = 2 ** (np.finfo(dtype).nmant + 1) - 1
        wrong = (array > most) | (array < -most)
    elif dtype in (np.float32, np.float16):
        with np.errstate(invalid="ignore"):
            wrong = np.isfinite(array) & (np.abs(array) > np.finfo(dtype).max)
    else:
        return
    if wrong.any():
        raise InvalidArgumentError(
            f"Cannot convert JSON value: {array[wrong].flat[0]} to {dtype} without loss of precision "
            f"(input {name!r})."
        )


def _text_value(value: Any, as_bytes: bool) -> Any:
    if isinstance(value, list):
        return [_text_value(each, as_bytes) for each in value]
    if not isinstance(value, bytes):
        return value
    if as_bytes:
        return {"b64": base64.b64encode(value).decode()}
    return value.decode(errors="replace")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        # The shortest digits that are this float, not those of the double nearest to it.
        if value.dtype == np.float32:
            return value.astype("U").astype(np.float64).tolist()
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON")


def _finite(content: Any) -> bool:
    if isinstance(content, np.ndarray):
        return content.dtype.kind != "f" or bool(np.isfinite(content).all())
    if isinstance(content, float):
        return content == content and content not in (float("inf"), float("-inf"))
    if isinstance(content, Mapping):
        return all(_finite(each) for each in content.values())
    if isinstance(content, Sequence) and not isinstance(content, str | bytes):
        return all(_finite(each) for each in content)
    return True
