"""Checks of resolvers that would find this run's own outputs as a baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from penstock.checks.finding import Finding
from penstock.dsl.resolver import OTHER_THAN
from penstock.graph import Edge, Graph, GraphNode


def check_baselines(node: GraphNode, graph: Graph, place: str) -> Iterator[Finding]:
    """Yield a warning for each baseline of a node that is its own input when the run is repeated.

    Args:
        node: A node that compares: one of its inputs is named `baseline...`.
        graph: The graph.
        place: Where the node is created.
    """
    baselines = {key: edges for key, edges in node.inputs.items() if key.startswith("baseline")}
    if not baselines:
        return
    nodes = {each.id: each for each in graph.nodes}
    for edges in baselines.values():
        for edge in edges:
            resolver = nodes.get(edge.producer)
            if resolver is None or resolver.kind != "resolver" or OTHER_THAN in resolver.inputs:
                continue
            wanted = resolver.outputs[edge.key].type_name
            for made in _made_inputs(node, nodes):
                if nodes[made.producer].outputs[made.key].type_name == wanted:
                    yield Finding(
                        "warning",
                        place,
                        f"{resolver.id} finds the newest {wanted}, so a repeated run compares what "
                        f"it makes with itself. Write Resolver(..., other_than="
                        f"{made.producer}.outputs[{made.key!r}]).",
                        node.id,
                    )


def _made_inputs(node: GraphNode, nodes: Mapping[str, GraphNode]) -> Iterator[Edge]:
    """Yield what a node reads of components of the graph."""
    for edges in node.inputs.values():
        for edge in edges:
            if edge.producer in nodes and nodes[edge.producer].kind == "component":
                yield edge
