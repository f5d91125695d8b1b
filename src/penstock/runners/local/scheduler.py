"""The ready queue: which node is next, what is tried again, what a failure means for the rest."""

from __future__ import annotations

import dataclasses
import heapq
import time
import traceback
from collections.abc import Callable
from functools import partial

from penstock.graph import Graph, GraphNode
from penstock.launch.attempt import Attempt
from penstock.launch.launcher import Ended, Launcher, NotStarted
from penstock.runners.local.accelerators import AcceleratorTokens
from penstock.runners.local.executor import Executor, Finished
from penstock.runners.local.progress import Progress
from penstock.runners.local.stop import StopRequest
from penstock.runners.result import NodeResult, NodeState
from penstock.store import StoreError

_GRACE_SECONDS = 10.0
"""How long a stopped run waits for its attempts to end."""


class Scheduler:
    """Runs the nodes of a graph in the order that their edges allow.

    Args:
        graph: The pipeline, bound.
        launcher: Resolves and publishes.
        executor: Executes.
        progress: Is told of every change.
        stop: Says when the run should stop.
        accelerators: Which of them are free.
    """

    def __init__(
        self,
        graph: Graph,
        launcher: Launcher,
        executor: Executor,
        progress: Progress,
        stop: StopRequest,
        accelerators: AcceleratorTokens,
    ) -> None:
        self._graph = graph
        self._launcher = launcher
        self._executor = executor
        self._progress = progress
        self._stop = stop
        self._accelerators = accelerators
        if progress.explains:
            executor.on_progress = self._advanced
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
        self._retries: list[tuple[float, int, Attempt]] = []
        self._running: dict[int, tuple[Attempt, float]] = {}
        self._foresee = any(node.uses_tensorflow for node in graph.nodes)

    def run(self) -> None:
        """Run until nothing is left to do or the run is stopped."""
        if self._launcher.is_cold:
            self._foresee = False
            missing = [each for each in self._graph.nodes if not self.results[each.id].state.ended]
            if missing:
                self._executor.anticipate(missing)
        with self._stop.waking(self._executor.wake):
            while self._stop.reason is None:
                self._start()
                if not (self._running or self._ready or self._retries):
                    return
                for finished in self._executor.wait(self._patience()):
                    self._finished(finished)
            self._cancel(self._stop.reason)

    def adopt(self, result: NodeResult) -> None:
        """Count a node as done that an earlier session of this run completed."""
        self.results[result.id] = result
        self._end(self._graph.nodes[self._position[result.id]], result.state)

    def _start(self) -> None:
        now = time.monotonic()
        while self._retries and self._retries[0][0] <= now and self._executor.has_room():
            at, number, attempt = heapq.heappop(self._retries)
            if not self._attempt(attempt.node, partial(self._launcher.retry, attempt)):
                heapq.heappush(self._retries, (at, number, attempt))
                break
        without_accelerator: list[int] = []
        while self._ready and self._stop.reason is None and self._executor.has_room():
            place = heapq.heappop(self._ready)
            node = self._graph.nodes[place]
            if self.results[node.id].state.ended:
                continue
            if not self._attempt(node, partial(self._launcher.begin, node)):
                without_accelerator.append(place)
        for place in without_accelerator:
            heapq.heappush(self._ready, place)

    def _attempt(self, node: GraphNode, begin: Callable[[], Ended | Attempt]) -> bool:
        """Begin a node or its retry; return whether the accelerators that it needs were free."""
        held = self._accelerators.take(node)
        if held is None:
            return False
        begun = self._begin(node, begin)
        if begun is None:
            self._accelerators.give_back(held)
        else:
            self._submit(dataclasses.replace(begun, accelerators=held) if held else begun)
        return True

    def _begin(self, node: GraphNode, begin: Callable[[], Ended | Attempt]) -> Attempt | None:
        """Return the attempt that a node needs; None if it has ended, well or not."""
        result = self.results[node.id]
        started = time.monotonic()
        try:
            begun = begin()
        except NotStarted as error:
            result.execution_id = error.execution_id
            result.error = str(error)
            result.traceback = error.traceback
            self._end(node, NodeState.FAILED)
            return None
        result.execution_id = begun.execution_id
        if isinstance(begun, Ended):
            result.outputs = begun.outputs
            result.metrics = begun.metrics
            result.verdict = begun.verdict
            result.seconds = time.monotonic() - started
            self._end(node, NodeState(begun.state))
            return None
        return begun

    def _submit(self, begun: Attempt) -> None:
        result = self.results[begun.node.id]
        result.attempts = begun.number
        result.log_path = begun.log_path
        result.state, result.progress, result.seconds = NodeState.RUNNING, "", 0.0
        if self._progress.explains:
            result.why = self._launcher.why_it_runs(begun)
        self._progress.changed(result)
        self._running[begun.execution_id] = begun, time.monotonic()
        try:
            self._executor.submit(begun)
        except Exception as error:
            reason = f"could not be started: {type(error).__name__}: {error}"
            result.traceback = traceback.format_exc()
            self._finished(Finished(begun, None, reason))
            return
        if self._foresee:
            self._anticipate(begun.node)

    def _advanced(self, attempt: Attempt, text: str) -> None:
        result = self.results[attempt.node.id]
        result.progress = text
        self._progress.advanced(result)

    def _anticipate(self, node: GraphNode) -> None:
        """Announce the nodes after one that must run: they will hardly be found in the cache."""
        after, pending = set[str](), [node]
        while pending:
            for follower in self._followers[pending.pop().id]:
                if follower.id not in after:
                    after.add(follower.id)
                    pending.append(follower)
        heavy = [each for each in self._graph.nodes if each.id in after and each.uses_tensorflow]
        if heavy:
            self._foresee = False
            self._executor.anticipate(heavy)

    def _finished(self, finished: Finished) -> None:
        attempt, outcome = finished.attempt, finished.result
        _, started = self._running.pop(attempt.execution_id)
        self._accelerators.give_back(attempt.accelerators)
        result = self.results[attempt.node.id]
        result.seconds = time.monotonic() - started
        reason = finished.reason
        result.start_seconds = 0.0
        if outcome is not None:
            wall = outcome.usage.wall_seconds or 0.0
            result.start_seconds = max(0.0, result.seconds - wall)
            result.seconds = wall
            usage = dataclasses.replace(outcome.usage, start_seconds=result.start_seconds)
            outcome = dataclasses.replace(outcome, usage=usage)
            result.metrics = outcome.metrics
            result.verdict = outcome.verdict
            result.rejected = outcome.rejected
            result.traceback = outcome.traceback
            reason = outcome.error or ""
        if outcome is not None and outcome.error is None and not self._stop.lost:
            try:
                self._launcher.publish(attempt, outcome)
            except StoreError as error:
                reason = f"{type(error).__name__}: {error}"
            else:
                result.error, result.traceback = None, ""
                result.outputs = self._launcher.published[attempt.node.id]
                self._end(attempt.node, NodeState.COMPLETE)
                return
        if self._stop.reason is not None:
            self._cancel_attempt(attempt, self._stop.reason)
            return
        self._launcher.fail(attempt, reason, outcome)
        result.error = reason
        policy = attempt.node.policy
        if attempt.number <= policy.retries and not result.rejected:
            result.state = NodeState.RETRYING
            at = time.monotonic() + policy.backoff(attempt.number)
            heapq.heappush(self._retries, (at, attempt.execution_id, attempt))
            self._progress.changed(result)
        else:
            self._end(attempt.node, NodeState.FAILED)

    def _end(self, node: GraphNode, state: NodeState) -> None:
        """Record a node's end, and what it means for the nodes after it."""
        pending = [(node, state)]
        while pending:
            node, state = pending.pop()
            result = self.results[node.id]
            result.state = state
            self._progress.changed(result)
            optional = state is NodeState.FAILED and node.policy.success_optional
            for follower in self._followers[node.id]:
                next_result = self.results[follower.id]
                if next_result.state is not NodeState.PENDING:
                    continue
                if not state.succeeded and not optional:
                    next_result.state = NodeState.SKIPPED
                    gated = result.rejected and node.id in follower.gates
                    why = f"held back by {node.id}" if gated else f"{node.id} did not succeed"
                    next_result.error = why
                    pending.append((follower, NodeState.SKIPPED))
                    continue
                self._waiting_for[follower.id] -= 1
                if not self._waiting_for[follower.id]:
                    heapq.heappush(self._ready, self._position[follower.id])

    def _patience(self) -> float | None:
        """Return how long to wait at most: until the next retry is due."""
        if self._retries and self._executor.has_room():
            return max(0.0, self._retries[0][0] - time.monotonic())
        return None

    def _cancel(self, reason: str) -> None:
        """End what runs, and record it; what completes in the meantime is published."""
        for attempt, _ in self._running.values():
            self._executor.kill(attempt, reason)
        deadline = time.monotonic() + _GRACE_SECONDS
        while self._running and not self._stop.urgent and time.monotonic() < deadline:
            for finished in self._executor.wait(0.2):
                self._finished(finished)
        if self._running:
            self._executor.close()
        for attempt, _ in list(self._running.values()):
            self._cancel_attempt(attempt, reason)
        for result in self.results.values():
            if not result.state.ended:
                result.state, result.error = NodeState.CANCELED, reason
                self._progress.changed(result)

    def _cancel_attempt(self, attempt: Attempt, reason: str) -> None:
        self._running.pop(attempt.execution_id, None)
        if not self._stop.lost:
            self._launcher.cancel(attempt, reason)
        result = self.results[attempt.node.id]
        result.state, result.error = NodeState.CANCELED, reason
        self._progress.changed(result)
