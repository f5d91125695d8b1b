"""Folders below a pipeline's root that no live artifact names."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import Literal

from penstock.artifacts import location
from penstock.artifacts.layout import ATTEMPTS, SCRATCH, SYSTEM
from penstock.store import ExecutionState, MetadataStore

Kind = Literal["leftover", "deleted", "scratch", "checkpoints", "unknown"]


@dataclasses.dataclass(frozen=True, slots=True)
class Leftover:
    """A folder that can go.

    Attributes:
        path: Where it is.
        kind: Of a failed attempt; of an artifact that was deleted; scratch of an ended attempt;
            checkpoints that nobody goes on from; or unknown to the store.
        size: Bytes in it.
    """

    path: str
    kind: Kind
    size: int


def find_leftovers(store: MetadataStore, pipeline: str | None = None) -> Iterator[Leftover]:
    """Yield the folders of local pipeline roots that belong to no live artifact and no live attempt.

    Args:
        store: The store whose runs name the roots.
        pipeline: Only roots of this pipeline; None for all.
    """
    executions = store.execution_summaries()
    alive: dict[str, bool] = {}

    def is_running(execution_id: int) -> bool:
        execution = executions[execution_id]
        if execution.state != ExecutionState.RUNNING:
            return False
        if execution.lease not in alive:
            alive[execution.lease] = store.is_held(execution.lease)
        return alive[execution.lease]

    live = {uri.removesuffix("/value") for uri in store.live_uris()}
    dead = {uri.removesuffix("/value") for uri in store.dead_uris()}
    for root in _roots(store, pipeline):
        for node, key, path in _folders(root):
            name = os.path.basename(path)
            # What was in the way of an execution's folder was moved to `<id>.aside-<time>`.
            number, aside, _ = name.partition(".aside-")
            execution_id = int(number) if number.isdecimal() else None
            known = execution_id in executions and executions[execution_id].node_id == node
            if path in live or any(uri.startswith(f"{path}/") for uri in live):
                continue
            if known and not aside and is_running(execution_id or 0):
                continue
            if key == SYSTEM:
                scratch = os.path.join(path, SCRATCH)
                if known and os.path.isdir(scratch):
                    yield Leftover(scratch, "scratch", folder_size(scratch))
            elif path in dead:
                yield Leftover(path, "deleted", folder_size(path))
            elif known:
                yield Leftover(path, "leftover", folder_size(path))
            else:
                yield Leftover(path, "unknown", folder_size(path))


def folder_size(path: str) -> int:
    """Return the bytes of all files at a path or URL; 0 if there is nothing."""
    try:
        return sum(size for _, size in location.list_files(path))
    except OSError:
        return 0


def _roots(store: MetadataStore, pipeline: str | None) -> list[str]:
    roots = store.pipeline_roots(pipeline)
    return [root for root in roots if location.is_local(root) and os.path.isdir(root)]


def _folders(root: str) -> Iterator[tuple[str, str, str]]:
    """Yield (node, key, path) of what lies where outputs and attempts' own files lie."""
    for node in _subfolders(root):
        for key in _subfolders(os.path.join(root, node)):
            inside = os.path.join(root, node, key)
            if key == SYSTEM:
                inside = os.path.join(inside, ATTEMPTS)
            for name in _subfolders(inside):
                yield node, key, os.path.join(inside, name)


def _subfolders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(each.name for each in entries if each.is_dir(follow_symlinks=False))
    except OSError:
        return []
