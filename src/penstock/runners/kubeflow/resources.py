"""`Resources` as requests, limits, accelerators and node selectors of a Kubeflow task."""

from __future__ import annotations

import math
from typing import Any

from penstock.dsl.exceptions import ParameterError
from penstock.dsl.resources import Resources

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


def set_resources(task: Any, resources: Resources, memory: Any) -> None:
    """Give a `kfp.dsl.PipelineTask` the resources that a node asks for.

    Requests and limits are equal, so that what a node was promised it also gets.

    Args:
        task: The task.
        resources: Without runtime parameters.
        memory: The pipeline's parameter that holds the memory, or None.
    """
    from kfp import kubernetes

    if resources.cpu is not None:
        cpu = f"{math.ceil(resources.cpu * 1000)}m"
        task.set_cpu_request(cpu).set_cpu_limit(cpu)
    if memory is not None:
        task.set_memory_request(memory).set_memory_limit(memory)
    elif resources.memory is not None:
        size = resources.memory if "." not in resources.memory else str(resources.memory_bytes)
        task.set_memory_request(size).set_memory_limit(size)
    name, labels = accelerator_of(resources)
    if name is not None:
        task.set_accelerator_type(name).set_accelerator_limit(resources.accelerator_count)
    for label, value in labels.items():
        kubernetes.add_node_selector(task, label_key=label, label_value=value)
