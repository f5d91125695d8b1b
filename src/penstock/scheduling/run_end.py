"""How a run ended, as the store tells it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from penstock.launch.project import Project, absolute
from penstock.notifications.event import RunEvent, verdict_words
from penstock.scheduling.schedule import Schedule
from penstock.store import ExecutionState, MetadataStore, RecordNotFound, RunRecord, RunState

_LOOKED_AT = 50


@contextmanager
def opened(schedule: Schedule, project_root: str | os.PathLike[str]) -> Iterator[MetadataStore]:
    """Open the store of a schedule's runs to read.

    Raises:
        FileNotFoundError: If nothing has been run yet.
        penstock.store.StoreError: If it cannot be used.
    """
    project = Project.find(project_root)
    location = absolute(schedule.store, project.root) if schedule.store else project.store
    path = location.removeprefix("sqlite:///")
    is_file = "://" not in path
    if is_file and not os.path.exists(path):
        raise FileNotFoundError(path)
    with MetadataStore.open(location, create=False, read_only=is_file) as store:
        yield store


def run_event(store: MetadataStore, run: RunRecord, *, schedule: str = "") -> RunEvent:
    """Return the end of a run as an event.

    Verdicts that were taken over from the cache are left out: they are about data that was judged, and
    told, before.

    Args:
        store: The metadata store.
        run: The run.
        schedule: The schedule that began it.
    """
    state, error = str(run.state), run.error or ""
    if run.state == RunState.RUNNING:
        state, error = "KILLED", "its process is gone"
    executions = store.run_states(run.run_id)
    outputs = {**store.rejected_outputs(run.run_id), **store.run_outputs(run.run_id)}
    ran = {n: e for n, e in executions.items() if e.state is not ExecutionState.CACHED}
    return RunEvent(
        pipeline=run.pipeline,
        run_id=run.run_id,
        state=state,
        error=error,
        verdicts={node: each.verdict for node, each in ran.items() if each.verdict is not None},
        words=verdict_words({node: outputs.get(node, {}) for node in ran}),
        schedule=schedule,
        project=run.project or "",
        started=run.started,
        seconds=run.seconds,
        resume_command="" if state == "COMPLETE" else f"penstock resume {run.run_id}",
    )


def event_without_run(schedule: Schedule, run_id: str, log: Path, project_root: str) -> RunEvent:
    """Return the end of a run that ended before it was recorded, such as by an error in the file.

    Args:
        schedule: Its schedule.
        run_id: The name that it was to have.
        log: What its process printed.
        project_root: The project's folder.
    """
    lines = log.read_text("utf-8", "replace").strip().splitlines() if log.exists() else []
    return RunEvent(
        pipeline=schedule.pipeline,
        run_id=run_id,
        state="FAILED",
        error=lines[-1] if lines else "its process ended at once and printed nothing",
        schedule=schedule.name,
        project=project_root,
    )


def find_run(store: MetadataStore, run_id: str) -> RunRecord | None:
    """Return a run by its whole name; None if there is none."""
    try:
        run = store.get_run(run_id)
    except RecordNotFound:
        return None
    return run if run.run_id == run_id else None


def followed_run(
    store: MetadataStore, schedule: Schedule, considered: datetime
) -> tuple[str, datetime]:
    """Return the newest run that a schedule comes after, and until when runs were looked at.

    A run that failed is followed only for its verdict: a component may fail because it rejects.

    Args:
        store: The metadata store.
        schedule: It comes after a pipeline.
        considered: Only runs that ended later count.

    Returns:
        The run's id, or "", and the end of the newest run.
    """
    ended = [
        run
        for run in store.list_runs(schedule.after, limit=_LOOKED_AT)
        if run.finished is not None and run.finished > considered.timestamp()
    ]
    ended.sort(key=lambda run: run.finished or 0.0, reverse=True)
    if not ended:
        return "", considered
    until = datetime.fromtimestamp(ended[0].finished or 0.0, UTC)
    for run in ended:
        if schedule.condition is None and run.state == RunState.COMPLETE:
            return run.run_id, until
        if (
            schedule.condition is not None
            and run.state in (RunState.COMPLETE, RunState.FAILED)
            and schedule.condition.passes(run_event(store, run))
        ):
            return run.run_id, until
    return "", until
