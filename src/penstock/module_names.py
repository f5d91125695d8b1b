"""Dotted names of files of user code, also of those whose names Python cannot write.

`taxi-utils.py` and `01_prep.py` are imported under their own names, as `importlib` allows. A dot in the
name of a file or folder (`pipeline.v2.py`) is written `%2E`, and a finder on `sys.meta_path` reads that,
in every process that imports `penstock`: so pickles, workers and containers find the same modules.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType

_ESCAPED = {"%": "%25", ".": "%2E", ":": "%3A"}


def as_name(parts: Sequence[str]) -> str:
    """Return the dotted name of a module, given the folders above its file and the file's stem.

    Example:
        >>> as_name(["pipelines", "taxi-v1.2"])
        'pipelines.taxi-v1%2E2'
    """
    return ".".join("".join(_ESCAPED.get(each, each) for each in part) for part in parts)


def as_parts(name: str) -> list[str]:
    """Return the folders and the file's stem of which `as_name` made a dotted name.

    Example:
        >>> as_parts("pipelines.taxi-v1%2E2")
        ['pipelines', 'taxi-v1.2']
    """
    return [_unescaped(part) for part in name.split(".")]


def _unescaped(part: str) -> str:
    for character, escaped in reversed(_ESCAPED.items()):
        part = part.replace(escaped, character)
    return part


class EscapedNameFinder:
    """Finds modules whose files have a dot in their names; all others are left to Python."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return where a module is, as `importlib.abc.MetaPathFinder` does."""
        del target
        last = name.rpartition(".")[2]
        if "%" not in last:
            return None
        for folder in sys.path if path is None else path:
            base = os.path.join(folder, _unescaped(last))
            if os.path.isfile(f"{base}.py"):
                return importlib.util.spec_from_file_location(name, f"{base}.py")
            if os.path.isfile(f"{base}/__init__.py"):
                return importlib.util.spec_from_file_location(
                    name, f"{base}/__init__.py", submodule_search_locations=[base]
                )
            if os.path.isdir(base):
                found = importlib.machinery.ModuleSpec(name, None, is_package=True)
                found.submodule_search_locations = [base]
                return found
        return None


def install() -> None:
    """Let this process import what `as_name` names; idempotent."""
    if EscapedNameFinder not in sys.meta_path:
        sys.meta_path.append(EscapedNameFinder)
