"""What Kubeflow's API tells of runs, schedules and versions, as plain values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from penstock.kubeflow.predicates import seconds_of

STATES: Mapping[str, str] = {
    "PENDING": "PENDING",
    "RUNNING": "RUNNING",
    "SUCCEEDED": "COMPLETE",
    "SKIPPED": "SKIPPED",
    "FAILED": "FAILED",
    "CANCELING": "RUNNING",
    "CANCELED": "CANCELED",
    "PAUSED": "PENDING",
}
"""Kubeflow's words for a state, and ours."""


@dataclasses.dataclass(frozen=True, slots=True)
class UploadedVersion:
    """A version of a pipeline on the server.

    Attributes:
        pipeline_id: Of the pipeline.
        version_id: Of the version.
        name: Name of the version, made of its content.
        new: Whether it was uploaded just now.
    """

    pipeline_id: str
    version_id: str
    name: str
    new: bool = False

    @property
    def reference(self) -> dict[str, str]:
        """How runs and schedules name it."""
        return {"pipeline_id": self.pipeline_id, "pipeline_version_id": self.version_id}


@dataclasses.dataclass(frozen=True, slots=True)
class ClusterRun:
    """A run of a pipeline on the cluster.

    Attributes:
        run_id: Its id.
        name: Its name.
        state: `PENDING`, `RUNNING`, `COMPLETE`, `FAILED`, `CANCELED` or `SKIPPED`.
        canceling: Whether it was asked to end and has not ended.
        created: Seconds since 1970.
        finished: Seconds since 1970, or None.
        error: Why it failed, if the server says.
        version: Pipeline and version that it runs, if it was uploaded.
        parameters: Values of its parameters.
        experiment_id: The experiment that it belongs to.
        schedule_id: The schedule that made it, or None.
        tasks: What the server tells of its tasks, as it comes.
    """

    run_id: str
    name: str
    state: str
    canceling: bool = False
    created: float | None = None
    finished: float | None = None
    error: str | None = None
    version: UploadedVersion | None = None
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    experiment_id: str | None = None
    schedule_id: str | None = None
    tasks: tuple[Mapping[str, Any], ...] = dataclasses.field(default=(), repr=False)
    spec: Mapping[str, Any] | None = dataclasses.field(default=None, repr=False)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state in ("COMPLETE", "FAILED", "CANCELED", "SKIPPED")

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """Return the run that the API describes."""
        state = str(value.get("state") or "PENDING")
        error = value.get("error") or {}
        return cls(
            run_id=value["run_id"],
            name=value.get("display_name", ""),
            state=STATES.get(state, "PENDING"),
            canceling=state == "CANCELING",
            created=seconds_of(value.get("created_at")),
            finished=seconds_of(value.get("finished_at")),
            error=error.get("message") if isinstance(error, Mapping) else str(error),
            version=_version(value),
            parameters=(value.get("runtime_config") or {}).get("parameters") or {},
            experiment_id=value.get("experiment_id"),
            schedule_id=value.get("recurring_run_id") or None,
            tasks=tuple((value.get("run_details") or {}).get("task_details") or ()),
            spec=value.get("pipeline_spec"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        return {
            "run_id": self.run_id,
            "name": self.name,
            "state": self.state,
            "created": self.created,
            "finished": self.finished,
            "error": self.error,
            "parameters": dict(self.parameters),
            "schedule_id": self.schedule_id,
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Schedule:
    """A recurring run.

    Attributes:
        schedule_id: Its id.
        name: Its name.
        enabled: Whether it fires.
        cron: Kubeflow's cron expression with seconds first, or None.
        every: Seconds from one run to the next, or None.
        start: Seconds since 1970, or None.
        end: Seconds since 1970, or None.
        catch_up: Whether times that passed while it could not fire are made up for.
        max_concurrency: How many of its runs may go on at once.
        version: What it runs.
        parameters: Values of its runs' parameters.
        experiment_id: The experiment of its runs.
        service_account: Of its runs' pods, or None for Kubeflow's own.
    """

    schedule_id: str
    name: str
    enabled: bool
    cron: str | None = None
    every: int | None = None
    start: float | None = None
    end: float | None = None
    catch_up: bool = False
    max_concurrency: int = 1
    version: UploadedVersion | None = None
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    experiment_id: str | None = None
    service_account: str | None = None

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """Return the schedule that the API describes."""
        trigger = value.get("trigger") or {}
        when = trigger.get("cron_schedule") or trigger.get("periodic_schedule") or {}
        every = when.get("interval_second")
        return cls(
            schedule_id=value["recurring_run_id"],
            name=value.get("display_name", ""),
            enabled=_enabled(value),
            cron=when.get("cron"),
            every=None if every is None else int(every),
            start=seconds_of(when.get("start_time")),
            end=seconds_of(when.get("end_time")),
            catch_up=not value.get("no_catchup", False),
            max_concurrency=int(value.get("max_concurrency") or 1),
            version=_version(value),
            parameters=(value.get("runtime_config") or {}).get("parameters") or {},
            experiment_id=value.get("experiment_id"),
            service_account=value.get("service_account") or None,
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        return {
            "schedule_id": self.schedule_id,
            "name": self.name,
            "enabled": self.enabled,
            "cron": self.cron,
            "every_seconds": self.every,
            "start": self.start,
            "end": self.end,
            "catch_up": self.catch_up,
            "max_concurrency": self.max_concurrency,
            "parameters": dict(self.parameters),
        }


def _version(value: Mapping[str, Any]) -> UploadedVersion | None:
    reference = value.get("pipeline_version_reference") or {}
    if not reference.get("pipeline_id"):
        return None
    return UploadedVersion(reference["pipeline_id"], reference.get("pipeline_version_id") or "", "")


def _enabled(value: Mapping[str, Any]) -> bool:
    """Return whether a schedule fires: its status while it has one, else how it was made."""
    status = value.get("status")
    if status in ("ENABLED", "DISABLED"):
        return bool(status == "ENABLED")
    return value.get("mode") == "ENABLE"
