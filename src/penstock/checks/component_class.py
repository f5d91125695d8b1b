"""Whether a node's component can run at all, and with the resources that the node is given."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.checks.finding import Finding
from penstock.dsl.component import Component
from penstock.dsl.exceptions import DefinitionError
from penstock.dsl.references import resolve
from penstock.dsl.values import decode
from penstock.graph import GraphNode
from penstock.graph.binding import unbound


def check_component_class(node: GraphNode, place: str) -> Iterator[Finding]:
    """Yield the problem of a component class without `run`; such a class can be drawn and compiled."""
    if not node.component:
        return
    component: type[Component] = resolve(node.component)
    if component.run is Component.run:
        message = f"{node.id}: the class {component.__name__} does not define run(self, context)"
        yield Finding("error", place, message, node.id)


def check_component_resources(node: GraphNode, place: str) -> Iterator[Finding]:
    """Yield what a component says against the resources of its node, where all of it is known."""
    if not node.component or unbound(node.parameters) or unbound(node.resources):
        return
    component: type[Component] = resolve(node.component)
    if any(key in node.inputs for key in component.interface().parameters):
        return
    try:
        resources = node.bound_resources
    except DefinitionError:
        # Said with the other resources.
        return
    parameters = decode(dict(node.parameters), import_functions=False)
    try:
        component.bind(inputs={}, outputs={}, parameters=parameters, check=False).check_resources(
            resources
        )
    except ValueError as error:
        yield Finding("error", place, f"{node.id}: {error}", node.id)
