"""Looking into a SavedModel without TensorFlow: is it whole, and which signatures does it have?

The layout is tensorflow/core/protobuf/{saved_model,meta_graph}.proto; `variables.index` is a sorted
string table (tensorflow/core/lib/io/format.cc) and ends in its magic number.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TABLE_MAGIC = 0xDB4775248B80FB57


class ModelError(ValueError):
    """A folder holds no SavedModel that can be served."""


@dataclass(frozen=True)
class SavedModelInfo:
    """What a SavedModel says of itself.

    Args:
        path: Its folder.
        tags: The tags of its graphs, such as "serve".
        signatures: The names of its signatures.
        assets: The files that it needs, relative to `assets/`.
        num_bytes: The size of all its files.
    """

    path: str
    tags: tuple[str, ...]
    signatures: tuple[str, ...]
    assets: tuple[str, ...]
    num_bytes: int


def inspect_saved_model(path: str) -> SavedModelInfo:
    """Checks that a SavedModel is whole, and returns what it says of itself.

    Args:
        path: The SavedModel's folder.

    Raises:
        ModelError: If a file is missing, cut short or of another format; the message names it.
    """
    root = Path(path)
    graph_file = root / "saved_model.pb"
    if not graph_file.is_file():
        raise ModelError(f"No SavedModel at {path}: saved_model.pb is missing.")
    try:
        tags, signatures, assets = _read_graphs(graph_file.read_bytes())
    except (ValueError, UnicodeDecodeError, struct.error, IndexError) as error:
        raise ModelError(f"{graph_file} is damaged or no SavedModel: {error}") from error
    if not tags:
        raise ModelError(f"{graph_file} holds no graph.")
    for asset in assets:
        if not (root / "assets" / asset).is_file():
            raise ModelError(f"The SavedModel at {path} needs assets/{asset}, which is missing.")
    _check_variables(root / "variables")
    files = [file for file in root.rglob("*") if file.is_file()]
    num_bytes = sum(file.stat().st_size for file in files)
    return SavedModelInfo(path, tags, signatures, assets, num_bytes)


def _check_variables(folder: Path) -> None:
    index = folder / "variables.index"
    if not index.exists():
        if any(folder.glob("variables.data-*")):
            raise ModelError(f"{index} is missing beside its data.")
        return
    footer = index.read_bytes()[-8:]
    if len(footer) < 8 or struct.unpack("<Q", footer)[0] != _TABLE_MAGIC:
        raise ModelError(f"{index} is damaged: its end is not that of a table.")
    shards = sorted(file.name for file in folder.glob("variables.data-*"))
    count = int(shards[0].rsplit("-", 1)[1]) if shards else 1
    for i in range(count):
        name = f"variables.data-{i:05d}-of-{count:05d}"
        if name not in shards:
            raise ModelError(f"{folder / name} is missing.")


def _read_graphs(data: bytes) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    tags: list[str] = []
    signatures: list[str] = []
    assets: list[str] = []
    for number, graph in _fields(data):
        if number != 2 or not isinstance(graph, bytes):
            continue
        for part, value in _fields(graph):
            if not isinstance(value, bytes):
                continue
            if part == 1:
                tags += [v.decode() for n, v in _fields(value) if n == 4 and isinstance(v, bytes)]
            elif part == 5:
                signatures += [
                    v.decode() for n, v in _fields(value) if n == 1 and isinstance(v, bytes)
                ]
            elif part == 6:
                assets += [v.decode() for n, v in _fields(value) if n == 2 and isinstance(v, bytes)]
    visible = sorted(name for name in signatures if not name.startswith("__"))
    return tuple(tags), tuple(visible), tuple(sorted(set(assets)))


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yields the fields of a serialized message: their numbers, and integers or bytes."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        wire_type = tag & 7
        if wire_type == 0:
            value, position = _varint(data, position)
            yield tag >> 3, value
            continue
        if wire_type == 2:
            length, position = _varint(data, position)
        elif wire_type in (1, 5):
            length = 8 if wire_type == 1 else 4
        else:
            raise ValueError(f"wire type {wire_type} at byte {position}")
        if position + length > len(data):
            raise ValueError(f"it ends {position + length - len(data)} bytes too early")
        yield tag >> 3, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data):
            raise ValueError("it ends within a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError(f"a number of more than 64 bits at byte {position}")
