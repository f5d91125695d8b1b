"""States of nodes, read from what Kubeflow tells of Argo's nodes.

A task `x` of the IR is a node `x` of Argo, after a node `x-driver`, which resolves inputs and asks the
cache. The container is a node `executor` below `x`; with retries the nodes `executor(0)`, `executor(1)`,
... are. A task that the cache skips has a skipped `executor`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from penstock.kubeflow.package import Task
from penstock.kubeflow.predicates import seconds_of
from penstock.kubeflow.records import STATES, ClusterRun
from penstock.runners.result import NodeResult, NodeState

Row = Mapping[str, Any]

_EXECUTOR = "executor"


def node_results(tasks: Sequence[Task], run: ClusterRun) -> dict[str, NodeResult]:
    """Return how far each node is.

    Args:
        tasks: The pipeline's tasks.
        run: The run, with the rows of its tasks.

    Example:
        node_results(package.nodes, get_run(server, run_id))["Trainer"].state
    """
    rows = _Rows(run.tasks)
    results: dict[str, NodeResult] = {}
    for task in tasks:
        result = results[task.id] = _result(task, rows)
        if run.over and not result.state.ended:
            _conclude(result, run)
    return results


def executor_rows(task: Task, run: ClusterRun) -> list[Row]:
    """Return the rows of a task's containers, the last attempt last."""
    return _Rows(run.tasks).executors(task.name)


class _Rows:
    """The rows of a run's tasks, by name and by node of Argo."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._named: dict[str, Row] = {}
        self._by_node: dict[str, Row] = {}
        for row in rows:
            self._named[_name(row)] = row
            if row.get("name"):  # servers to come tell the task's name beside the node's
                self._named[row["name"]] = row
            if row.get("pod_name"):
                self._by_node[row["pod_name"]] = row
            if row.get("task_id"):
                self._by_node[row["task_id"]] = row

    def named(self, name: str) -> Row | None:
        return self._named.get(name)

    def executors(self, task: str) -> list[Row]:
        """Return the containers below a task, those that are tried again each."""
        row = self.named(task)
        found = list(self._below(row)) if row is not None else []
        attempts = [each for each in found if _name(each) != _EXECUTOR]
        return sorted(attempts or found, key=_started)

    def _below(self, row: Row) -> Iterator[Row]:
        for child in row.get("child_tasks") or ():
            below = self._by_node.get(child.get("pod_name") or child.get("task_id") or "")
            if below is not None and _name(below).partition("(")[0] == _EXECUTOR:
                yield below
                yield from self._below(below)


def _result(task: Task, rows: _Rows) -> NodeResult:
    row, driver = rows.named(task.name), rows.named(f"{task.name}-driver")
    executors = rows.executors(task.name)
    result = NodeResult(task.id)
    if row is None:
        if driver is not None and _state(driver) == "FAILED":
            result.state = NodeState.FAILED
            result.error = _error(driver) or "Kubeflow's driver of the task failed"
        return result
    state = row.get("state") or row.get("status") or ""
    result.attempts = max(1, len(executors))
    started = _started(executors[0]) if executors else _started(row)
    ended = seconds_of(row.get("end_time"))
    if started:
        result.seconds = max(0.0, (ended or time.time()) - started)
    cached = state == "CACHED" or (
        state == "SUCCEEDED" and bool(executors) and all(_state(e) == "SKIPPED" for e in executors)
    )
    result.state = NodeState.CACHED if cached else NodeState(STATES.get(state, "PENDING"))
    if result.state is NodeState.FAILED:
        result.error = next(filter(None, map(_error, [*reversed(executors), row])), None) or (
            "its pod failed"
        )
    elif result.state is NodeState.SKIPPED:
        result.error = "a node before it did not succeed"
    elif result.state is NodeState.CANCELED:
        result.error = "the run was canceled"
    elif result.state is NodeState.RUNNING:
        failed = [each for each in executors if _state(each) == "FAILED"]
        if failed and len(failed) == len(executors):
            result.state = NodeState.RETRYING
            result.attempts = len(failed)
            result.error = _error(failed[-1]) or "its pod failed"
    return result


def _conclude(result: NodeResult, run: ClusterRun) -> None:
    """Say what became of a node that had not ended when its run did."""
    if run.state == "CANCELED":
        begun = result.state in (NodeState.RUNNING, NodeState.RETRYING)
        result.state = NodeState.CANCELED if begun else NodeState.SKIPPED
        result.error = "the run was canceled"
    elif run.state == "COMPLETE":
        result.state = NodeState.COMPLETE
    elif result.state is NodeState.PENDING:
        result.state, result.error = NodeState.SKIPPED, "the run failed before"
    else:
        result.state, result.error = NodeState.FAILED, result.error or "the run failed"


def _name(row: Row) -> str:
    return str(row.get("display_name") or row.get("name") or "")


def _state(row: Row) -> str:
    return str(row.get("state") or row.get("status") or "")


def _started(row: Row) -> float:
    return seconds_of(row.get("start_time")) or 0.0


def _error(row: Row) -> str | None:
    error = row.get("error") or {}
    if error.get("message"):
        return str(error["message"])
    for status in reversed(row.get("state_history") or ()):
        said = (status.get("error") or {}).get("message")
        if said:
            return str(said)
    return None
