"""A project: the folder that user code is imported from, and the places for its runs' files."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from pathlib import Path
from typing import Any, Self

from penstock.artifacts import location
from penstock.graph import Graph
from penstock.project_root import find_project_root

HOME = ".penstock"
"""Folder of a project that holds its store, its artifacts and its memory of digests."""


class ProjectError(ValueError):
    """The table `[tool.penstock]` of a pyproject.toml is wrong."""


@dataclasses.dataclass(frozen=True, slots=True)
class Project:
    """The places for the files of a project's runs.

    Attributes:
        root: Absolute folder that user code is imported from.
        store: URL or absolute path of the metadata store.
        artifacts: Absolute folder or URL below which each pipeline has its root.
    """

    root: str
    store: str
    artifacts: str

    @classmethod
    def find(cls, start: str | os.PathLike[str] = ".") -> Self:
        """Return the project of a file or folder.

        `[tool.penstock]` in its pyproject.toml may name `store` and `root`; the environment variable
        `PENSTOCK_STORE` goes before it.

        Raises:
            ProjectError: If the table has another key, or a value that is not a string.
        """
        root = find_project_root(start)
        settings = _settings(root / "pyproject.toml")
        store = os.environ.get("PENSTOCK_STORE") or settings.get("store", f"{HOME}/metadata.db")
        return cls(
            root=str(root),
            store=absolute(store, root),
            artifacts=absolute(settings.get("root", HOME), root),
        )

    def pipeline_root(self, graph: Graph) -> str:
        """Return the absolute folder or URL of a pipeline's artifacts."""
        if graph.root is not None:
            return absolute(graph.root, self.root).rstrip("/")
        return f"{self.artifacts.rstrip('/')}/{graph.name}"

    def store_of(self, graph: Graph) -> str:
        """Return the URL or absolute path of a pipeline's metadata store."""
        return self.store if graph.metadata is None else absolute(graph.metadata, self.root)

    @property
    def memo(self) -> str:
        """File that keeps the digests of files."""
        return os.path.join(self.root, HOME, "digests.json")


def absolute(path: str, root: str | os.PathLike[str]) -> str:
    """Return a path made absolute below `root`; URLs as they are.

    Example:
        >>> absolute("x/y", "/p"), absolute("gs://b/x", "/p")
        ('/p/x/y', 'gs://b/x')
    """
    if path.startswith("sqlite:///") and not path.startswith("sqlite:////"):
        return absolute(path.removeprefix("sqlite:///"), root)
    return location.absolute(path, root)


def _settings(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(f"{path} is not valid TOML: {error}") from None
    settings = table.get("tool", {}).get("penstock", {})
    for key, value in settings.items():
        if key not in ("store", "root"):
            raise ProjectError(
                f"{path}: [tool.penstock] takes 'store' and 'root'. Received: {key!r}"
            )
        if not isinstance(value, str):
            raise ProjectError(
                f"{path}: [tool.penstock] {key} must be a string. Received: {value!r}"
            )
    return dict(settings)
