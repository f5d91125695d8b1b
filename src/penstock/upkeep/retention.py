"""Which artifacts are kept, and why: by use, age, name, model and lineage."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Literal

from penstock.artifacts.layout import output_folder
from penstock.store import ArtifactRecord, ExecutionState, MetadataStore

Reason = Literal[
    "newest", "young", "alias", "model", "running", "lineage", "foreign", "other pipeline"
]


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What to keep, in addition to the lineage of kept artifacts.

    Attributes:
        keep: Outputs of the newest so many successful executions of each node.
        younger_than: Seconds since the last use within which everything is kept; None for no such rule.
        models: Pushed and blessed models of each pipeline, the newest so many; None for all.
        pipeline: Only artifacts of this pipeline are removed; None for all.
    """

    keep: int = 3
    younger_than: float | None = None
    models: int | None = None
    pipeline: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """The artifacts to keep and to remove.

    Attributes:
        kept: Artifact id to the first reason for keeping it.
        removed: Artifacts that nothing keeps.
        last_event: Newest event that was seen; what is used later is not removed.
    """

    kept: dict[int, Reason]
    removed: list[ArtifactRecord]
    last_event: int


def folder_of(record: ArtifactRecord) -> str | None:
    """Return the folder that belongs to an artifact alone, or None if none does.

    That is `{root}/{node}/{key}/{execution}` of the execution that wrote it. What was imported, or what
    another program wrote, lies elsewhere and is not ours to remove.
    """
    folder = record.artifact.uri.removesuffix("/value")
    own = output_folder("", str(record.node_id), str(record.key), str(record.execution_id))
    return folder if record.execution_id is not None and folder.endswith(own) else None


def plan_removal(store: MetadataStore, rules: Rules, now: float) -> Plan:
    """Return which live artifacts the rules keep and which they do not.

    Args:
        store: The store.
        rules: What is kept.
        now: Unix seconds.
    """
    last_event = store.last_event()
    executions = store.execution_summaries()
    read, written = store.used_artifacts()
    records = {r.artifact.id or 0: r for r in store.find_artifacts()}
    kept: dict[int, Reason] = {}

    def keep(ids: Iterable[int], reason: Reason) -> None:
        for number in ids:
            if number in records:
                kept.setdefault(number, reason)

    keep((i for i, r in records.items() if folder_of(r) is None), "foreign")
    if rules.pipeline is not None:
        others = (i for i, r in records.items() if r.pipeline != rules.pipeline)
        keep(others, "other pipeline")
    keep(store.aliases().values(), "alias")
    keep(_models(records, rules.models), "model")
    counts: dict[tuple[str, str], int] = {}
    for execution_id in sorted(executions, reverse=True):
        execution = executions[execution_id]
        if execution.state == ExecutionState.RUNNING:
            keep(read.get(execution_id, ()), "running")
        node = (execution.pipeline, execution.node_id)
        if execution.state == ExecutionState.FAILED and counts.get(node, 0) < rules.keep:
            keep(written.get(execution_id, ()), "newest")  # what a gate said in rejecting
        if execution.state not in (ExecutionState.COMPLETE, ExecutionState.CACHED):
            continue
        counts[node] = counts.get(node, 0) + 1
        if counts[node] <= rules.keep:
            keep(written.get(execution_id, ()), "newest")
        if rules.younger_than is not None and now - execution.started < rules.younger_than:
            keep(written.get(execution_id, ()), "young")
    for run_id in store.live_runs():
        for outputs in store.run_outputs(run_id).values():
            keep((a.id or 0 for of in outputs.values() for a in of), "running")
    keep(store.lineage(kept).artifacts, "lineage")
    removed = [record for number, record in sorted(records.items()) if number not in kept]
    return Plan(kept, removed, last_event)


def forget(store: MetadataStore, plan: Plan) -> list[ArtifactRecord]:
    """Mark what goes DELETED in one transaction; return it, less what was used meanwhile."""

    def mark() -> list[ArtifactRecord]:
        used = store.artifacts_used_since(plan.last_event)
        gone = [record for record in plan.removed if record.artifact.id not in used]
        store.mark_deleted([record.artifact.id or 0 for record in gone])
        return gone

    return store.atomically(mark)


def _models(records: dict[int, ArtifactRecord], newest: int | None) -> list[int]:
    """Return the pushed models, and the blessed ones with their blessings, by pipeline the newest."""
    pushed: dict[str | None, list[list[int]]] = {}
    blessed: dict[str | None, list[list[int]]] = {}
    by_uri = {record.artifact.uri: number for number, record in records.items()}
    for number, record in sorted(records.items(), reverse=True):
        custom = record.artifact.custom_properties
        if record.type_name == "PushedModel" and custom.get("pushed", 1):
            pushed.setdefault(record.pipeline, []).append([number])
        elif record.type_name == "ModelBlessing" and custom.get("blessed") == 1:
            model = custom.get("current_model_id") or by_uri.get(str(custom.get("current_model")))
            blessed.setdefault(record.pipeline, []).append([number, int(model or 0)])
    groups = [*pushed.values(), *blessed.values()]
    return [number for group in groups for of in group[:newest] for number in of]
