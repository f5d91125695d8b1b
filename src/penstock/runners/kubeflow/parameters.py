"""Runtime parameters as parameters of the Kubeflow pipeline."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

from penstock.dsl.runtime_parameter import RuntimeParameter
from penstock.graph import Graph
from penstock.runners.kubeflow.config import KubeflowConfig
from penstock.runners.kubeflow.container.task import runtime_parameters
from penstock.runners.kubeflow.limits import PIPELINE_ROOT
from penstock.runners.kubeflow.pods import image_of
from penstock.runners.kubeflow.resources import is_replicated, told_as_text


def with_configured(graph: Graph, config: KubeflowConfig) -> Graph:
    """Return the graph with the runtime parameters of the configuration among its own.

    Args:
        graph: The pipeline.
        config: How it is compiled; its image may be a parameter.
    """
    found = {
        each.name: each
        for each in (config.image, config.pod.image)
        if isinstance(each, RuntimeParameter)
    }
    return dataclasses.replace(graph, parameters={**graph.parameters, **found}) if found else graph


def with_defaults(graph: Graph, given: Mapping[str, Any]) -> Graph:
    """Return the graph with the given values as the defaults of its runtime parameters.

    Args:
        graph: The pipeline.
        given: Values by name.

    Raises:
        ParameterError: For an unknown name, or a value that its parameter or component refuses.
    """
    values = _known(graph, given)
    parameters = {
        name: each if name not in values else _renewed(each, values[name])
        for name, each in graph.parameters.items()
    }
    renewed = dataclasses.replace(graph, parameters=parameters)
    # What a component refuses is told here, not in a container.
    renewed.bind_known({})
    return renewed


def _known(graph: Graph, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given values, checked; a parameter may still be without one."""
    needed = {name: each for name, each in graph.parameters.items() if name in given}
    unknown = {name: value for name, value in given.items() if name not in graph.parameters}
    if unknown:
        graph.values(given)  # says which, and the nearest name
    return dataclasses.replace(graph, parameters=needed).values(given)


def _renewed(parameter: Any, default: Any) -> Any:
    kind = type(parameter)
    return kind(parameter.name, parameter.ptype, default, parameter.description)


def selecting(graph: Graph, given: Mapping[str, Any]) -> set[str]:
    """Return the runtime parameters that are none of the Kubeflow pipeline with these values.

    A model of GPU or TPU selects machines by a label, where the name of a resource would not.

    Args:
        graph: The pipeline.
        given: Values by name.
    """
    return told_as_text(graph) - told_as_text(with_defaults(graph, given))


def pipeline_signature(graph: Graph, config: KubeflowConfig) -> inspect.Signature:
    """Return the parameters of the Kubeflow pipeline: name, type and default.

    Those that a pod is made with are texts, whatever they are in Penstock: Kubeflow's driver takes no
    numbers there.

    Args:
        graph: The pipeline.
        config: How it is compiled.
    """
    used = set(graph.parameters) if config.store is not None else set()
    for node in graph.nodes:
        used |= runtime_parameters(node.parameters)
        if is_replicated(node.resources):
            used |= runtime_parameters(node.resources)
        used |= runtime_parameters(image_of(node, config))
    as_text = told_as_text(graph)
    used |= as_text
    root = config.pipeline_root or graph.root
    fields: list[tuple[str, type, Any]] = [
        (PIPELINE_ROOT, str, root if root is not None and config.reaches(root) else None)
    ]
    for name, each in graph.parameters.items():
        if name in as_text and each.default is not None:
            fields.append(
                (name, str, f"{each.default:.12g}" if each.ptype is float else str(each.default))
            )
        elif name in used:
            fields.append((name, str if name in as_text else each.ptype, each.default))
    return inspect.Signature(
        [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if default is None else default,
                annotation=kind,
            )
            for name, kind, default in fields
        ]
    )
