"""Nodes as tasks of a Kubeflow pipeline."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from penstock.dsl.resources import Resources
from penstock.graph import Graph, GraphNode
from penstock.runners.kubeflow.caching import is_cached, looks_outside
from penstock.runners.kubeflow.config import KubeflowConfig
from penstock.runners.kubeflow.container.shown import shown_outputs
from penstock.runners.kubeflow.container.sources import SOURCES, sources_name
from penstock.runners.kubeflow.container.task import (
    PIPELINE_ROOT,
    RUN_ID,
    ContainerTask,
    artifact_inputs,
    parameter_input,
)
from penstock.runners.kubeflow.pods import image_of, pod_of, set_pod
from penstock.runners.kubeflow.resources import (
    is_replicated,
    parameters_of,
    set_resources,
    told_as_text,
)

_SYSTEM_TYPES = {
    "Examples": "system.Dataset",
    "ExampleStatistics": "system.Dataset",
    "InferenceResult": "system.Dataset",
    "Model": "system.Model",
    "PushedModel": "system.Model",
}
"""Kubeflow's SDK knows only its own types; TFX's stands in the metadata."""

_PARAMETER_TYPES = {int: "Integer", float: "Float", str: "String", bool: "Boolean"}


_SOURCES_RETRIES = 2
"""Nothing is lost when a task that only looks is tried again."""


def add_task(
    graph: Graph,
    node: GraphNode,
    resources: Resources,
    config: KubeflowConfig,
    parameters: Mapping[str, Any],
    tasks: Mapping[str, Any],
) -> Any:
    """Add a node's task to the Kubeflow pipeline that is being defined, and return it.

    Args:
        graph: The pipeline.
        node: The node.
        resources: What it asks of its machine, without runtime parameters.
        config: How it is compiled.
        parameters: The Kubeflow pipeline's parameters by name.
        tasks: Tasks of the nodes before it.
    """
    from kfp import dsl

    told = ContainerTask.of(
        graph,
        node,
        recorded=config.store is not None,
        archive=config.project_archive,
        seed=config.seed,
        deterministic=config.deterministic,
        replicas=config.replicas.to_json() if is_replicated(node.resources) else None,
    )
    arguments: dict[str, Any] = {PIPELINE_ROOT: parameters["pipeline_root"]}
    types: dict[str, str] = {PIPELINE_ROOT: "String"}
    if config.store is not None:
        arguments[RUN_ID] = dsl.PIPELINE_JOB_ID_PLACEHOLDER
        types[RUN_ID] = "String"
    as_text = told_as_text(graph)
    for name, parameter in told.graph.parameters.items():
        arguments[parameter_input(name)] = parameters[name]
        kind = str if name in as_text else parameter.ptype
        types[parameter_input(name)] = _PARAMETER_TYPES[kind]
    for name, edge in artifact_inputs(node).items():
        arguments[name] = tasks[edge.producer].outputs[edge.key]
        types[name] = _system_type(graph[edge.producer], edge.key)
    outputs = {key: _system_type(node, key) for key in node.outputs}
    if config.pages:
        outputs |= {name: f"{kind}@0.0.1" for name, kind in shown_outputs(node).items()}
    image = image_of(node, config)
    named = image if isinstance(image, str) else ""
    if is_cached(graph, node, config) and looks_outside(node):
        looking = _add_sources(node, told, config, parameters, arguments, types)
        before = [tasks[each] for each in node.upstream if each in tasks]
        if before:
            looking.after(*before)  # one of them may write what the node reads
        arguments[SOURCES], types[SOURCES] = looking.outputs[SOURCES], "String"
    task = _component(node.id, named, told.to_text(), types, outputs)(**arguments)
    if not named:
        task.set_container_image(parameters[image["$runtime_parameter"]])
    task.set_display_name(node.id)
    read = {edge.producer for edges in node.inputs.values() for edge in edges}
    later = [tasks[each] for each in node.upstream if each in tasks and each not in read]
    if later:
        task.after(*later)
    _set_policy(task, graph, node, config)
    given = {field: parameters[name] for field, name in parameters_of(graph, node).items()}
    set_resources(task, resources, given)
    set_pod(task, pod_of(node, config), config)
    return task


def _add_sources(
    node: GraphNode,
    told: ContainerTask,
    config: KubeflowConfig,
    parameters: Mapping[str, Any],
    arguments: Mapping[str, Any],
    types: Mapping[str, str],
) -> Any:
    """Add the task that looks at what a node reads from outside, and return it.

    Args:
        node: The node.
        told: What the node's container is told.
        config: How the pipeline is compiled.
        parameters: The Kubeflow pipeline's parameters by name.
        arguments: The node's inputs so far.
        types: Their types.
    """
    given = {
        name: each
        for name, each in arguments.items()
        if name == PIPELINE_ROOT or name in map(parameter_input, told.graph.parameters)
    }
    image = image_of(node, config)
    named = image if isinstance(image, str) else ""
    looking = dataclasses.replace(told, looks=True).to_text()
    kinds = {name: types[name] for name in given}
    task = _component(f"{node.id}-{SOURCES}", named, looking, kinds, {SOURCES: "String"})(**given)
    if not named:
        task.set_container_image(parameters[image["$runtime_parameter"]])
    task.set_display_name(sources_name(node.id))
    task.set_caching_options(False)
    task.set_retry(_SOURCES_RETRIES, backoff_duration="10s", backoff_factor=2.0)
    set_pod(task, pod_of(node, config), config)
    return task


def _component(
    name: str, image: str, told: str, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> Any:
    """Return the Kubeflow component of one node."""
    from kfp.dsl import container_component_class, structures

    container = structures.ContainerSpecImplementation(
        image=image,
        command=["python", "-m", "penstock.launch"],
        args=["--executor-input", "{{$}}", "--task", told],
    )
    specification = structures.ComponentSpec(
        name=name,
        implementation=structures.Implementation(container=container),
        inputs={key: structures.InputSpec(type=each) for key, each in inputs.items()} or None,
        outputs={key: structures.OutputSpec(type=each) for key, each in outputs.items()} or None,
    )
    return container_component_class.ContainerComponent(specification, lambda: None)


def _set_policy(task: Any, graph: Graph, node: GraphNode, config: KubeflowConfig) -> None:
    from kfp import kubernetes

    policy = node.policy
    task.set_caching_options(is_cached(graph, node, config))
    if policy.retries:
        # How long it is retried for is set where the pipeline is compiled.
        task.set_retry(
            policy.retries,
            backoff_duration=f"{math.ceil(policy.backoff_seconds)}s",
            backoff_factor=2.0,
        )
    if policy.timeout_seconds is not None:
        kubernetes.set_timeout(task, math.ceil(policy.timeout_seconds))


def _system_type(node: GraphNode, key: str) -> str:
    return f"{_SYSTEM_TYPES.get(node.outputs[key].type_name, 'system.Artifact')}@0.0.1"
