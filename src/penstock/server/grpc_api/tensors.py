"""TensorProtos to NumPy arrays and back, in the form that TensorFlow Serving's clients write and read.

Source of the format: tensorflow/core/framework/tensor.proto and types.proto. Answers hold their values
in the typed fields (`float_val`, ...), as TensorFlow Serving writes them by default, since clients read
`response.outputs["scores"].float_val`. Those of floats are written without Python work per value.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class TensorError(ValueError):
    """A TensorProto that contradicts itself, or that is too large; the message names the tensor."""


class _Kind(NamedTuple):
    number: int
    name: str
    field: str
    # Of the values in the field, where their bytes are those of the array; None where they are not.
    tag: bytes | None = None
    # The bits that the field holds as integers.
    bits: type[np.generic] | None = None


# A tag is the number of a packed field with wire type 2. Booleans are varints of one byte.
_KINDS = (
    _Kind(1, "float32", "float_val", b"\x2a"),
    _Kind(2, "float64", "double_val", b"\x32"),
    _Kind(3, "int32", "int_val"),
    _Kind(4, "uint8", "int_val"),
    _Kind(5, "int16", "int_val"),
    _Kind(6, "int8", "int_val"),
    _Kind(8, "complex64", "scomplex_val", b"\x4a"),
    _Kind(9, "int64", "int64_val"),
    _Kind(10, "bool", "bool_val", b"\x5a"),
    _Kind(14, "bfloat16", "half_val", bits=np.uint16),
    _Kind(17, "uint16", "int_val"),
    _Kind(18, "complex128", "dcomplex_val", b"\x62"),
    _Kind(19, "float16", "half_val", bits=np.uint16),
    _Kind(22, "uint32", "uint32_val"),
    _Kind(23, "uint64", "uint64_val"),
)
_STRING = 7
_BY_NUMBER = {kind.number: kind for kind in _KINDS}
_BY_NAME = {kind.name: kind for kind in _KINDS}
DTYPE_NAMES = {kind.number: kind.name for kind in _KINDS} | {_STRING: "string"}
DTYPE_NUMBERS = {name: number for number, name in DTYPE_NAMES.items()}


def array_of_tensor(name: str, tensor: Any, *, most_bytes: int) -> Array:
    """Return the values of a TensorProto.

    An array of `tensor_content` shares its memory and cannot be written to. Fewer values than the shape
    asks for repeat the last one, as in TensorFlow; no values at all are zeros.

    Args:
        name: The tensor's name, for messages.
        tensor: A `tensorflow.TensorProto`.
        most_bytes: The most bytes that the values may take: a shape alone can ask for terabytes.

    Returns:
        An array of the tensor's type and shape; strings are `bytes` in an array of objects.

    Raises:
        TensorError: If the type is not served, or type, shape and values do not go together.

    Example:
        >>> array_of_tensor("miles", tf.make_tensor_proto([[2.5]]), most_bytes=1 << 20)
        array([[2.5]], dtype=float32)
    """
    shape = _shape_of(name, tensor.tensor_shape)
    count = math.prod(shape)
    if tensor.dtype == _STRING:
        return _strings(name, tensor, shape, count, most_bytes)
    kind = _BY_NUMBER.get(tensor.dtype)
    if kind is None:
        raise TensorError(
            f"The tensor {name!r} has the data type number {tensor.dtype}, which is not served. "
            f"Served: {', '.join(sorted(DTYPE_NUMBERS))}"
        )
    dtype = numpy_dtype(kind.name)
    _check_size(name, shape, count * dtype.itemsize, most_bytes)
    if tensor.tensor_content:
        return _of_content(name, tensor.tensor_content, dtype, shape, count)
    return _filled(name, _of_field(name, getattr(tensor, kind.field), kind, dtype), shape, count)


def tensor_of_array(array: Array) -> Any:
    """Return an array as a `tensorflow.TensorProto`.

    Raises:
        TensorError: If its type is none that a TensorProto holds.

    Example:
        >>> list(tensor_of_array(np.array([2.5], np.float32)).float_val)
        [2.5]
    """
    from tensorflow.core.framework import tensor_pb2

    tensor = tensor_pb2.TensorProto()
    tensor.tensor_shape.SetInParent()
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    if array.dtype.kind in "OSU":
        tensor.dtype = _STRING
        tensor.string_val.extend(map(_as_bytes, array.ravel().tolist()))
        return tensor
    kind = _BY_NAME.get(array.dtype.name)
    if kind is None:
        raise TensorError(f"An output has the type {array.dtype}, which a TensorProto cannot hold.")
    tensor.dtype = kind.number
    if kind.tag is not None and array.size:
        content = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        tensor.MergeFromString(kind.tag + _varint(len(content)) + content)
    elif kind.bits is not None:
        tensor.half_val.extend(np.ascontiguousarray(array).view(kind.bits).ravel().tolist())
    else:
        getattr(tensor, kind.field).extend(array.ravel().tolist())
    return tensor


def numpy_dtype(name: str) -> np.dtype[Any]:
    """Return NumPy's type of a TensorFlow type's name, such as "bfloat16"; strings are objects."""
    if name == "bfloat16":
        import ml_dtypes

        name = ml_dtypes.bfloat16
    dtype: np.dtype[Any] = np.dtype(object if name == "string" else name)
    return dtype


def _shape_of(name: str, shape: Any) -> tuple[int, ...]:
    sizes = tuple(dim.size for dim in shape.dim)
    if shape.unknown_rank or any(size < 0 for size in sizes):
        raise TensorError(
            f"The tensor {name!r} has no full shape. Give the size of each dimension."
        )
    # NumPy counts in 64 bits, even where one size is 0 and there is nothing to count.
    if math.prod(max(1, size) for size in sizes) >= 1 << 48:
        raise TensorError(f"The tensor {name!r} has the shape {list(sizes)}, which is too large.")
    if len(sizes) > 32:
        raise TensorError(
            f"The tensor {name!r} has {len(sizes)} dimensions; at most 32 are served."
        )
    return sizes


def _check_size(name: str, shape: tuple[int, ...], size: int, most: int) -> None:
    if size > most:
        raise TensorError(
            f"The tensor {name!r} of shape {list(shape)} takes {size:,} bytes; at most {most:,} are served."
        )


def _of_content(
    name: str, content: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], count: int
) -> Array:
    if len(content) != count * dtype.itemsize:
        raise TensorError(
            f"The tensor {name!r} of type {dtype.name} and shape {list(shape)} needs "
            f"{count * dtype.itemsize} bytes of tensor_content. Received: {len(content)}"
        )
    return np.frombuffer(content, dtype).reshape(shape)


def _of_field(name: str, field: Any, kind: _Kind, dtype: np.dtype[Any]) -> Array:
    if dtype.kind == "c":
        parts = np.fromiter(field, np.float32 if dtype.itemsize == 8 else np.float64, len(field))
        if len(parts) % 2:
            raise TensorError(
                f"The tensor {name!r} has {len(parts)} values in {kind.field}: expected pairs of a real "
                "and an imaginary part."
            )
        return parts.view(dtype)
    if kind.field not in ("int_val", "half_val"):
        return np.fromiter(field, dtype, len(field))
    wide = np.fromiter(field, np.int32, len(field))
    limits = np.iinfo(kind.bits or dtype)
    if len(wide) and (wide.min() < limits.min or wide.max() > limits.max):
        raise TensorError(
            f"The tensor {name!r} of type {dtype.name} has a value in {kind.field} beyond "
            f"{limits.min} to {limits.max}."
        )
    return wide.astype(limits.dtype).view(dtype)


def _filled(name: str, values: Array, shape: tuple[int, ...], count: int) -> Array:
    if len(values) == count:
        return values.reshape(shape)
    if len(values) > count:
        raise _too_many(name, len(values), shape)
    filled = np.zeros(count, values.dtype)
    filled[: len(values)] = values
    if len(values):
        filled[len(values) :] = values[-1]
    return filled.reshape(shape)


def _too_many(name: str, given: int, shape: tuple[int, ...]) -> TensorError:
    return TensorError(
        f"The tensor {name!r} has {given} values, more than its shape {list(shape)} holds."
    )


def _strings(name: str, tensor: Any, shape: tuple[int, ...], count: int, most_bytes: int) -> Array:
    # An object takes a pointer at least.
    _check_size(name, shape, 8 * count, most_bytes)
    values = (
        _strings_of_content(name, tensor.tensor_content, count)
        if tensor.tensor_content
        else list(tensor.string_val)
    )
    if len(values) > count:
        raise _too_many(name, len(values), shape)
    values += (values[-1:] or [b""]) * (count - len(values))
    array = np.empty(count, object)
    array[:] = values
    return array.reshape(shape)


def _strings_of_content(name: str, content: bytes, count: int) -> list[bytes]:
    """Return strings as C++ clients pack them: all lengths as varints, then all bytes."""
    lengths, place = [], 0
    for _ in range(count):
        length = shift = 0
        while True:
            if place >= len(content) or shift > 35:
                raise TensorError(f"The tensor {name!r} has a tensor_content that ends too early.")
            byte = content[place]
            place += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        lengths.append(length)
    if place + sum(lengths) != len(content):
        raise TensorError(
            f"The tensor {name!r} has a tensor_content of {len(content)} bytes; its {count} strings take "
            f"{place + sum(lengths)}."
        )
    values = []
    for length in lengths:
        values.append(content[place : place + length])
        place += length
    return values


def _as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
