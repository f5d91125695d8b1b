"""Rows of the store as frozen dataclasses. Times are Unix seconds."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.artifacts import Artifact, Verdict


class ExecutionState(enum.IntEnum):
    """State of an execution, with ML Metadata's numbers."""

    UNKNOWN = 0
    NEW = 1
    RUNNING = 2
    COMPLETE = 3
    FAILED = 4
    CACHED = 5
    CANCELED = 6


class EventType(enum.IntEnum):
    """How an execution touched an artifact, with ML Metadata's numbers."""

    DECLARED_OUTPUT = 1
    DECLARED_INPUT = 2
    INPUT = 3
    OUTPUT = 4
    INTERNAL_INPUT = 5
    INTERNAL_OUTPUT = 6
    PENDING_OUTPUT = 7


class RunState(enum.StrEnum):
    """State of a run."""

    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


@dataclass(frozen=True, slots=True)
class Usage:
    """What an attempt used of its machine.

    Args:
        wall_seconds: Seconds from start to end.
        cpu_seconds: User and system seconds of the process and its children.
        peak_rss_bytes: Largest resident set, in bytes.
        bytes_written: Bytes of its outputs.
        start_seconds: Seconds before the start, until its process had made its imports.
    """

    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    peak_rss_bytes: int | None = None
    bytes_written: int | None = None
    start_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a pipeline.

    Args:
        run_id: Unique in the store; the name of its `pipeline_run` context.
        pipeline: Name of the pipeline.
        started: Unix seconds.
        graph_digest: Digest of `graph_json`.
        graph_json: The frozen graph; empty in listings.
        parameters: Runtime parameters, JSON values.
        command: What started it, as typed.
        commit: Git commit of the project, or None.
        dirty: Whether the working tree had changes; None if unknown.
        environment_fingerprint: Digest of `environment`.
        environment: Python, packages, platform; empty in listings.
        seed: Seed of the run, or None.
        deterministic: The determinism switch.
        root: The pipeline root, where artifacts lie.
        project: Root of the project, where user code lies.
        labels: Further JSON values about the run (resumed from, partial run, host).
        state: Set by the store.
        finished: Unix seconds, set by the store.
        error: Why it failed, set by the store.
        stop_requested: Whether `request_stop` was called.
        paused_seconds: Time between its sessions, if it was resumed.
    """

    run_id: str
    pipeline: str
    started: float
    graph_digest: str = ""
    graph_json: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    commit: str | None = None
    dirty: bool | None = None
    environment_fingerprint: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    deterministic: bool = False
    root: str = ""
    project: str = ""
    labels: Mapping[str, Any] = field(default_factory=dict)
    state: RunState = RunState.RUNNING
    finished: float | None = None
    error: str | None = None
    stop_requested: bool = False
    paused_seconds: float = 0.0

    @property
    def seconds(self) -> float | None:
        """Wall time from start to end, without the time between its sessions; None before its end."""
        if self.finished is None:
            return None
        return max(0.0, self.finished - self.started - self.paused_seconds)


@dataclass(frozen=True, slots=True)
class ExecutionRecord:
    """One attempt at a node.

    Args:
        id: The execution's id in ML Metadata.
        run_id: Its run; None when TFX wrote it.
        pipeline: Name of the pipeline; None when TFX wrote it.
        node_id: The node; None when TFX wrote it.
        type_name: Class path of the component.
        state: RUNNING, COMPLETE, FAILED, CACHED, CANCELED.
        attempt: 1 for the first try.
        cache_key: Hex digest, or None when the cache was off.
        key_parts: The cache key in readable form.
        started: Unix seconds.
        finished: Unix seconds, or None.
        error: Why it failed.
        log_path: Where its log is kept.
        usage: What it used.
        metrics: What it reported.
        cached_from: Execution whose outputs it reused.
        verdict: What it said of what it judged.
    """

    id: int
    run_id: str | None
    pipeline: str | None
    node_id: str | None
    type_name: str
    state: ExecutionState
    attempt: int = 1
    cache_key: str | None = None
    key_parts: Mapping[str, Any] = field(default_factory=dict)
    started: float = 0.0
    finished: float | None = None
    error: str | None = None
    log_path: str | None = None
    usage: Usage = field(default_factory=Usage)
    metrics: Mapping[str, float] = field(default_factory=dict)
    cached_from: int | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class CachedExecution:
    """A cache hit: an execution whose outputs are all live, with what it reported."""

    execution_id: int
    outputs: Mapping[str, list[Artifact]]
    metrics: Mapping[str, float] = field(default_factory=dict)
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """The metrics of one epoch of training.

    Args:
        epoch: Its number, from 1.
        metrics: Numbers by name; a loss that exploded may be NaN or infinite.
        reported: When it was reported, in Unix seconds.
        execution_id: The attempt that reported it.
    """

    epoch: int
    metrics: Mapping[str, float]
    reported: float
    execution_id: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """A gate's last word on an artifact: it did not pass.

    Args:
        artifact_id: The artifact.
        node_id: The gate.
        execution_id: The gate's failed execution.
    """

    artifact_id: int
    node_id: str
    execution_id: int


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """An artifact with where it comes from.

    Args:
        artifact: With id, uri, state and properties.
        type_name: Name of its type in the store.
        created: Unix seconds.
        execution_id: What wrote it; None when unknown.
        pipeline: Pipeline that wrote it.
        run_id: Run that wrote it.
        node_id: Node that wrote it.
        key: Output key.
        index: Position under the key.
    """

    artifact: Artifact
    type_name: str
    created: float
    execution_id: int | None = None
    pipeline: str | None = None
    run_id: str | None = None
    node_id: str | None = None
    key: str | None = None
    index: int = 0


@dataclass(frozen=True, slots=True)
class LineageEdge:
    """An artifact entering (INPUT) or leaving (OUTPUT) an execution."""

    artifact_id: int
    execution_id: int
    event: EventType
    key: str | None
    index: int


@dataclass(frozen=True, slots=True)
class Lineage:
    """What an artifact was made from, or what was made from it."""

    artifacts: Mapping[int, ArtifactRecord]
    executions: Mapping[int, ExecutionRecord]
    edges: tuple[LineageEdge, ...]
