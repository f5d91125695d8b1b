"""What a model's numbers mean: the names of its classes, and its vocabularies; read without TensorFlow.

They lie in the SavedModel as `assets.extra/penstock.json`, beside what TensorFlow itself reads:

    {"class_names": ["Adelie", "Gentoo"],
     "vocabularies": {"species": {"file": "assets/species"}, "island": {"values": ["Dream", "Biscoe"]}}}

A vocabulary of the transform graph is one of its assets, with a value on each line; that of a Keras
layer, such as StringLookup, is written out.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.spelling import did_you_mean

LABELS_FILE = "assets.extra/penstock.json"


@dataclass(frozen=True)
class ModelLabels:
    """What a SavedModel says about its outputs and its vocabularies.

    Args:
        path: Its folder.
        class_names: The names of its classes, in the order of its scores; empty if it has none.
        entries: For each vocabulary its file or its values.
    """

    path: str
    class_names: tuple[str, ...] = ()
    entries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def vocabularies(self) -> tuple[str, ...]:
        """The names of the vocabularies."""
        return tuple(sorted(self.entries))

    def vocabulary(self, name: str) -> list[str]:
        """Return the values of a vocabulary, in the order of their indices.

        Raises:
            ValueError: If there is none of that name.
        """
        if name not in self.entries:
            raise ValueError(
                f"The model at {self.path} has no vocabulary {name!r}.{did_you_mean(name, self.entries)}"
            )
        entry = self.entries[name]
        if "values" in entry:
            return [str(value) for value in entry["values"]]
        return read_vocabulary_file(Path(self.path, entry["file"]))


def read_labels(path: str) -> ModelLabels:
    """Return a SavedModel's class names and vocabularies; none for a model of another origin.

    Raises:
        ValueError: If the file is damaged.

    Example:
        >>> read_labels("serving/penguin/1795224504").class_names
        ('Adelie', 'Gentoo', 'Chinstrap')
    """
    file = Path(path, LABELS_FILE)
    if not file.is_file():
        return ModelLabels(path)
    try:
        content = json.loads(file.read_bytes())
        return ModelLabels(
            path,
            tuple(content.get("class_names", ())),
            dict(content.get("vocabularies", {})),
        )
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"{file} is damaged: {error}") from error


def read_vocabulary_file(file: Path) -> list[str]:
    """Return the values of a vocabulary's file: a value on each line, or a gzip TFRecord of values."""
    data = file.read_bytes()
    if file.name.endswith(".gz"):
        data = gzip.decompress(data)
        return [value.decode(errors="replace") for value in _records(data)]
    text = data.decode(errors="replace")
    return text.removesuffix("\n").split("\n") if text else []


def _records(data: bytes) -> list[bytes]:
    """Return the records of a TFRecord file: length, checksum of it, data, checksum."""
    found, place = [], 0
    while place < len(data):
        length = int.from_bytes(data[place : place + 8], "little")
        found.append(data[place + 12 : place + 12 + length])
        place += length + 16
    return found
