"""Writing what a model's numbers mean beside it: class names and vocabularies."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from penstock.serving.labels import LABELS_FILE, ModelLabels
from penstock.spelling import did_you_mean
from penstock.training.export.forms import ExportError


def write_labels(
    directory: str, model: Any, transform_savedmodel: str | None, class_names: Sequence[str] | str
) -> ModelLabels:
    """Write the class names, and where the vocabularies are, into a SavedModel.

    Args:
        directory: The SavedModel's folder.
        model: The model, whose layers may have vocabularies.
        transform_savedmodel: The transform graph's SavedModel, if there is one.
        class_names: The names in the order of the scores, or the name of a vocabulary that they are.

    Raises:
        ExportError: If there is no such vocabulary.
    """
    entries: dict[str, dict[str, Any]] = {}
    if transform_savedmodel is not None:
        for file in sorted(Path(transform_savedmodel, "assets").glob("*")):
            copied = Path(directory, "assets", file.name)
            if copied.is_file():
                entries[_without_suffix(file.name)] = {"file": f"assets/{file.name}"}
    layers = list(model._flatten_layers()) if hasattr(model, "_flatten_layers") else []
    inner = [getattr(layer, "_lookup_layer", None) for layer in layers]  # of TextVectorization
    for layer in layers:
        if hasattr(layer, "get_vocabulary") and not any(layer is each for each in inner):
            values = [str(value) for value in layer.get_vocabulary()]
            entries[layer.name] = {"values": values}
    labels = ModelLabels(directory, (), entries)
    if isinstance(class_names, str):
        if class_names not in entries:
            raise ExportError(
                f"class_names={class_names!r} is not a vocabulary of the transform graph or of a layer."
                f"{did_you_mean(class_names, entries)} Or give a list of names."
            )
        class_names = labels.vocabulary(class_names)
    labels = ModelLabels(directory, tuple(class_names), entries)
    if labels.class_names or entries:
        path = Path(directory, LABELS_FILE)
        os.makedirs(path.parent, exist_ok=True)
        content = {"class_names": list(labels.class_names), "vocabularies": entries}
        path.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False))
    return labels


def _without_suffix(name: str) -> str:
    return name.removesuffix(".gz").removesuffix(".tfrecord")
