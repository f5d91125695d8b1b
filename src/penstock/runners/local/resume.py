"""What a run can take over from its earlier session."""

from __future__ import annotations

import json
from collections.abc import Iterator

from penstock.graph import Graph
from penstock.launch.cache_key import CacheKeys
from penstock.launch.recovery import intact, outside_changed
from penstock.launch.spread_run import is_spread
from penstock.runners.result import NodeResult, NodeState
from penstock.store import MetadataStore, RunRecord, StoreError


class NotResumable(StoreError):
    """A run's record does not hold what going on with it needs."""


def graph_of(run: RunRecord) -> Graph:
    """Return the graph of a run, its runtime parameters not bound.

    Raises:
        NotResumable: If the store does not hold it.
    """
    if is_spread(run):
        raise NotResumable(
            f"The nodes of run {run.run_id} ran in containers of a cluster, and their runner goes on with "
            "it: choose Retry on the run's page in Kubeflow. What is complete does not run again."
        )
    if not run.graph_json:
        raise NotResumable(
            f"The store holds no graph of run {run.run_id}, so it cannot be resumed. Run its "
            "pipeline again: cached results are reused."
        )
    return Graph.from_json(json.loads(run.graph_json))


def adopted(
    store: MetadataStore, graph: Graph, run_id: str, keys: CacheKeys
) -> Iterator[NodeResult]:
    """Yield results of the nodes that are done: published, still there and unchanged.

    A node is not done any more if an outside file that it read has changed, nor are those after it.

    Args:
        store: The metadata store.
        graph: The run's graph.
        run_id: The run.
        keys: Digests outside files.
    """
    published = store.run_outputs(run_id)
    good = {
        str(record.node_id): record
        for record in store.run_executions(run_id)
        if record.state.name in (NodeState.COMPLETE, NodeState.CACHED)
    }
    for node in graph.nodes:
        record = good.get(node.id)
        if record is None:
            continue
        if not all(upstream in good for upstream in node.upstream):
            del good[node.id]
            continue
        outputs = published.get(node.id, {})
        if not intact(outputs) or outside_changed(node, record, keys, outputs):
            del good[node.id]
            continue
        yield NodeResult(
            node.id,
            state=NodeState(record.state.name),
            seconds=record.usage.wall_seconds or 0.0,
            attempts=record.attempt,
            execution_id=record.id,
            log_path=record.log_path,
            outputs=outputs,
            metrics=record.metrics,
            verdict=record.verdict,
            kept=True,
        )
