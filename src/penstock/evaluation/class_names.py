"""The names of a classifier's classes, kept beside its evaluation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

CLASS_NAMES_FILE = "class_names.json"


def write_class_names(names: Sequence[str], folder: str) -> None:
    """Write the names of the classes, in the order of the scores."""
    text = json.dumps(list(names), ensure_ascii=False)
    Path(folder, CLASS_NAMES_FILE).write_text(text + "\n", encoding="utf-8")


def read_class_names(folder: str) -> tuple[str, ...]:
    """Read the names of the classes; empty if the evaluation has none."""
    file = Path(folder, CLASS_NAMES_FILE)
    return tuple(json.loads(file.read_text("utf-8"))) if file.is_file() else ()
