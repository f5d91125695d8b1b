"""Gates that are not part of the graph that runs: what they rejected when they last looked at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penstock.artifacts import Artifact
from penstock.graph import Graph, GraphNode
from penstock.store import MetadataStore


def held_back(
    node: GraphNode, graph: Graph, inputs: Mapping[str, Sequence[Artifact]], store: MetadataStore
) -> str:
    """Return why a gate outside of the graph holds a node back; empty if none does.

    A gate of the graph has passed before the node begins, or need not have (`success_optional`).

    Args:
        node: The node.
        graph: What runs: a part of the pipeline, or one node in a container.
        inputs: What the node would read.
        store: The metadata store.
    """
    if not node.gates:
        return ""
    inside = {each.id for each in graph.nodes}
    outside = [each for each in node.gates if each not in inside]
    if not outside:
        return ""
    ids = [each.id for of in inputs.values() for each in of if each.id is not None]
    for rejection in store.rejections(ids):
        if rejection.node_id in outside:
            execution = store.get_execution(rejection.execution_id)
            said = execution.verdict.text if execution.verdict else execution.error
            return (
                f"{node.id} is held back: {rejection.node_id} rejected what it reads (artifact "
                f"{rejection.artifact_id}) in run {execution.run_id}: {said}. Correct that and run "
                f"{rejection.node_id} again, or set wait_for_gates=False in the policy of {node.id}."
            )
    return ""
