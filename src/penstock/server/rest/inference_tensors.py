"""Requests and answers of the open inference protocol: tensors as JSON, or as bytes behind it."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.server.errors import InvalidArgumentError
from penstock.server.rest.json_tensors import read_object, shown, to_array, to_value, write_json
from penstock.server.servables.servable import Servable
from penstock.server.servables.signature import ANY, TensorInfo
from penstock.spelling import did_you_mean

_DATATYPES = {
    "bool": "BOOL", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64",
    "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64", "float16": "FP16",
    "float32": "FP32", "float64": "FP64", "bfloat16": "BF16", "string": "BYTES", ANY: "FP64",
}  # fmt: skip
_UINT32 = struct.Struct("<I").unpack_from
_DTYPES = {each: dtype for dtype, each in _DATATYPES.items() if dtype != ANY}


@dataclass(frozen=True)
class InferRequest:
    """A request.

    Args:
        id: Its id; None if it has none.
        signature: The signature that it asks; "" for the default.
        inputs: Its tensors.
        binary: For each output that it wants, whether as bytes; None for all outputs.
        all_binary: Whether the outputs that it does not name are bytes.
    """

    id: str | None
    signature: str
    inputs: Mapping[str, npt.NDArray[Any]]
    binary: Mapping[str, bool] | None
    all_binary: bool


@dataclass(frozen=True)
class Written:
    """An answer.

    Args:
        body: Its JSON, and tensors behind it.
        json_length: The bytes of the JSON; None if nothing is behind it.
    """

    body: bytes
    json_length: int | None


def datatype(dtype: str) -> str:
    """Return the protocol's name of TensorFlow's type."""
    return _DATATYPES.get(dtype, dtype.upper())


def read_request(body: bytes, length: str | None, servable: Servable) -> InferRequest:
    """Read a request of `infer`.

    Args:
        body: Its body.
        length: The header `Inference-Header-Content-Length`, if there is one.
        servable: The version that it asks.

    Raises:
        InvalidArgumentError: If it is wrong; the message says what is.
    """
    size = len(body)
    if length is not None:
        digits = length.isascii() and length.isdecimal() and len(length) < 20
        if not digits or int(length) > len(body):
            raise InvalidArgumentError(
                f"Inference-Header-Content-Length is {shown(length)}, and the body has {len(body)} bytes."
            )
        size = int(length)
    content = read_object(body[:size])
    parameters = _object(content, "parameters")
    signature = parameters.get("signature_name", "")
    id = content.get("id")
    if not isinstance(signature, str) or not isinstance(id, str | None):
        raise InvalidArgumentError("'id' and 'signature_name' are texts.")
    tensors = _list(content, "inputs")
    if not tensors:
        raise InvalidArgumentError("The request has no 'inputs'.")
    described = servable.signature(signature).inputs
    inputs: dict[str, npt.NDArray[Any]] = {}
    start = size
    for tensor in tensors:
        name = tensor.get("name")
        if not isinstance(name, str):
            raise InvalidArgumentError(f"An input has no 'name': {shown(tensor)}")
        if name in inputs:
            raise InvalidArgumentError(f"The input {name!r} occurs twice.")
        count = _object(tensor, "parameters").get("binary_data_size")
        data = None
        if count is not None:
            if (
                not isinstance(count, int)
                or isinstance(count, bool)
                or not 0 <= count <= len(body) - start
            ):
                raise InvalidArgumentError(
                    f"The input {name!r} has binary_data_size {shown(count)}, and "
                    f"{len(body) - start} bytes are left of the body."
                )
            data = body[start : start + count]
            start += count
        inputs[name] = _array(name, tensor, data, described.get(name))
    if start != len(body):
        raise InvalidArgumentError(f"{len(body) - start} bytes of the body belong to no input.")
    wanted = _list(content, "outputs") if content.get("outputs") else None
    everything = bool(parameters.get("binary_data_output"))
    binary = None
    if wanted is not None:
        binary = {
            str(each.get("name")): bool(_object(each, "parameters").get("binary_data", everything))
            for each in wanted
        }
    return InferRequest(id, signature, inputs, binary, everything)


def write_response(
    servable: Servable, request: InferRequest, outputs: Mapping[str, npt.NDArray[Any]]
) -> Written:
    """Return the answer to a request.

    Raises:
        InvalidArgumentError: If it wants an output that the model does not have.
    """
    wanted = request.binary
    if wanted is None:
        wanted = dict.fromkeys(outputs, request.all_binary)
    described = []
    behind: list[bytes] = []
    for name, binary in wanted.items():
        if name not in outputs:
            raise InvalidArgumentError(
                f"{servable.name!r} has no output {name!r}.{did_you_mean(name, outputs)}"
            )
        array = outputs[name]
        dtype = "string" if array.dtype == object else array.dtype.name
        entry: dict[str, Any] = {
            "name": name,
            "datatype": datatype(dtype),
            "shape": list(array.shape),
        }
        if binary:
            behind.append(_to_bytes(array))
            entry["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            entry["data"] = _flat(array)
        described.append(entry)
    content: dict[str, Any] = {
        "model_name": servable.name,
        "model_version": str(servable.version),
        "outputs": described,
    }
    if request.id is not None:
        content["id"] = request.id
    text = write_json(content)
    if not any(wanted.values()):
        return Written(text, None)
    return Written(b"".join([text, *behind]), len(text))


def _flat(array: npt.NDArray[Any]) -> Any:
    flat = array.reshape(-1)
    # Text has no type of its own in this protocol: bytes that are no text are replaced.
    return to_value("", flat)


def _array(
    name: str, tensor: Mapping[str, Any], data: bytes | None, described: TensorInfo | None
) -> npt.NDArray[Any]:
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not all(
        isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**31 for size in shape
    ):
        raise InvalidArgumentError(
            f"The 'shape' of the input {name!r} is a list of sizes. Received: {shown(shape)}"
        )
    given = tensor.get("datatype")
    if not isinstance(given, str) or given not in _DTYPES:
        raise InvalidArgumentError(
            f"The input {name!r} has the datatype {shown(given)}. Expected one of: {', '.join(_DTYPES)}"
        )
    count = math.prod(shape)
    # NumPy counts in 64 bits, even where one size is 0 and there is nothing to count.
    if math.prod(max(1, size) for size in shape) >= 1 << 48 or len(shape) > 32:
        raise InvalidArgumentError(
            f"The input {name!r} has the shape {shown(shape)}, which is too large."
        )
    if data is not None:
        array = _from_bytes(name, data, given, count)
    elif "data" not in tensor:
        raise InvalidArgumentError(f"The input {name!r} has no 'data'.")
    else:
        array = to_array(name, tensor["data"], TensorInfo(_DTYPES[given], None)).reshape(-1)
    if len(array) != count:
        raise InvalidArgumentError(
            f"The input {name!r} has {len(array)} values. Its shape {shape} needs {count}."
        )
    if described is not None and described.dtype == ANY and array.dtype != object:
        array = array.astype(np.float64)
    return array.reshape(shape)


def _from_bytes(name: str, data: bytes, given: str, count: int) -> npt.NDArray[Any]:
    if given == "BYTES":
        return _texts(name, data, count)
    if given == "BF16":
        import ml_dtypes

        dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    else:
        dtype = np.dtype(_DTYPES[given]).newbyteorder("<")
    if len(data) != count * dtype.itemsize:
        raise InvalidArgumentError(
            f"The input {name!r} has {len(data)} bytes. Its shape needs {count * dtype.itemsize}."
        )
    array = np.frombuffer(data, dtype)
    if given == "BOOL":
        array = np.frombuffer(data, np.uint8) != 0
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _texts(name: str, data: bytes, count: int) -> npt.NDArray[Any]:
    """Return texts, each behind its length."""
    texts: list[bytes] = []
    start, size = 0, len(data)
    try:
        for _ in range(count):
            (length,) = _UINT32(data, start)
            begin = start + 4
            start = begin + length
            texts.append(data[begin:start])
    except struct.error:  # there are fewer, or the last length is cut off
        start += 0 if start == size else size
    if start > size:
        raise InvalidArgumentError(f"The bytes of the input {name!r} end within a value.")
    if start < size:
        texts.append(data[start:])  # more than there should be
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def _to_bytes(array: npt.NDArray[Any]) -> bytes:
    if array.dtype != object:
        return (
            np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        )
    return b"".join(struct.pack("<I", len(each)) + each for each in array.reshape(-1).tolist())


def _object(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = content.get(key) or {}
    if not isinstance(found, dict):
        raise InvalidArgumentError(f"{key!r} is an object. Received: {shown(found)}")
    return found


def _list(content: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = content.get(key) or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise InvalidArgumentError(f"{key!r} is a list of objects. Received: {shown(found)}")
    return found
