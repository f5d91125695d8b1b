"""`Resources` as requests, limits, accelerators and node selectors of a Kubeflow task."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from penstock.dsl.exceptions import ParameterError
from penstock.dsl.resources import Resources
from penstock.graph import Graph, GraphNode

NVIDIA, TPU = "nvidia.com/gpu", "google.com/tpu"
_GPU_LABEL = "cloud.google.com/gke-accelerator"
_TPU_LABEL = "cloud.google.com/gke-tpu-accelerator"
_TOPOLOGY_LABEL = "cloud.google.com/gke-tpu-topology"
_TPU_SLICES = {
    "tpu-v3": "tpu-v3-slice",
    "tpu-v4": "tpu-v4-podslice",
    "tpu-v5e": "tpu-v5-lite-podslice",
    "tpu-v5p": "tpu-v5p-slice",
    "tpu-v6e": "tpu-v6e-slice",
}
"""Google Kubernetes Engine's labels of TPU nodes ("About TPUs in GKE", 2026)."""

_ONE_PROCESS = {"replicas": 1, "parameter_servers": 0}


def accelerator_of(resources: Resources) -> tuple[str | None, dict[str, str]]:
    """Return (name of the Kubernetes resource, labels of the nodes that have it).

    A name with a slash is a resource's own (`nvidia.com/gpu`, `amd.com/gpu`) and asks for no label; a
    model of GPU (`nvidia-l4`) or TPU (`tpu-v5e`) is one by the labels of Google Kubernetes Engine.

    Raises:
        ParameterError: For a name that is none of these.

    Example:
        >>> accelerator_of(Resources(accelerator="nvidia-l4"))
        ('nvidia.com/gpu', {'cloud.google.com/gke-accelerator': 'nvidia-l4'})
    """
    name = resources.accelerator
    labels: dict[str, str] = {}
    if not name or not resources.accelerator_count:
        return None, {}
    if "/" in name:
        resource = name
    elif name in _TPU_SLICES or name in _TPU_SLICES.values():
        resource = TPU
        labels[_TPU_LABEL] = _TPU_SLICES.get(name, name)
    elif name.startswith("nvidia-"):
        resource = NVIDIA
        labels[_GPU_LABEL] = name
    else:
        raise ParameterError(
            f"Resources.accelerator={name!r} is unknown on Kubeflow. It takes a Kubernetes resource "
            f"('nvidia.com/gpu', 'google.com/tpu'), a GPU ('nvidia-l4') or one of "
            f"{', '.join(sorted(_TPU_SLICES))}."
        )
    if resource == TPU and resources.topology:
        labels[_TOPOLOGY_LABEL] = resources.topology
    return resource, labels


def is_replicated(resources: Mapping[str, Any]) -> bool:
    """Return whether a node's resources, as its graph has them, ask for several processes."""
    return any(resources.get(name, one) != one for name, one in _ONE_PROCESS.items())


def parameters_of(graph: Graph, node: GraphNode) -> dict[str, str]:
    """Return the fields of a node's resources that stay parameters of the Kubeflow pipeline.

    The others are compiled in with the parameter's default: a topology is a label, and so is a model of
    GPU or TPU, and labels cannot be changed when a run is created.

    Args:
        graph: The pipeline, which knows the defaults.
        node: The node.

    Returns:
        Field to name of the runtime parameter. There is none of a node with several replicas: what it asks
        for is not asked by its own pod.
    """
    if is_replicated(node.resources):
        return {}
    found = {
        field: value["$runtime_parameter"]
        for field, value in node.resources.items()
        if isinstance(value, Mapping) and field in ("cpu", "memory", "accelerator_count")
    }
    accelerator = node.resources.get("accelerator")
    if isinstance(accelerator, Mapping):
        name = accelerator["$runtime_parameter"]
        default = graph.parameters[name].default
        if default == "" or "/" in (default or ""):
            found["accelerator"] = name
    return found


def told_as_text(graph: Graph) -> set[str]:
    """Return the runtime parameters that Kubeflow must take as text, because a pod is made with them."""
    return {name for node in graph.nodes for name in parameters_of(graph, node).values()}


def set_resources(task: Any, resources: Resources, given: Mapping[str, Any]) -> None:
    """Give a `kfp.dsl.PipelineTask` the resources that a node asks for.

    Requests and limits are equal, so that what a node was promised it also gets.

    Args:
        task: The task.
        resources: Without runtime parameters.
        given: The pipeline's parameters, by the field that they stand for.
    """
    from kfp import kubernetes

    cpu = given.get("cpu")
    if cpu is None and resources.cpu is not None:
        cpu = f"{math.ceil(resources.cpu * 1000)}m"
    if cpu is not None:
        task.set_cpu_request(cpu).set_cpu_limit(cpu)
    memory = given.get("memory")
    if memory is None and resources.memory is not None:
        memory = resources.memory if "." not in resources.memory else str(resources.memory_bytes)
    if memory is not None:
        task.set_memory_request(memory).set_memory_limit(memory)
    count = given.get("accelerator_count")
    if count is not None:
        resources = dataclasses.replace(resources, accelerator_count=1)
    name, labels = accelerator_of(resources)
    accelerator = given.get("accelerator", name)
    if accelerator is not None:
        task.set_accelerator_type(accelerator)
        task.set_accelerator_limit(resources.accelerator_count if count is None else count)
    for label, value in labels.items():
        kubernetes.add_node_selector(task, label_key=label, label_value=value)


def slice_problem(resources: Resources) -> str | None:
    """Return why a TPU slice cannot be given to a node's pods, or None if it can.

    A slice of several hosts is one pod for each of them, and each takes all chips of its host ("About TPUs
    in GKE"). One pod of several would wait for the others for ever.

    Example:
        >>> slice_problem(Resources(accelerator="tpu-v5e", accelerator_count=4, topology="4x4"))
        'a slice of 4x4 has 16 chips, and 1 pod of 4 takes 4. Set replicas=4.'
    """
    try:
        name, _ = accelerator_of(resources)
    except ParameterError:
        return None
    if name != TPU or not resources.topology:
        return None
    sides = resources.topology.split("x")
    if len(sides) < 2 or not all(each.isdigit() and int(each) for each in sides):
        return "a topology is the sides of a slice, such as '2x4' or '4x4x4'."
    chips = math.prod(map(int, sides))
    taken = resources.accelerators_in_all
    if chips == taken:
        return None
    pods, each = resources.replicas, resources.accelerator_count
    counted_pods = "1 pod" if pods == 1 else f"{pods} pods"
    advice = (
        f"Set replicas={chips // each}."
        if chips % each == 0 and chips > each
        else f"Set accelerator_count={chips} if one machine has them all."
    )
    return (
        f"a slice of {resources.topology} has {chips} chips, and {counted_pods} of {each} "
        f"{'takes' if pods == 1 else 'take'} {taken}. {advice}"
    )
