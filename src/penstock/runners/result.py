"""How a run ended."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.artifacts import Artifact, Verdict


class NodeState(enum.StrEnum):
    """State of a node in a run."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    RETRYING = "RETRYING"
    COMPLETE = "COMPLETE"
    CACHED = "CACHED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    CANCELED = "CANCELED"

    @property
    def succeeded(self) -> bool:
        """Whether its outputs are there."""
        return self in (NodeState.COMPLETE, NodeState.CACHED)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self not in (NodeState.PENDING, NodeState.RUNNING, NodeState.RETRYING)


@dataclasses.dataclass(slots=True)
class NodeResult:
    """How a node ended.

    Attributes:
        id: Its name.
        state: Its state.
        seconds: Wall time of its last attempt; while that runs, what it had taken when it was reported.
        attempts: How often it was tried.
        execution_id: Row of the last attempt, or None.
        error: Why it failed, one line.
        traceback: The user's traceback, if it raised.
        log_path: Log of its last attempt, or None.
        outputs: Artifacts by key.
        metrics: What it reported.
        why: Why it was not found in the cache, if that is shown.
        progress: How far it is, while it runs.
        kept: Whether an earlier session of the run had done it.
        verdict: Its verdict, if it judged something.
        rejected: Whether it failed because it rejected what it judged.
        start_seconds: How long its last attempt waited for its process to start and make its imports.
    """

    id: str
    state: NodeState = NodeState.PENDING
    seconds: float = 0.0
    attempts: int = 0
    execution_id: int | None = None
    error: str | None = None
    traceback: str = ""
    log_path: str | None = None
    outputs: Mapping[str, Sequence[Artifact]] = dataclasses.field(default_factory=dict)
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    why: str = ""
    progress: str = ""
    kept: bool = False
    verdict: Verdict | None = None
    rejected: bool = False
    start_seconds: float = 0.0


@dataclasses.dataclass(slots=True, repr=False)
class RunResult:
    """How a run ended.

    A notebook that shows one shows its nodes with their states, not all that is known of them.

    Attributes:
        run_id: Name of the run.
        state: `COMPLETE`, `FAILED` or `CANCELED`.
        nodes: Results by node, in the order of the graph.
        seconds: Wall time.
        error: Why it did not complete, one line.
        resume_command: What to type to go on with it as it was compiled.
        run_command: The command that runs the pipeline again after a change of its definition.
        told: Whether the progress has shown all this.
    """

    run_id: str
    state: str
    nodes: dict[str, NodeResult]
    seconds: float = 0.0
    error: str | None = None
    resume_command: str = ""
    run_command: str = ""
    told: bool = False

    def __repr__(self) -> str:
        nodes = ", ".join(f"{name}: {node.state}" for name, node in self.nodes.items())
        error = f", error={self.error!r}" if self.error else ""
        return f"RunResult({self.run_id!r}, {self.state!r}, {{{nodes}}}, seconds={self.seconds:.3g}{error})"

    def __getitem__(self, node_id: str) -> NodeResult:
        return self.nodes[node_id]

    def artifact(self, node_id: str, key: str) -> Any:
        """Return the only artifact that a node wrote under a key.

        Raises:
            KeyError: If there is none.
        """
        (artifact,) = self.nodes[node_id].outputs[key]
        return artifact

    @property
    def failed(self) -> list[NodeResult]:
        """The nodes that failed."""
        return [node for node in self.nodes.values() if node.state is NodeState.FAILED]


class RunFailed(RuntimeError):
    """A run did not complete; `result` says how far it came.

    The message is what a person needs, in this order: why each node failed, with the traceback of the
    user's code; where its log is; the command that goes on with the run. Tracebacks that the progress has
    shown are not repeated.
    """

    def __init__(self, result: RunResult) -> None:
        self.result = result
        lines = failure_lines(result, tracebacks=not result.told)
        why = f": {result.error}" if result.error and not result.failed else ""
        lines.append(f"run {result.run_id} ended {result.state}{why}")
        super().__init__("\n".join(lines + resume_lines(result)))


_LONGEST_TRACEBACK = 14
"""Lines of a traceback that are told; the log has it whole."""


def short_error(node: NodeResult) -> str:
    """Return why a node failed in a few words: its verdict if it rejected, else its error, cut."""
    if node.rejected and node.verdict is not None:
        return node.verdict.text
    text = node.error or ""
    return text if len(text) <= 160 else f"{text[:157].rstrip()}..."


def failure_lines(result: RunResult, *, tracebacks: bool = True) -> list[str]:
    """Return for each failed node why it failed, its traceback, and where its log is: told once.

    Args:
        result: The run.
        tracebacks: Whether tracebacks and long messages are told.
    """
    lines: list[str] = []
    for node in result.failed:
        tries = f" after {node.attempts} attempts" if node.attempts > 1 else ""
        told = node.traceback.splitlines() if tracebacks else []
        if told and told[0].startswith("Traceback"):
            lines.append(f"{node.id} failed{tries}: {short_error(node)}")
            # The last line of most tracebacks is the message again.
            lines += _cut(told[:-1] if told[-1] == short_error(node) else told)
        elif told:
            lines += _cut([f"{node.id} failed{tries}: {told[0]}", *told[1:]])
        else:
            lines.append(f"{node.id} failed{tries}: {node.error}")
        if node.log_path:
            lines.append(f"  log: {node.log_path}")
    return lines


def _cut(lines: list[str]) -> list[str]:
    """Return the beginning and the end of many lines."""
    left_out = len(lines) - _LONGEST_TRACEBACK
    if left_out <= 1:
        return lines
    half = _LONGEST_TRACEBACK // 2
    return [*lines[:half], f"  ... {left_out} more lines in the log ...", *lines[-half:]]


def resume_lines(result: RunResult) -> list[str]:
    """Return what to type to go on with a run that did not complete, a line each or none."""
    if result.state == "COMPLETE" or not result.resume_command:
        return []
    lines = [f"resume it: {result.resume_command}"]
    if result.failed and result.run_command:
        # It would go on with the pipeline as it was compiled.
        lines.append(f"or, if you changed the pipeline file: {result.run_command}")
    return lines
