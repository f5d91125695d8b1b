"""TensorFlow Serving's predict in JSON: rows as "instances", columns as "inputs"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.server.errors import InvalidArgumentError
from penstock.server.rest.json_tensors import (
    decoded,
    is_bytes,
    read_object,
    shown,
    to_array,
    to_value,
)
from penstock.server.servables.servable import Servable
from penstock.server.servables.signature import SignatureInfo

Arrays = dict[str, npt.NDArray[Any]]


async def predict(servable: Servable, body: bytes) -> dict[str, Any]:
    """Answer a request of TensorFlow Serving's predict API.

    Args:
        servable: The version that answers.
        body: The request: `{"instances": [...]}` or `{"inputs": ...}`, and `"signature_name"`.

    Returns:
        `{"predictions": [...]}` or `{"outputs": ...}`, for `write_json`.

    Raises:
        ServingError: If the request is wrong, or the model fails.
    """
    content = read_object(body)
    signature = servable.signature(signature_name(content))
    if "instances" in content and "inputs" in content:
        raise InvalidArgumentError(
            f"JSON Value: {shown(content)} Not formatted correctly expecting only one of 'inputs' or "
            "'instances' keys to exist "
        )
    if "instances" in content:
        inputs = from_instances(content["instances"], signature)
        return {"predictions": to_rows(await servable.predict(signature.name, inputs))}
    if "inputs" in content:
        inputs = from_columns(content["inputs"], signature)
        outputs = await servable.predict(signature.name, inputs)
        columns = {name: to_value(name, array) for name, array in outputs.items()}
        return {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
    raise InvalidArgumentError("Missing 'inputs' or 'instances' key")


def signature_name(content: Mapping[str, Any]) -> str:
    """Return the signature that a request names; "" if none.

    Raises:
        InvalidArgumentError: If it is no text.
    """
    name = content.get("signature_name", "")
    if not isinstance(name, str):
        raise InvalidArgumentError(
            f"JSON Value: {shown(content)} not formatted correctly. 'signature_name' key must be a "
            "string value."
        )
    return name


def from_instances(instances: Any, signature: SignatureInfo) -> Arrays:
    """Return the inputs of a list of rows: values, or objects with a value for each input.

    Raises:
        InvalidArgumentError: If they are not all of one kind, type and shape.
    """
    if not isinstance(instances, list):
        raise InvalidArgumentError(
            f"JSON Value: {shown(instances)} Expecting 'instances' to be an list/array"
        )
    if not instances:
        raise InvalidArgumentError("JSON Value: [] No values in 'instances' array")
    if len(signature.inputs) == 1:
        ((name, tensor),) = signature.inputs.items()
        texts = decoded(instances) if tensor.dtype == "string" else None
        if texts is not None:
            return {name: texts}
    objects = [isinstance(each, dict) and not is_bytes(each) for each in instances]
    if any(each != objects[0] for each in objects):
        item = objects.index(not objects[0])
        got = ("object", "value/list") if objects[0] else ("value/list", "object")
        raise InvalidArgumentError(
            f"Expecting {got[0]} but got {got[1]} at item {item} of input list"
        )
    if not objects[0]:
        return {_only_input(signature, "instances"): _array(signature, instances)}
    names = set(signature.inputs)
    for item, each in enumerate(instances):
        if each.keys() != names:
            raise InvalidArgumentError(
                f"Failed to process element: {item} of 'instances' list. JSON object: {shown(each)} keys "
                f"must be equal to: {','.join(sorted(names))}"
            )
    return {
        name: to_array(name, [each[name] for each in instances], tensor)
        for name, tensor in signature.inputs.items()
    }


def from_columns(columns: Any, signature: SignatureInfo) -> Arrays:
    """Return the inputs of "inputs": a tensor, or an object with one for each input.

    Raises:
        InvalidArgumentError: If one is missing, or of another type.
    """
    if not isinstance(columns, dict) or is_bytes(columns):
        return {_only_input(signature, "inputs"): _array(signature, columns)}
    missing = [name for name in signature.inputs if name not in columns]
    if missing:
        raise InvalidArgumentError(f"Missing named input: {missing[0]} in 'inputs' object.")
    return {
        name: to_array(name, columns[name], tensor) for name, tensor in signature.inputs.items()
    }


def to_rows(outputs: Mapping[str, npt.NDArray[Any]]) -> Any:
    """Return a value for each row, or an object where there are several outputs.

    Raises:
        InvalidArgumentError: If an output is not one value a row.
    """
    sizes = set()
    for name, array in outputs.items():
        if array.ndim == 0:
            raise InvalidArgumentError(f"Tensor name: {name} has no shape information ")
        sizes.add(len(array))
        if len(sizes) > 1:
            raise InvalidArgumentError(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: "
                f"{min(sizes - {len(array)})}"
            )
    columns = {name: to_value(name, array) for name, array in outputs.items()}
    if len(columns) == 1:
        return next(iter(columns.values()))
    # Rows of arrays: what is written keeps the digits of its type.
    split = {
        name: [np.asarray(row) if row.ndim else row for row in column]
        if isinstance(column, np.ndarray)
        else column
        for name, column in columns.items()
    }
    return [dict(zip(split, row, strict=True)) for row in zip(*split.values(), strict=True)]


def _only_input(signature: SignatureInfo, key: str) -> str:
    if len(signature.inputs) != 1:
        what = "list, but expecting list of objects"
        what = what if key == "instances" else "value/list, but expecting an object"
        raise InvalidArgumentError(
            f"{key} is a plain {what} as multiple input tensors required as per tensorinfo_map: "
            f"{', '.join(signature.inputs)}"
        )
    return next(iter(signature.inputs))


def _array(signature: SignatureInfo, value: Any) -> npt.NDArray[Any]:
    ((name, tensor),) = signature.inputs.items()
    return to_array(name, value, tensor)
