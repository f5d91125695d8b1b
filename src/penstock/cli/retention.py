"""Which artifacts are kept, and why: by use, age, name, model and lineage."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Literal

from penstock.store import ArtifactRecord, MetadataStore

Reason = Literal[
    "newest", "young", "alias", "model", "running", "lineage", "foreign", "other pipeline"
]


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What is kept, besides what kept artifacts were made from.

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
    """What is kept and what goes.

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
    own = f"/{record.node_id}/{record.key}/{record.execution_id}"
    return folder if record.execution_id is not None and folder.endswith(own) else None


def plan_removal(store: MetadataStore, rules: Rules, now: float) -> Plan:
    """Return which live artifacts the rules keep and which they do not.

    Args:
        store: The store.
        rules: What is kept.
        now: Unix seconds.
    """
    session = store.session
    ((last_event,),) = session.query("SELECT coalesce(max(id), 0) FROM Event")
    executions = {
        int(number): (str(pipeline), str(node), int(state or 0), started / 1000)
        for number, pipeline, node, state, started in session.query(
            "SELECT pe.execution_id, pe.pipeline, pe.node_id, e.last_known_state, pe.started "
            "FROM penstock_execution pe JOIN Execution e ON e.id = pe.execution_id"
        )
    }
    written: dict[int, list[int]] = {}
    read: dict[int, list[int]] = {}
    for artifact_id, execution_id, kind in session.query(
        "SELECT artifact_id, execution_id, type FROM Event WHERE type IN (3, 4)"
    ):
        (written if kind == 4 else read).setdefault(execution_id, []).append(artifact_id)
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
        pipeline, node, state, started = executions[execution_id]
        if state == 2:
            keep(read.get(execution_id, ()), "running")
        if state not in (3, 5):
            continue
        counts[pipeline, node] = counts.get((pipeline, node), 0) + 1
        if counts[pipeline, node] <= rules.keep:
            keep(written.get(execution_id, ()), "newest")
        if rules.younger_than is not None and now - started < rules.younger_than:
            keep(written.get(execution_id, ()), "young")
    for run_id in _live_runs(store):
        for outputs in store.run_outputs(run_id).values():
            keep((a.id or 0 for of in outputs.values() for a in of), "running")
    keep(store.lineage(kept).artifacts, "lineage")
    removed = [record for number, record in sorted(records.items()) if number not in kept]
    return Plan(kept, removed, int(last_event))


def forget(store: MetadataStore, plan: Plan) -> list[ArtifactRecord]:
    """Mark what goes DELETED in one transaction; return it, less what was used meanwhile."""

    def mark() -> list[ArtifactRecord]:
        rows = store.session.query(
            "SELECT DISTINCT artifact_id FROM Event WHERE id > ?", (plan.last_event,)
        )
        used = {int(number) for (number,) in rows}
        gone = [record for record in plan.removed if record.artifact.id not in used]
        store.mark_deleted([record.artifact.id or 0 for record in gone])
        return gone

    return store.atomically(mark)


def _live_runs(store: MetadataStore) -> list[str]:
    rows = store.session.query("SELECT run_id FROM penstock_run WHERE state = 'RUNNING'")
    return [str(run_id) for (run_id,) in rows if store.is_held(run_id)]


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
