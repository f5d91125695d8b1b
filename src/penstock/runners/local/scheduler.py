"""The ready queue: which node is next, what is tried again, what a failure means for the rest."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from penstock.graph import Graph, GraphNode
from penstock.launch.attempt import Attempt
from penstock.launch.launcher import Ended, Launcher
from penstock.runners.local.executor import Executor, Finished
from penstock.runners.result import NodeResult, NodeState
from penstock.store import StoreError


class Progress(Protocol):
    """Is told of every change of a node."""

    def changed(self, node: NodeResult) -> None:
        """Say that a node's state changed."""


class Scheduler:
    """Runs the nodes of a graph in the order that their edges allow.

    Args:
        graph: The pipeline, bound.
        launcher: Resolves and publishes.
        executor: Executes.
        progress: Is told of every change.
        stop: Returns why the run should stop now, or None.
    """

    def __init__(
        self,
        graph: Graph,
        launcher: Launcher,
        executor: Executor,
        progress: Progress,
        stop: Callable[[], str | None],
    ) -> None:
        self._graph = graph
        self._launcher = launcher
        self._executor = executor
        self._progress = progress
        self._stop = stop
        self.results = {node.id: NodeResult(node.id) for node in graph.nodes}
        self._position = {node.id: index for index, node in enumerate(graph.nodes)}
        self._waiting_for = {node.id: len(node.upstream) for node in graph.nodes}
        self._followers: dict[str, list[GraphNode]] = {node.id: [] for node in graph.nodes}
        for node in graph.nodes:
            for upstream in node.upstream:
                self._followers[upstream].append(node)
        self._ready = [
            self._position[node.id] for node in graph.nodes if not self._waiting_for[node.id]
        ]
        heapq.heapify(self._ready)
        self._retries: list[tuple[float, int, Attempt]] = []
        self._running: dict[int, tuple[Attempt, float | None]] = {}

    def run(self) -> str | None:
        """Run until nothing is left to do; return why it was stopped, or None."""
        while True:
            reason = self._stop()
            if reason is not None:
                self._cancel(reason)
                return reason
            self._start()
            if not self._running and not self._ready and not self._retries:
                return None
            for finished in self._executor.wait(self._patience()):
                self._finished(finished)
            self._enforce_timeouts()

    def _start(self) -> None:
        now = time.monotonic()
        while self._executor.has_room() and self._retries and self._retries[0][0] <= now:
            _, _, attempt = heapq.heappop(self._retries)
            self._attempt(attempt.node, partial(self._launcher.retry, attempt))
        while self._ready and self._executor.has_room():
            node = self._graph.nodes[heapq.heappop(self._ready)]
            self._attempt(node, partial(self._launcher.begin, node))

    def _attempt(self, node: GraphNode, begin: Callable[[], Ended | Attempt]) -> None:
        result = self.results[node.id]
        try:
            begun = begin()
        except StoreError:
            raise
        except Exception as error:
            result.error = f"{type(error).__name__}: {error}"
            self._end(node, NodeState.FAILED)
            return
        result.execution_id = begun.execution_id
        if isinstance(begun, Ended):
            result.outputs = begun.outputs
            self._end(node, NodeState(begun.state))
            return
        result.attempts = begun.number
        result.log_path = begun.log_path
        result.state = NodeState.RUNNING
        self._progress.changed(result)
        timeout = node.policy.timeout_seconds
        deadline = None if timeout is None else time.monotonic() + timeout
        self._running[begun.execution_id] = begun, deadline
        self._executor.submit(begun)

    def _finished(self, finished: Finished) -> None:
        attempt, outcome = finished.attempt, finished.result
        self._running.pop(attempt.execution_id, None)
        result = self.results[attempt.node.id]
        reason = finished.reason
        if outcome is not None:
            result.seconds = outcome.usage.wall_seconds
            result.metrics = outcome.metrics
            result.traceback = outcome.traceback
            reason = outcome.error or ""
        if outcome is not None and outcome.error is None:
            try:
                self._launcher.publish(attempt, outcome)
            except StoreError as error:
                reason = f"{type(error).__name__}: {error}"
            else:
                result.error, result.traceback = None, ""
                result.outputs = self._launcher.published[attempt.node.id]
                self._end(attempt.node, NodeState.COMPLETE)
                return
        self._launcher.fail(attempt, reason, outcome)
        result.error = reason
        policy = attempt.node.policy
        if attempt.number <= policy.retries:
            result.state = NodeState.RETRYING
            at = time.monotonic() + policy.backoff(attempt.number)
            heapq.heappush(self._retries, (at, attempt.execution_id, attempt))
            self._progress.changed(result)
        else:
            self._end(attempt.node, NodeState.FAILED)

    def _end(self, node: GraphNode, state: NodeState) -> None:
        pending = [(node, state)]
        while pending:
            node, state = pending.pop()
            result = self.results[node.id]
            result.state = state
            self._progress.changed(result)
            optional = state is NodeState.FAILED and node.policy.success_optional
            for follower in self._followers[node.id]:
                if self.results[follower.id].state is not NodeState.PENDING:
                    continue
                if not state.succeeded and not optional:
                    self.results[follower.id].error = f"{node.id} did not succeed"
                    pending.append((follower, NodeState.SKIPPED))
                    continue
                self._waiting_for[follower.id] -= 1
                if not self._waiting_for[follower.id]:
                    heapq.heappush(self._ready, self._position[follower.id])

    def adopt(self, node: GraphNode, execution_id: int) -> None:
        """Count a node as done that an earlier session of this run completed."""
        self._ready = [each for each in self._ready if each != self._position[node.id]]
        heapq.heapify(self._ready)
        result = self.results[node.id]
        result.execution_id = execution_id
        result.outputs = self._launcher.published[node.id]
        self._end(node, NodeState.COMPLETE)

    def _patience(self) -> float | None:
        """Return how long to wait before something else is due."""
        due = [deadline for _, deadline in self._running.values() if deadline is not None]
        if self._retries and self._executor.has_room():
            due.append(self._retries[0][0])
        limit = 0.2
        return min([limit, *(max(0.0, each - time.monotonic()) for each in due)])

    def _enforce_timeouts(self) -> None:
        now = time.monotonic()
        for attempt, deadline in list(self._running.values()):
            if deadline is not None and now >= deadline:
                seconds = attempt.node.policy.timeout_seconds
                self._running[attempt.execution_id] = attempt, None
                self._executor.kill(attempt, f"timed out after {seconds:g} s")

    def _cancel(self, reason: str) -> None:
        for attempt, _ in self._running.values():
            self._executor.kill(attempt, reason)
        deadline = time.monotonic() + 10
        while self._running and time.monotonic() < deadline:
            for finished in self._executor.wait(0.2):
                self._running.pop(finished.attempt.execution_id, None)
                self._launcher.cancel(finished.attempt, reason)
                self._cancel_node(finished.attempt.node.id, reason)
        for result in self.results.values():
            if not result.state.ended:
                self._cancel_node(result.id, reason)

    def _cancel_node(self, node_id: str, reason: str) -> None:
        result = self.results[node_id]
        result.state, result.error = NodeState.CANCELED, reason
        self._progress.changed(result)
