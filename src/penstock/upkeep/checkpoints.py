"""Checkpoints of executions that did not complete: which of them nobody can go on from any more."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from penstock.artifacts import layout, location
from penstock.store import MetadataStore, RunState
from penstock.upkeep.retention import Rules


@dataclasses.dataclass(frozen=True, slots=True)
class CheckpointFolder:
    """The checkpoints of a node in a run.

    Attributes:
        path: The folder; the key lies beside it.
        node_id: The node.
        run_id: The run.
        known: Whether the store knows the run.
    """

    path: str
    node_id: str
    run_id: str
    known: bool


def spent_checkpoints(store: MetadataStore, rules: Rules, now: float) -> Iterator[CheckpointFolder]:
    """Yield checkpoints that no run goes on from: it is complete, or too old by the rules.

    Of runs that `penstock resume` could go on with, the newest `rules.keep` of each node keep theirs, and
    so do those that were worked on within `rules.younger_than`.

    Args:
        store: The store whose runs name the roots.
        rules: What is kept.
        now: Unix seconds.
    """
    for root in store.pipeline_roots(rules.pipeline):
        by_node: dict[str, list[CheckpointFolder]] = {}
        with contextlib.suppress(Exception):  # a bucket may be out of reach, or gone
            by_node = _folders(store, root)
        runs = store.run_ends([each.run_id for of in by_node.values() for each in of])
        for folders in by_node.values():
            resumable: list[tuple[float, CheckpointFolder]] = []
            for each in folders:
                if each.run_id not in runs:
                    yield dataclasses.replace(each, known=False)
                    continue
                run = runs[each.run_id]
                if run.state is RunState.RUNNING and store.is_held(each.run_id):
                    continue
                if run.state is RunState.COMPLETE:
                    yield each
                else:
                    resumable.append((run.last_work, each))
            resumable.sort(key=lambda pair: pair[0], reverse=True)
            for last_work, each in resumable[rules.keep :]:
                young = rules.younger_than is not None and now - last_work < rules.younger_than
                if not young:
                    yield each


def remove_folder(path: str) -> None:
    """Remove a folder, and then the key beside it if it holds checkpoints."""
    location.remove(path)
    location.remove(f"{path}{layout.CHECKPOINT_KEY}")


def _folders(store: MetadataStore, root: str) -> dict[str, list[CheckpointFolder]]:
    """Return the folders of checkpoints below a root by node: each has a key beside it."""
    found: dict[str, list[CheckpointFolder]] = {}
    for node_id in store.nodes_below(root):
        place = layout.checkpoint_folder(root, node_id, "").rstrip("/")
        if not location.exists(place):
            continue
        for name in _keys(location.list_files(place)):
            path = f"{place}/{name}"
            found.setdefault(node_id, []).append(
                CheckpointFolder(path, node_id, unquote(name), known=True)
            )
    return found


def _keys(files: list[tuple[str, int]]) -> Mapping[str, None]:
    """Return the names of the folders of which there is a key or a file."""
    names = (name.partition("/") for name, _ in files)
    return dict.fromkeys(
        folder if slash else folder.removesuffix(layout.CHECKPOINT_KEY)
        for folder, slash, _ in names
        if slash or folder.endswith(layout.CHECKPOINT_KEY)
    )
