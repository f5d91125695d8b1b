"""Where the nodes of runs write TensorBoard's files, and a folder that shows them by run and node."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.artifacts import ModelRun, layout, location
from penstock.store import ExecutionState

if TYPE_CHECKING:
    from penstock.graph import Graph
    from penstock.store import MetadataStore, RunRecord

_MARK = "tfevents"


def training_logs(store: MetadataStore, runs: Sequence[RunRecord]) -> dict[str, str]:
    """Return the folders of model runs, by `run/node` (`run/node/key` if a node has several).

    The attempt at a node that is running has its folder among them. A folder that cached nodes of
    several runs share is named by the first of the runs.

    Args:
        store: The store.
        runs: Of which runs.
    """
    found: dict[str, str] = {}
    for run in runs:
        for name, folder in _folders(store, store.get_run(run.run_id)):
            if folder not in found.values():
                found[name] = folder
    return found


def has_events(folder: str) -> bool:
    """Return whether there is a file of TensorBoard's in a folder."""
    try:
        return any(_MARK in os.path.basename(name) for name, _ in location.list_files(folder))
    except OSError:
        return False


def link_logs(root: Path, logs: dict[str, str]) -> int:
    """Make links below a folder to those logs that hold something, and return how many there are.

    A link of an earlier call that leads elsewhere now is made anew: the node was tried again.

    Args:
        root: The folder.
        logs: Local folders by name.
    """
    count = 0
    for name, folder in logs.items():
        link = root / name
        if link.is_symlink() and os.readlink(link) != folder:
            link.unlink()
        if not has_events(folder):
            continue
        count += 1
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(folder, target_is_directory=True)
    return count


def _folders(store: MetadataStore, run: RunRecord) -> Iterator[tuple[str, str]]:
    from penstock.cli.run_report import graph_of

    graph = graph_of(run)
    published = store.run_outputs(run.run_id)
    last = store.run_states(run.run_id)
    for node in graph.nodes:
        keys = _keys(graph, node.id)
        execution = last.get(node.id)
        for key in keys:
            name = f"{run.run_id}/{node.id}" + (f"/{key}" if len(keys) > 1 else "")
            for artifact in published.get(node.id, {}).get(key, ()):
                yield name, artifact.uri
            if execution is not None and execution.state is ExecutionState.RUNNING:
                yield name, layout.output_folder(run.root, node.id, key, execution.id)


def _keys(graph: Graph, node_id: str) -> list[str]:
    return [
        key
        for key, declaration in graph[node_id].outputs.items()
        if declaration.type_name == ModelRun.TYPE_NAME
    ]
