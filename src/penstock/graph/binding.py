"""Giving runtime parameters their values, and checking the components again with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from penstock.dsl.channel import Channel
from penstock.dsl.component import Component
from penstock.dsl.exceptions import ParameterError
from penstock.dsl.node import Node
from penstock.dsl.pod import PodSettings
from penstock.dsl.references import resolve
from penstock.dsl.resources import Resources
from penstock.dsl.values import decode, encode
from penstock.graph.node import GraphNode


def bind_node(node: GraphNode, values: Mapping[str, Any]) -> GraphNode:
    """Return a node with its runtime parameters replaced by values.

    Its component's `check` is called with them, as it was with their defaults when it was defined.

    Args:
        node: The node.
        values: A value for each runtime parameter.

    Raises:
        ParameterError: If the component, `Resources` or `PodSettings` refuse a value.
    """
    resources = _substitute(node.resources, values)
    parameters = _substitute(node.parameters, values)
    pod = _substitute(node.pod, values)
    try:
        Resources(**resources)
        PodSettings.from_json(pod)
    except ParameterError as error:
        raise ParameterError(f"{node.id}: {error}") from None
    bound = dataclasses.replace(node, parameters=parameters, resources=resources, pod=pod)
    return bound if parameters == node.parameters else _checked(bound)


def unbound(value: Any) -> set[str]:
    """Return the names of the runtime parameters in an encoded value that have no value yet."""
    if isinstance(value, Mapping):
        if "$runtime_parameter" in value:
            return {value["$runtime_parameter"]}
        return set().union(*map(unbound, value.values()))
    return set().union(*map(unbound, value)) if isinstance(value, list) else set()


def _checked(node: GraphNode) -> GraphNode:
    if not node.component:
        return node
    component_class: type[Component] = resolve(node.component)
    interface = component_class.interface()
    if any(key in node.inputs for key in interface.parameters):
        # What another component writes is not known yet: it is checked where the component runs.
        return node
    inputs: dict[str, Any] = {
        key: [Channel(Node(edge.producer), edge.key, interface.inputs[key].type) for edge in edges]
        for key, edges in node.inputs.items()
    }
    try:
        # Dataclasses check their fields when they are made.
        parameters = decode(dict(node.parameters), import_functions=False)
        component = component_class.bind(
            inputs=inputs, outputs={}, parameters=parameters, check=False
        ).with_id(node.id)
        component.check()
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{node.id}: {error}") from error
    checked = {key: encode(value) for key, value in component.parameters.items()}
    return dataclasses.replace(
        node,
        parameters=checked,
        libraries=tuple(component.keyed_libraries()),
        uses_tensorflow=component.runs_tensorflow(),
    )


def _substitute(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        if "$runtime_parameter" in value:
            return values[value["$runtime_parameter"]]
        return {key: _substitute(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [_substitute(each, values) for each in value]
    return value
