"""Recovery from dead processes: cleaning up after them, and what of a run can be reused."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence

from penstock.artifacts import Artifact, layout, location
from penstock.artifacts.fingerprint import fingerprint
from penstock.graph import GraphNode
from penstock.launch import spread_run
from penstock.launch.cache_key import CacheKeys
from penstock.launch.resolution import Outputs, as_declared
from penstock.launch.staging import staged_folder
from penstock.store import (
    ExecutionRecord,
    ExecutionState,
    LeaseHeld,
    MetadataStore,
    RunRecord,
    RunState,
)


def recover(store: MetadataStore) -> list[str]:
    """Remove what dead processes left half-done, and record their executions and runs as FAILED.

    The folders go before the rows change: whoever dies on the way leaves the rest to the next start.

    Args:
        store: The metadata store.

    Returns:
        The leases that were taken over; a run's bears its id.
    """
    runs: dict[str, RunRecord] = {}
    for name, execution_ids in store.unfinished_executions().items():
        if store.is_held(name):
            continue
        with contextlib.suppress(LeaseHeld), store.acquire_lease(name):
            for execution in store.get_executions(execution_ids):
                if execution.state is ExecutionState.RUNNING and execution.run_id is not None:
                    if execution.run_id not in runs:
                        runs[execution.run_id] = store.get_run(execution.run_id)
                    _sweep(execution, runs[execution.run_id])
    taken = store.take_over_dead()
    for run_id, run in runs.items():
        # The state of a run that no process owns follows from those of its nodes.
        if spread_run.is_spread(run) and run.state is RunState.RUNNING and run_id not in taken:
            spread_run.settle(store, run_id)
    return taken


def _sweep(execution: ExecutionRecord, run: RunRecord) -> None:
    """Remove the folders of an execution that nobody will publish; its log is kept."""
    nodes = {node["id"]: node for node in json.loads(run.graph_json or '{"nodes": []}')["nodes"]}
    for key in nodes.get(execution.node_id or "", {}).get("outputs", {}):
        # A root may be out of reach from here, as a cluster's bucket from a laptop.
        with contextlib.suppress(Exception):
            location.remove(
                layout.output_folder(run.root, str(execution.node_id), key, execution.id)
            )
    if execution.log_path:
        scratch = os.path.join(os.path.dirname(execution.log_path), layout.SCRATCH)
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(staged_folder(scratch), ignore_errors=True)


def outside_changed(
    node: GraphNode, execution: ExecutionRecord, keys: CacheKeys, outputs: Outputs
) -> bool:
    """Return whether what an execution read outside of the store is another one by now.

    Args:
        node: The node.
        execution: Its execution.
        keys: Digests outside files.
        outputs: What it wrote.
    """
    if node.kind != "component":
        return False
    known = execution.key_parts.get("external")
    try:
        if known is not None and keys.external(node) != known:
            return True
        return not keys.is_current(node, as_declared(node, outputs))
    except (OSError, ValueError):
        return True  # the node says what is wrong when it is tried


def idle_since(store: MetadataStore, run: RunRecord) -> float | None:
    """Return when a killed run did its last work, in Unix seconds; None for one that has ended.

    Ask before `recover`, which writes down an end of its own.
    """
    if run.finished is not None:
        return None
    times = [
        time for each in store.run_executions(run.run_id) for time in (each.started, each.finished)
    ]
    return max((time for time in times if time is not None), default=run.started)


def intact(outputs: Mapping[str, Sequence[Artifact]]) -> bool:
    """Return whether artifacts lie where they were published, with the content that they had."""
    return all(_is_intact(artifact) for artifact in _each(outputs))


def _is_intact(artifact: Artifact) -> bool:
    if not location.exists(artifact.uri):
        return False
    return artifact.fingerprint is None or fingerprint(artifact.uri)[0] == artifact.fingerprint


def _each(outputs: Mapping[str, Sequence[Artifact]]) -> Iterable[Artifact]:
    return (artifact for artifacts in outputs.values() for artifact in artifacts)
