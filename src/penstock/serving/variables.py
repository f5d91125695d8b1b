"""The variables of a SavedModel, read without TensorFlow.

`variables.index` is a sorted string table (tensorflow/core/lib/io/format.cc): blocks of entries whose keys
share prefixes, and a footer that says where the block of blocks is. A value is a BundleEntryProto.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from penstock.serving.saved_model import ModelError
from penstock.serving.saved_model_messages import message_class
from penstock.serving.signature import dtype_name

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_FOOTER = 48
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


@dataclass(frozen=True)
class Variable:
    """A variable of a SavedModel.

    Args:
        name: Its name in the model, or where it lies in it.
        dtype: TensorFlow's name of its type, such as "float32".
        shape: Its shape.
        num_bytes: The size of its value.
        key: Where it is among the objects of its checkpoint, such as "optimizer/_variables/1".
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    num_bytes: int
    key: str = field(default="", repr=False, compare=False)

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


def read_variables(path: str) -> list[Variable]:
    """Return the variables of a SavedModel, in the order of its table.

    Args:
        path: The SavedModel's folder.

    Raises:
        ModelError: If the table is damaged.

    Example:
        >>> sum(variable.size for variable in read_variables("model"))
        1027
    """
    index = Path(path, "variables", "variables.index")
    return [variable for variable, _ in _described(index)] if index.exists() else []


def read_values(prefix: str) -> Iterator[tuple[Variable, npt.NDArray[Any]]]:
    """Yield the variables of a checkpoint with their values; texts and TensorFlow's own state are left out.

    Args:
        prefix: The checkpoint's prefix; that of a SavedModel is `variables/variables` in its folder.

    Raises:
        ModelError: If it is damaged.
        FileNotFoundError: If there is none.
    """
    import numpy as np

    index = Path(f"{prefix}.index")
    for variable, entry in _described(index):
        dtype = _numpy_dtype(variable.dtype)
        if dtype is None:
            continue
        files = list(index.parent.glob(f"{index.stem}.data-{entry.shard:05d}-of-*"))
        data = b""
        if files:
            with files[0].open("rb") as opened:
                opened.seek(entry.offset)
                data = opened.read(entry.size)
        if len(data) != entry.size or entry.size != variable.size * dtype.itemsize:
            raise ModelError(f"{prefix}.data-* is damaged: {variable.name} is cut short.")
        yield variable, np.frombuffer(data, dtype).reshape(variable.shape)


def bytes_by_file(index: Path) -> dict[Path, int]:
    """Return how many bytes each file with values must have, by the table of a checkpoint.

    Raises:
        ModelError: If the table is damaged.
    """
    found: dict[Path, int] = {}
    try:
        for key, data in _entries(index.read_bytes()):
            if not key:
                continue  # how many files there are
            entry = message_class("BundleEntry").FromString(data)
            for file in index.parent.glob(f"{index.stem}.data-{entry.shard:05d}-of-*"):
                found[file] = max(found.get(file, 0), entry.offset + entry.size)
    except (DecodeError, IndexError, UnicodeDecodeError, struct.error) as error:
        raise ModelError(f"{index} is damaged: {type(error).__name__}: {error}") from error
    return found


def _numpy_dtype(name: str) -> np.dtype[Any] | None:
    import numpy as np

    if name == "bfloat16":
        import ml_dtypes

        bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return bfloat16
    return None if name == "string" or name.startswith("dtype ") else np.dtype(name)


def _described(index: Path) -> list[tuple[Variable, Any]]:
    """Return the variables of a table, each with where its value is."""
    found = []
    try:
        table = dict(_entries(index.read_bytes()))
        names = _names(index, table)
        for key, data in table.items():
            if key and key != _OBJECT_GRAPH:
                entry = message_class("BundleEntry").FromString(data)
                shape = tuple(dim.size for dim in entry.shape.dims)
                name = names.get(key) or key.removesuffix(_VALUE)
                variable = Variable(
                    name, dtype_name(entry.dtype), shape, entry.size, key.removesuffix(_VALUE)
                )
                found.append((variable, entry))
    except (DecodeError, IndexError, UnicodeDecodeError, struct.error) as error:
        raise ModelError(f"{index} is damaged: {type(error).__name__}: {error}") from error
    return found


def _names(index: Path, table: dict[str, bytes]) -> dict[str, str]:
    """Return the full names of variables by their keys, as the graph of Python objects has them."""
    if _OBJECT_GRAPH not in table:
        return {}
    entry = message_class("BundleEntry").FromString(table[_OBJECT_GRAPH])
    for file in index.parent.glob(f"{index.stem}.data-{entry.shard:05d}-of-*"):
        with file.open("rb") as data:
            data.seek(entry.offset)
            text = data.read(entry.size)
        # A string: its length, a checksum of the length, the bytes.
        length, start = _varint(text, 0)
        graph = message_class("ObjectGraph").FromString(text[start + 4 : start + 4 + length])
        return {each.key: each.full_name for node in graph.nodes for each in node.attributes}
    return {}


def _entries(table: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the keys and values of a table."""
    place = len(table) - _FOOTER
    for _ in range(2):  # where the block of metadata is, which is empty
        _, place = _varint(table, place)
    for _, handle in _block(table, *_handle(table, place)):
        for key, value in _block(table, *_handle(handle, 0)):
            yield key.decode(), value


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries of a block; it ends with its restart points and their number."""
    block = table[offset : offset + size]
    if table[offset + size] != 0:
        raise IndexError("a compressed block, which TensorFlow does not write")
    (restarts,) = struct.unpack("<I", block[-4:])
    end, place, key = len(block) - 4 * (restarts + 1), 0, b""
    while place < end:
        shared, place = _varint(block, place)
        rest, place = _varint(block, place)
        length, place = _varint(block, place)
        key = key[:shared] + block[place : place + rest]
        place += rest
        yield key, block[place : place + length]
        place += length


def _handle(data: bytes, place: int) -> tuple[int, int]:
    offset, place = _varint(data, place)
    size, _ = _varint(data, place)
    return offset, size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Return a number and the place behind it."""
    number = shift = 0
    while True:
        byte = data[place]
        number |= (byte & 0x7F) << shift
        place += 1
        shift += 7
        if byte < 0x80:
            return number, place
