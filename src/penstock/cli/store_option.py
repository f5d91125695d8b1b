"""Which store a verb works on, and opening it."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from penstock.cli.errors import NotFound

if TYPE_CHECKING:
    from penstock.graph import Graph
    from penstock.store import MetadataStore


def add_store_option(parser: argparse.ArgumentParser) -> None:
    """Add `--store` to a verb."""
    parser.add_argument(
        "--store",
        metavar="URL",
        help="metadata store: a file, sqlite:///, postgresql:// or mysql:// "
        "(default: $PENSTOCK_STORE, else the project's)",
    )


def store_location(
    given: str | None, *, start: str | os.PathLike[str] = ".", graph: Graph | None = None
) -> str:
    """Return the URL or absolute path of the store.

    Args:
        given: What `--store` says.
        start: A file or folder of the project.
        graph: A pipeline that may name its store.
    """
    from penstock.launch.project import Project, absolute

    if given:
        return absolute(given, os.getcwd())
    project = Project.find(start)
    return project.store if graph is None else project.store_of(graph)


def open_store(
    given: str | None, *, start: str | os.PathLike[str] = ".", write: bool = False
) -> MetadataStore:
    """Open a store that exists.

    Args:
        given: What `--store` says.
        start: A file or folder of the project.
        write: Whether it will be changed.

    Raises:
        NotFound: If there is no such file.
        penstock.store.StoreError: If it cannot be used.
    """
    from penstock.store import MetadataStore

    location = store_location(given, start=start)
    path = location.removeprefix("sqlite:///")
    if "://" not in path and not os.path.exists(path):
        raise NotFound(
            f"there is no store at {path}: nothing has been run here yet. Run a pipeline, change to "
            "its project's folder, or give the store with --store."
        )
    return MetadataStore.open(location, create=False, read_only=not write and "://" not in path)
