"""The weights of an earlier model by layer, read without TensorFlow and without its code."""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.artifacts import Model, location

Array = npt.NDArray[Any]

# Counters of random generators: they are state, and not learned.
NOT_LEARNED = "seed_generator"

# State of an optimizer or a metric, which earlier versions of Keras save with a model.
_OF_TRAINING = re.compile(r"(^|/)(optimizer|keras_api)/|\.OPTIMIZER_SLOT")

_KERAS_WEIGHTS = "model.weights.h5"


@dataclass(frozen=True)
class StoredLayer:
    """The weights of one layer.

    Args:
        name: Its name: where it lies in the model ("towers/left") if the file says so.
        weights: Its weights by name; by number ("0", "1") where the file has no names.
    """

    name: str
    weights: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredWeights:
    """The weights of a model.

    Args:
        path: The file or folder that they were read from.
        layers: Its layers by name.
        labels_path: The SavedModel whose vocabularies are the model's; None if there is none.
    """

    path: str
    layers: dict[str, StoredLayer]
    labels_path: str | None = None


@contextlib.contextmanager
def local_model(place: str) -> Iterator[str]:
    """Give a local path of a model, whose files are copied from a URL for as long as they are needed."""
    if location.is_local(place):
        yield location.local_path(place)
        return
    folder = place.rstrip("/").removesuffix(f"/{Model.SERVING_FOLDER}")
    with tempfile.TemporaryDirectory() as copy:
        for name, _ in location.list_files(folder):
            content = location.read_bytes(f"{folder}/{name}")
            location.write_bytes(os.path.join(copy, name), content)
        yield copy


def read_weights(path: str) -> StoredWeights:
    """Return the weights at a local path.

    Args:
        path: A Model artifact's folder or its `Format-Serving`, a SavedModel, a `.keras` or
            `.weights.h5` file, a checkpoint of TensorFlow (its prefix), or a folder of checkpoints of
            `penstock.training.fit`.

    Raises:
        FileNotFoundError: If there is nothing of that kind.
        ValueError: If a file is damaged.
    """
    root = path.rstrip("/")
    if os.path.basename(root) == Model.SERVING_FOLDER and not os.path.exists(
        f"{root}/saved_model.pb"
    ):
        root = os.path.dirname(root)
    serving = os.path.join(root, Model.SERVING_FOLDER)
    for folder in (root, serving):
        if os.path.isfile(f"{folder}/saved_model.pb"):
            prefix = os.path.join(folder, "variables", "variables")
            return StoredWeights(folder, _of_table(prefix), folder)
    if os.path.isfile(f"{root}.index"):
        return StoredWeights(root, _of_table(root))
    files = [root, f"{root}/{Model.KERAS_FOLDER}/model.keras"]
    files.append(f"{root}/{Model.WEIGHTS_FOLDER}/{_KERAS_WEIGHTS}")
    for file in files:
        if os.path.isfile(file):
            return StoredWeights(file, _of_keras(file))
    if any(Path(root).glob("checkpoint-*/checkpoint.json")):
        return StoredWeights(root, _of_checkpoint(root))
    raise FileNotFoundError(
        f"No model to start from at {path}: it is not a SavedModel, a .keras or .weights.h5 file, a Model "
        "artifact's folder or a checkpoint."
    )


def _of_table(prefix: str) -> dict[str, StoredLayer]:
    """Return the variables of a SavedModel or of a checkpoint of TensorFlow."""
    from penstock.serving.variables import read_values

    layers: dict[str, StoredLayer] = {}
    for variable, value in read_values(prefix):
        if _OF_TRAINING.search(variable.key):
            continue
        name = variable.name.partition("/.ATTRIBUTES/")[0].removesuffix(":0")
        _add(layers, name, value)
    return layers


def _of_keras(path: str) -> dict[str, StoredLayer]:
    """Return the weights of a `.keras` or `.weights.h5` file, which name layers but not weights."""
    import h5py

    with open(path, "rb") as opened:
        data = opened.read()
    if path.endswith(".keras"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = archive.read(_KERAS_WEIGHTS)
    found: list[StoredLayer] = []

    def visit(place: str, group: Any) -> None:
        if place.startswith("optimizer/") or not place.endswith("vars") or not len(group):
            return
        weights = {number: _array(group[number]) for number in sorted(group, key=int)}
        found.append(StoredLayer(str(group.attrs.get("name", place)), weights))

    try:
        with h5py.File(io.BytesIO(data)) as file:
            file.visititems(visit)
    except OSError as error:
        raise ValueError(f"{path} is damaged or not a file of Keras 3: {error}") from error
    # Layers within layers may have equal names; which is which the file does not say.
    times = Counter(layer.name for layer in found)
    return {layer.name: layer for layer in found if times[layer.name] == 1}


def _array(dataset: Any) -> Array:
    if dataset.attrs.get("dtype") == "bfloat16":
        import ml_dtypes

        return np.array(dataset, dtype=ml_dtypes.bfloat16)
    return np.asarray(dataset)


def _of_checkpoint(folder: str) -> dict[str, StoredLayer]:
    from penstock.training.checkpoints.folder import CheckpointFolder

    contents = CheckpointFolder(folder).newest()
    if contents is None:
        raise ValueError(f"No checkpoint in {folder} is whole.")
    layers: dict[str, StoredLayer] = {}
    described = contents["structure"]["model"]
    for (name, _, _), value in zip(described, contents["variables"]["model"], strict=True):
        _add(layers, name, value)
    return layers


def _add(layers: dict[str, StoredLayer], name: str, value: Array) -> None:
    layer, _, weight = name.rpartition("/")
    if NOT_LEARNED not in name:
        layers.setdefault(layer, StoredLayer(layer)).weights[weight] = value
