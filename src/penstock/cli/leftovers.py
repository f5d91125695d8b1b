"""Folders below a pipeline's root that no live artifact names."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import Literal

from penstock.artifacts import location
from penstock.store import MetadataStore

Kind = Literal["leftover", "deleted", "scratch", "unknown"]


@dataclasses.dataclass(frozen=True, slots=True)
class Leftover:
    """A folder that can go.

    Attributes:
        path: Where it is.
        kind: Of a failed attempt; of an artifact that was deleted; scratch of an ended attempt; or
            unknown to the store.
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
    states = {
        int(number): (str(node), int(state or 0), str(lease))
        for number, node, state, lease in store.session.query(
            "SELECT pe.execution_id, pe.node_id, e.last_known_state, pe.lease "
            "FROM penstock_execution pe JOIN Execution e ON e.id = pe.execution_id"
        )
    }
    alive: dict[str, bool] = {}

    def is_running(execution_id: int) -> bool:
        _, state, lease = states[execution_id]
        if state != 2:
            return False
        if lease not in alive:
            alive[lease] = store.is_held(lease)
        return alive[lease]

    live = {uri.removesuffix("/value") for uri in store.live_uris()}
    dead = {
        str(uri).removesuffix("/value")
        for (uri,) in store.session.query("SELECT uri FROM Artifact WHERE state <> 2")
    }
    for root in _roots(store, pipeline):
        for node, key, path in _folders(root):
            name = os.path.basename(path)
            # What was in the way of an execution's folder was moved to `<id>.aside-<time>`.
            number, aside, _ = name.partition(".aside-")
            execution_id = int(number) if number.isdecimal() else None
            known = execution_id in states and states[execution_id][0] == node
            if path in live or any(uri.startswith(f"{path}/") for uri in live):
                continue
            if known and not aside and is_running(execution_id or 0):
                continue
            if key == ".system":
                scratch = os.path.join(path, ".temp")
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
    where = "" if pipeline is None else "WHERE pipeline = ?"
    rows = store.session.query(
        f"SELECT DISTINCT root FROM penstock_run {where}", () if pipeline is None else (pipeline,)
    )
    return [str(root) for (root,) in rows if location.is_local(root) and os.path.isdir(root)]


def _folders(root: str) -> Iterator[tuple[str, str, str]]:
    """Yield (node, key, path) of what lies where outputs and attempts' own files lie."""
    for node in _subfolders(root):
        for key in _subfolders(os.path.join(root, node)):
            inside = os.path.join(root, node, key)
            if key == ".system":
                inside = os.path.join(inside, "executor_execution")
            for name in _subfolders(inside):
                yield node, key, os.path.join(inside, name)


def _subfolders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(each.name for each in entries if each.is_dir(follow_symlinks=False))
    except OSError:
        return []
