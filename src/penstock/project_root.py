"""The root of a project: the folder that its code is imported from."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MARKER = "[tool.penstock]"


def find_project_root(start: str | os.PathLike[str]) -> Path:
    """Return the folder of the project that the file or folder `start` belongs to.

    It is the nearest folder at or above it whose pyproject.toml has a table `[tool.penstock]`; where
    there is none, the folder of `start` itself.

    Example:
        >>> find_project_root("/nowhere/pipelines/taxi.py").as_posix()
        '/nowhere/pipelines'
    """
    from pathlib import Path

    path = Path(start).absolute()
    folder = path if path.is_dir() else path.parent
    for candidate in (folder, *folder.parents):
        if has_marker(candidate):
            return candidate
    return folder


def has_marker(folder: Path) -> bool:
    """Return whether a folder is marked as a project's root: its pyproject.toml has `[tool.penstock]`."""
    marker = folder / "pyproject.toml"
    return marker.is_file() and MARKER in marker.read_text("utf-8", "replace")


def import_from_project_of_script() -> None:
    """Put the root of the project that the running script belongs to on the import path.

    Python puts a script's own folder there, such as `pipelines` for `python pipelines/taxi.py`; the root
    comes after it, so that `modules` and `components` are found. Nothing happens where no script runs,
    or where it is a program that lies in the environment, such as pytest.
    """
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if not script or not sys.path:
        return
    folder = os.path.dirname(os.path.realpath(script))
    environment = os.path.realpath(sys.prefix) + os.sep
    if os.path.realpath(sys.path[0]) != folder or (folder + os.sep).startswith(environment):
        return
    root = str(find_project_root(folder))
    if root not in sys.path:
        sys.path.insert(1, root)
