"""Whether a node's component can run at all."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.checks.finding import Finding
from penstock.dsl.component import Component
from penstock.dsl.references import resolve
from penstock.graph import GraphNode


def check_component_class(node: GraphNode, place: str) -> Iterator[Finding]:
    """Yield the problem of a component class without `run`; such a class can be drawn and compiled."""
    if not node.component:
        return
    component: type[Component] = resolve(node.component)
    if component.run is Component.run:
        message = f"{node.id}: the class {component.__name__} does not define run(self, context)"
        yield Finding("error", place, message, node.id)
