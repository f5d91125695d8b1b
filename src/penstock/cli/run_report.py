"""A run as the store knows it: its nodes, in the graph's order, with their states and outputs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.artifacts import Artifact, Verdict
from penstock.cli import exit_codes
from penstock.cli.errors import CommandError, NotFound
from penstock.cli.quantities import duration
from penstock.graph import Graph
from penstock.graph.drawing import NodeStatus
from penstock.launch.spread_run import current_state, is_spread, live_executions
from penstock.spelling import nearest
from penstock.store import EpochRecord, ExecutionRecord, MetadataStore, RunRecord, RunState

KILLED = "KILLED"
"""Shown for what the store holds RUNNING while the process that ran it is gone."""


@dataclasses.dataclass(frozen=True, slots=True)
class NodeReport:
    """A node of a run.

    Attributes:
        id: Its name.
        kind: component, resolver or importer.
        state: Its state; PENDING or SKIPPED without an execution.
        attempts: Its executions, the last one last.
        outputs: Artifacts by key.
        epochs: Epochs of training that it reported, in order.
    """

    id: str
    kind: str
    state: str
    attempts: Sequence[ExecutionRecord]
    outputs: Mapping[str, Sequence[Artifact]]
    epochs: Sequence[EpochRecord] = ()

    @property
    def last(self) -> ExecutionRecord | None:
        """The last execution."""
        return self.attempts[-1] if self.attempts else None

    @property
    def seconds(self) -> float | None:
        """Wall time of the last execution, if it did work."""
        return self.last.usage.wall_seconds if self.last else None

    @property
    def verdict(self) -> Verdict | None:
        """The verdict of its last execution."""
        return self.last.verdict if self.last else None


@dataclasses.dataclass(frozen=True, slots=True)
class RunReport:
    """A run.

    Attributes:
        run: Its record.
        state: RUNNING, COMPLETE, FAILED, CANCELED or KILLED.
        graph: Its graph.
        nodes: In the graph's order.
    """

    run: RunRecord
    state: str
    graph: Graph
    nodes: Sequence[NodeReport]

    @property
    def statuses(self) -> dict[str, NodeStatus]:
        """States and times for drawing."""
        return {
            node.id: NodeStatus(
                node.state if node.state != KILLED else "FAILED",
                duration(node.seconds) if node.seconds is not None else "",
                node.verdict,
            )
            for node in self.nodes
        }


def find_run(store: MetadataStore, name: str) -> RunRecord:
    """Return a run by its id, the beginning of it, or `latest`.

    Raises:
        NotFound: If the store has no run.
        penstock.store.RecordNotFound: If no run's id begins so, or several do.
    """
    if name == "latest":
        runs = store.list_runs(limit=1)
        if not runs:
            raise NotFound(f"the store {store.location} has no runs yet")
        name = runs[0].run_id
    return store.get_run(name)


def run_state(store: MetadataStore, run: RunRecord) -> str:
    """Return the state of a run; KILLED if it is RUNNING in the store but no process runs it."""
    if run.state is not RunState.RUNNING:
        return run.state.value
    if not store.is_held(run.run_id):
        return KILLED
    if is_spread(run):
        return current_state(store, run if run.graph_json else store.get_run(run.run_id)).value
    return run.state.value


def advice(run: RunRecord) -> str:
    """Return how a run that did not complete is finished."""
    if not is_spread(run):
        return f"penstock resume {run.run_id}"
    if run.stop_requested:
        return "a new run in Kubeflow: what is complete is found in the cache"
    return "Retry on the run's page in Kubeflow: what is complete does not run again"


def graph_of(run: RunRecord) -> Graph:
    """Return the graph of a run.

    Raises:
        NotFound: If the store holds none.
    """
    if not run.graph_json:
        raise NotFound(f"the store holds no graph of run {run.run_id}")
    try:
        return Graph.from_json(json.loads(run.graph_json))
    except ValueError as error:
        raise CommandError(f"run {run.run_id}: {error}", exit_codes.ENVIRONMENT) from None


def check_node(graph: Graph, node_id: str) -> None:
    """Raise if the graph has no such node.

    Raises:
        NotFound: With the nearest name.
    """
    names = [node.id for node in graph.nodes]
    if node_id not in names:
        near = nearest(node_id, names) or f" It has {', '.join(names)}."
        raise NotFound(f"pipeline {graph.name!r} has no node {node_id!r}.{near}")


def report_run(store: MetadataStore, run: RunRecord) -> RunReport:
    """Return the report of a run."""
    graph = graph_of(run)
    state = run_state(store, run)
    attempts: dict[str, list[ExecutionRecord]] = {}
    for execution in store.run_executions(run.run_id):
        attempts.setdefault(str(execution.node_id), []).append(execution)
    outputs = {**store.rejected_outputs(run.run_id), **store.run_outputs(run.run_id)}
    epochs = store.run_epochs(run.run_id)
    alive = live_executions(store) if is_spread(run) else None
    without = "PENDING" if state == "RUNNING" else "SKIPPED"
    nodes = []
    for node in graph.nodes:
        of = attempts.get(node.id, [])
        node_state = of[-1].state.name if of else without
        dead = state == KILLED if alive is None else bool(of) and of[-1].id not in alive
        if node_state == "RUNNING" and dead:
            node_state = KILLED
        nodes.append(
            NodeReport(
                node.id,
                node.kind,
                node_state,
                of,
                outputs.get(node.id, {}),
                epochs.get(node.id, ()),
            )
        )
    return RunReport(run, state, graph, nodes)


def sums(report: RunReport) -> dict[str, Any]:
    """Return the total usage of a run, including failed attempts.

    Cached nodes count with nothing.
    """
    used = [each.usage for node in report.nodes for each in node.attempts]
    return {
        "cpu_seconds": sum(each.cpu_seconds or 0.0 for each in used),
        "start_seconds": sum(each.start_seconds or 0.0 for each in used),
        "node_seconds": sum(each.wall_seconds or 0.0 for each in used),
        "peak_rss_bytes": max((each.peak_rss_bytes or 0 for each in used), default=0),
        "bytes_written": sum(each.bytes_written or 0 for each in used),
        "wall_seconds": report.run.seconds,
    }
