"""Removing what nothing needs: artifacts by rules, and folders that belong to nothing."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence

from penstock.artifacts import location
from penstock.store import ArtifactRecord, MetadataStore
from penstock.upkeep.checkpoints import remove_folder, spent_checkpoints
from penstock.upkeep.leftovers import Kind, Leftover, find_leftovers, folder_size
from penstock.upkeep.retention import Plan, Rules, folder_of, forget, plan_removal


@dataclasses.dataclass(frozen=True, slots=True)
class Collected:
    """What was removed, or would be.

    Attributes:
        plan: Which artifacts the rules keep, and why.
        artifacts: What went.
        sizes: Bytes of each artifact that was to go, by its id.
        folders: Folders that went with them.
        unknown: Folders of which the store knows nothing.
    """

    plan: Plan
    artifacts: Sequence[ArtifactRecord]
    sizes: Mapping[int | None, int]
    folders: Sequence[Leftover]
    unknown: Sequence[Leftover]

    @property
    def bytes(self) -> int:
        """Bytes of all that went."""
        return sum(self.sizes[record.artifact.id] for record in self.artifacts) + sum(
            each.size for each in self.folders
        )


def collect_garbage(
    store: MetadataStore,
    rules: Rules | None = None,
    *,
    remove: bool = False,
    unknown: bool = False,
    now: float | None = None,
) -> Collected:
    """Find what nothing needs; with `remove`, mark it DELETED in the store and remove its folders.

    Records and logs stay. What is used while this works is not removed.

    Args:
        store: The store, opened for writing if `remove`.
        rules: What is kept; by default the newest three of each node, models, aliases and lineage.
        remove: Whether to do it, or only to say what would go.
        unknown: Whether folders go of which the store knows nothing.
        now: Unix seconds; by default the present.

    Example:
        with MetadataStore.open(".penstock/metadata.db") as store:
            print(collect_garbage(store, Rules(keep=5)).bytes)
    """
    rules = rules or Rules()
    now = time.time() if now is None else now
    plan = plan_removal(store, rules, now)
    sizes = {record.artifact.id: folder_size(folder_of(record) or "") for record in plan.removed}
    found = list(find_leftovers(store, rules.pipeline))
    for checkpoints in spent_checkpoints(store, rules, now):
        kind: Kind = "checkpoints" if checkpoints.known else "unknown"
        found.append(Leftover(checkpoints.path, kind, folder_size(checkpoints.path)))
    folders = [each for each in found if each.kind != "unknown" or unknown]
    gone: Sequence[ArtifactRecord] = plan.removed
    if remove:
        gone = forget(store, plan)
        for record in gone:
            location.remove(folder_of(record) or "")
        for each in folders:
            remove_folder(each.path)
    strangers = [each for each in found if each.kind == "unknown"]
    return Collected(plan, gone, sizes, folders, strangers)
