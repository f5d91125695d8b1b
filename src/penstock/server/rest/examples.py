"""TensorFlow Serving's classify and regress in JSON: examples as objects of features."""

from __future__ import annotations

from typing import Any

import numpy as np

from penstock.io.examples.messages import example_class
from penstock.server import classification
from penstock.server.errors import InvalidArgumentError
from penstock.server.rest.json_tensors import is_bytes, read_object, shown, to_bytes
from penstock.server.rest.predict import signature_name
from penstock.server.servables.servable import Servable

_LARGEST_FLOAT = float(np.finfo(np.float32).max)
_WORDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


async def classify(servable: Servable, body: bytes) -> dict[str, Any]:
    """Answer a request of TensorFlow Serving's classify API: the classes of each example.

    Args:
        servable: The version that answers.
        body: `{"examples": [{"feature": value}], "context": {...}, "signature_name": "..."}`.

    Returns:
        `{"results": [[["label", score], ...], ...]}`, for `write_json`.

    Raises:
        ServingError: If the request is wrong, or the model fails.
    """
    name, examples = _examples(body)
    rows = await classification.classify(servable, name, examples)
    return {"results": [[[each.label, np.float32(each.score)] for each in row] for row in rows]}


async def regress(servable: Servable, body: bytes) -> dict[str, Any]:
    """Answer a request of TensorFlow Serving's regress API: the value of each example.

    Returns:
        `{"results": [value, ...]}`, for `write_json`.

    Raises:
        ServingError: If the request is wrong, or the model fails.
    """
    name, examples = _examples(body)
    values = await classification.regress(servable, name, examples)
    return {"results": np.array(values, np.float32)}


def _examples(body: bytes) -> tuple[str, list[bytes]]:
    """Return the signature and the serialized examples of a request."""
    content = read_object(body)
    if "examples" not in content:
        raise InvalidArgumentError(
            f"JSON Value: {shown(content)} When method is classify, key 'examples' is expected and was "
            "not found"
        )
    given = content["examples"]
    if not isinstance(given, list):
        raise InvalidArgumentError(
            f"JSON Value: {shown(content)} Expecting 'examples' value to be an list/array"
        )
    if not given:
        raise InvalidArgumentError(
            f"JSON Value: {shown(content)} 'examples' value is an empty array"
        )
    context = b"" if "context" not in content else _serialized(content["context"])
    # Messages one after the other are merged when they are parsed.
    return signature_name(content), [context + _serialized(each) for each in given]


def _serialized(features: Any) -> bytes:
    if not isinstance(features, dict):
        raise InvalidArgumentError(f"Example must be JSON object but got JSON {shown(features)}")
    example = example_class()()
    for name, value in features.items():
        feature = example.features.feature[name]
        for each in value if isinstance(value, list) else [value]:
            _add(name, feature, each)
    data: bytes = example.SerializeToString()
    return data


def _add(name: str, feature: Any, value: Any) -> None:
    if isinstance(value, str) or is_bytes(value):
        _of_kind(name, feature, "bytes_list").append(to_bytes(value))
    elif isinstance(value, bool | int):
        if not -(2**63) <= value < 2**63:
            raise InvalidArgumentError(
                f"Feature: {name} has uint64 element. Only int64 is supported."
            )
        _of_kind(name, feature, "int64_list").append(int(value))
    elif isinstance(value, float):
        if np.isfinite(value) and abs(value) > _LARGEST_FLOAT:
            raise InvalidArgumentError(
                f"Cannot convert JSON value: {value} to float without loss of precision."
            )
        _of_kind(name, feature, "float_list").append(value)
    else:
        raise InvalidArgumentError(
            f"Feature: {name} has element with unexpected JSON type: {shown(value)}"
        )


def _of_kind(name: str, feature: Any, kind: str) -> Any:
    """Return the values of a feature, which are all of one kind."""
    given = feature.WhichOneof("kind")
    if given not in (None, kind):
        raise InvalidArgumentError(
            f"Unexpected element type in feature: {name} expecting type: {_WORDS[given]}"
        )
    return getattr(feature, kind).value
