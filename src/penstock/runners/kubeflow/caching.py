"""Which nodes Kubeflow's own cache may skip."""

from __future__ import annotations

from typing import Any

from penstock.dsl.component import Component
from penstock.dsl.references import resolve
from penstock.dsl.values import decode
from penstock.graph import Graph, GraphNode
from penstock.runners.kubeflow.config import KubeflowConfig


def is_cached(graph: Graph, node: GraphNode, config: KubeflowConfig) -> bool:
    """Return whether Kubeflow's cache may skip a node: not one that a store is to hear of.

    Args:
        graph: The pipeline.
        node: The node.
        config: How it is compiled.
    """
    if not graph.enable_cache or not node.policy.cache or config.store is not None:
        return False
    if node.kind == "importer":
        return node.parameters.get("reimport") is False
    # Without a store a resolver finds nothing, always.
    return node.kind == "resolver" or _may_be_current(node)


def looks_outside(node: GraphNode) -> bool:
    """Return whether a node reads what no task of the pipeline wrote."""
    if node.kind != "component":
        return node.kind == "importer"
    if "external_path" in node.special.values():
        return True
    component_class: type[Component] = resolve(node.component)
    return component_class.external_files is not Component.external_files


def _may_be_current(node: GraphNode) -> bool:
    """Return whether an earlier result may hold; a query that is asked anew each time never does."""
    component_class: type[Component] = resolve(node.component)
    if component_class.is_current is Component.is_current:
        return True
    parameters: dict[str, Any] = decode(dict(node.parameters), import_functions=False)
    component = component_class.bind(inputs={}, outputs={}, parameters=parameters, check=False)
    try:
        return component.is_current({}, str)
    except LookupError:
        return True  # it depends on what was written, which Kubeflow does not show
