"""Inspecting a SavedModel without TensorFlow: whether it is complete, and its signatures.

`variables.index` is a sorted string table (tensorflow/core/lib/io/format.cc) and ends in its magic
number.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from penstock.serving.saved_model_messages import parse_saved_model
from penstock.serving.signature import Signature, read_signatures
from penstock.spelling import counted

_TABLE_MAGIC = 0xDB4775248B80FB57
_VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
"""The operations of variables in graphs of TensorFlow 2 and 1."""


class ModelError(ValueError):
    """A folder does not hold a SavedModel that can be served."""


@dataclass(frozen=True)
class SavedModelInfo:
    """The description of a SavedModel.

    Args:
        path: Its folder.
        tags: The tags of its graphs, such as "serve".
        signatures: The names of its signatures.
        assets: The files that it needs, relative to `assets/`.
        num_bytes: The size of all its files.
        inputs: The inputs and outputs of each signature, by name.
        tensorflow_version: The TensorFlow that saved it; "" if it does not say.
    """

    path: str
    tags: tuple[str, ...]
    signatures: tuple[str, ...]
    assets: tuple[str, ...]
    num_bytes: int
    inputs: Mapping[str, Signature] = field(default_factory=dict, repr=False)
    tensorflow_version: str = ""


def inspect_saved_model(path: str) -> SavedModelInfo:
    """Check that a SavedModel is complete, and return its description.

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
        model = parse_saved_model(graph_file.read_bytes())
        signatures = read_signatures(model)
    except (DecodeError, ValueError, KeyError, IndexError) as error:
        raise ModelError(
            f"{graph_file} is damaged or not a SavedModel: {type(error).__name__}: {error}"
        ) from error
    tags = tuple(tag for graph in model.meta_graphs for tag in graph.info.tags)
    if not tags:
        raise ModelError(f"{graph_file} contains no graph.")
    assets = tuple(sorted({each.filename for graph in model.meta_graphs for each in graph.assets}))
    for asset in assets:
        if not (root / "assets" / asset).is_file():
            raise ModelError(f"The SavedModel at {path} needs assets/{asset}, which is missing.")
    _check_variables(root / "variables", _variables(model))
    files = [file for file in root.rglob("*") if file.is_file()]
    num_bytes = sum(file.stat().st_size for file in files)
    version = next((graph.info.tensorflow_version for graph in model.meta_graphs), "")
    return SavedModelInfo(path, tags, tuple(signatures), assets, num_bytes, signatures, version)


def _variables(model: Any) -> int:
    """Return how many variables the graphs have."""
    functions = (each for graph in model.meta_graphs for each in graph.graph.library.functions)
    scopes = [*(graph.graph for graph in model.meta_graphs), *functions]
    return sum(node.op in _VARIABLES for scope in scopes for node in scope.nodes)


def _check_variables(folder: Path, count: int) -> None:
    index = folder / "variables.index"
    if not index.exists():
        if any(folder.glob("variables.data-*")):
            raise ModelError(f"{index} is missing beside its data.")
        if count:
            raise ModelError(
                f"The SavedModel at {folder.parent} has {counted(count, 'variable')}, but the folder "
                "variables/ with their values is missing: it was not copied along."
            )
        return
    footer = index.read_bytes()[-8:]
    if len(footer) < 8 or struct.unpack("<Q", footer)[0] != _TABLE_MAGIC:
        raise ModelError(f"{index} is damaged: it does not end like a table.")
    shards = sorted(file.name for file in folder.glob("variables.data-*"))
    count = int(shards[0].rsplit("-", 1)[1]) if shards else 1
    for i in range(count):
        name = f"variables.data-{i:05d}-of-{count:05d}"
        if name not in shards:
            raise ModelError(f"{folder / name} is missing.")
    _check_sizes(index)


def _check_sizes(index: Path) -> None:
    """Check that the data of the variables are there to their end."""
    from penstock.serving.variables import bytes_by_file

    try:
        needed = bytes_by_file(index)
    except ModelError:
        return  # an odd index, which TensorFlow may still read
    for file, size in needed.items():
        there = file.stat().st_size
        if there < size:
            raise ModelError(
                f"{file} is cut short: it has {there} bytes, and the variables need {size}. Copy the model "
                "again."
            )
