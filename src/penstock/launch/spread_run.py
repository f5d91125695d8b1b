"""Runs whose nodes are spread over containers: no process owns them, so their state is worked out.

Each container writes what became of its node, and then what that makes of the run. The run's lease is
kept by every container while it works, and outlasts it: the next container may have to wait for a
machine. A run whose lease has expired counts as dead, until one of its containers is heard of again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from penstock.graph import Graph
from penstock.store import (
    ExecutionRecord,
    ExecutionState,
    MetadataStore,
    RecordNotFound,
    RunRecord,
    RunState,
    StoreError,
)

WAIT_SECONDS = 3600.0
"""How long a run counts as running after a container of it was last heard of."""

_GOOD = (ExecutionState.COMPLETE, ExecutionState.CACHED)
_RUNNER = "runner"


class RunStopped(StoreError):
    """A run was asked to stop, so no node of it begins any more."""


def is_spread(run: RunRecord) -> bool:
    """Return whether the nodes of a run are in containers of their own."""
    return run.labels.get(_RUNNER) is not None


def join(store: MetadataStore, run: RunRecord) -> None:
    """Write a run if this is its first container, else make it RUNNING again if it had ended.

    The graph may come with a later container than the first: only one of them brings it.

    Args:
        store: The metadata store.
        run: What is known of the run.

    Raises:
        RunStopped: If somebody asked the run to stop.
    """

    def write() -> None:
        store.hold(run.run_id, WAIT_SECONDS)
        if not store.lock_run(run.run_id):
            store.create_run(run)

    try:
        store.atomically(write)
    except StoreError:
        store.require_run(run.run_id)  # another container was first
        store.hold(run.run_id, WAIT_SECONDS)
    if run.graph_json:
        store.keep_graph(run.graph_digest, run.graph_json)
    if store.is_stop_requested(run.run_id):
        raise RunStopped(
            f"run {run.run_id} was stopped by `penstock stop`: no node of it begins any more. "
            "Start a new run; what is complete is found in the cache."
        )
    store.set_run_state(run.run_id, RunState.RUNNING)


def settle(store: MetadataStore, run_id: str) -> RunState:
    """Write what a run's executions make of it, and return that.

    Containers that end at once wait for one another, so the last of them sees what all have written.

    Args:
        store: The metadata store.
        run_id: The run.

    Raises:
        RecordNotFound: If there is no such run.
    """

    def write() -> RunState:
        if not store.lock_run(run_id):
            raise RecordNotFound(f"There is no run {run_id!r} in the store {store.location}.")
        state, error = _state(store, store.get_run(run_id))
        store.set_run_state(run_id, state, error)
        if state is RunState.RUNNING:
            store.hold(run_id, WAIT_SECONDS)
        return state

    return store.atomically(write)


def current_state(store: MetadataStore, run: RunRecord) -> RunState:
    """Return what a run's executions make of it now, without writing it.

    Args:
        store: The metadata store.
        run: The run, RUNNING and with its graph.
    """
    return _state(store, run)[0]


def live_executions(store: MetadataStore) -> set[int]:
    """Return the executions that a live process works on."""
    return {
        execution_id
        for lease, of in store.unfinished_executions().items()
        if store.is_held(lease)
        for execution_id in of
    }


def attempts_at(store: MetadataStore, run_id: str, node_id: str) -> list[ExecutionRecord]:
    """Return the attempts at a node of a run, the last one last."""
    return [each for each in store.run_executions(run_id) if each.node_id == node_id]


def state_of(
    graph: Graph,
    executions: Sequence[ExecutionRecord],
    alive: Collection[int],
    *,
    stopped: bool = False,
) -> tuple[RunState, str | None]:
    """Return what its executions make of a run, and the reason if it did not complete.

    It is RUNNING while a container works on a node, and while a node may still begin or be tried again.
    A node that has failed for good ends the run as soon as nothing runs: Kubeflow starts no further node.

    Args:
        graph: The run's graph.
        executions: All its attempts, in order.
        alive: Executions that a live process works on.
        stopped: Whether somebody asked the run to stop.
    """
    last = {str(each.node_id): each for each in executions}
    if any(each.state is ExecutionState.RUNNING and each.id in alive for each in last.values()):
        return RunState.RUNNING, None
    if stopped:
        return RunState.CANCELED, "stopped by `penstock stop`"
    waits = False
    for node in graph.nodes:
        of = last.get(node.id)
        if of is None or (of.state not in _GOOD and of.attempt <= node.policy.retries):
            waits = True
        elif of.state is ExecutionState.CANCELED:
            return RunState.CANCELED, f"{node.id}: {of.error}"
        elif of.state not in _GOOD:
            return RunState.FAILED, f"{node.id}: {of.error or 'its container is gone'}"
    return (RunState.RUNNING if waits else RunState.COMPLETE), None


def _state(store: MetadataStore, run: RunRecord) -> tuple[RunState, str | None]:
    if not run.graph_json:
        return RunState.RUNNING, None  # what else is to run is not known
    graph = Graph.from_json(json.loads(run.graph_json))
    return state_of(
        graph,
        store.run_executions(run.run_id),
        live_executions(store),
        stopped=run.stop_requested,
    )
