"""Nodes with several replicas: what their own pod asks for, and how it makes the others."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from penstock.dsl.exceptions import ParameterError
from penstock.dsl.resources import Resources
from penstock.pods.request import Kind, PodRequest
from penstock.runners.kubeflow.resources import TPU, accelerator_of
from penstock.spelling import names_its_arguments, nearest

_LAUNCHERS: tuple[Kind, ...] = ("job", "trainjob")


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class ReplicaPods:
    """How the pods of nodes with `Resources(replicas=..., parameter_servers=...)` are made.

    The node's own pod makes them, watches them and removes them. It computes nothing itself.

    Args:
        launcher: "job" makes an Indexed Job of Kubernetes; "trainjob" a TrainJob, where
            Kubeflow Trainer v2 is installed.
        queue: Kueue's local queue by which the pods are admitted; None without Kueue.
        wait_seconds: How long a node waits until all its pods run, once they are admitted.
        cpu: Cores of the node's own pod.
        memory: Memory of the node's own pod; on JAX it also writes the SavedModel.

    Raises:
        ParameterError: If there is no such launcher, or a number is not above 0.

    Example:
        KubeflowConfig(image="...", replicas=ReplicaPods(queue="training", wait_seconds=3600))
    """

    launcher: Kind = "job"
    queue: str | None = None
    wait_seconds: float = 900.0
    cpu: float = 1.0
    memory: str = "4Gi"

    def __post_init__(self) -> None:
        if self.launcher not in _LAUNCHERS:
            raise ParameterError(
                f"ReplicaPods.launcher is one of {list(_LAUNCHERS)}. Received: {self.launcher!r}."
                f"{nearest(str(self.launcher), _LAUNCHERS)}"
            )
        if not self.wait_seconds > 0:
            raise ParameterError(
                f"ReplicaPods.wait_seconds is a number above 0. Received: {self.wait_seconds!r}"
            )
        self.own_pod()

    def own_pod(self) -> Resources:
        """Return what the node's own pod asks for: no accelerator."""
        return Resources(cpu=self.cpu, memory=self.memory)

    def to_json(self) -> dict[str, Any]:
        """Return what the node's own pod is told."""
        return {
            "kind": self.launcher,
            "queue": self.queue,
            "wait_seconds": float(self.wait_seconds),
        }


def pod_request(resources: Resources, told: Mapping[str, Any]) -> PodRequest:
    """Return how the pods of a node are made.

    Args:
        resources: Those of the node, bound.
        told: What `ReplicaPods.to_json` returned.

    Raises:
        ParameterError: If the accelerator is unknown on Kubeflow.
    """
    name, labels = accelerator_of(resources)
    return PodRequest(
        **told,
        requests=_requests(resources),
        accelerators={name: str(resources.accelerator_count)} if name else {},
        node_selector=labels,
        tpu=name == TPU,
    )


def _requests(resources: Resources) -> dict[str, str]:
    requests: dict[str, str] = {}
    if resources.cpu is not None:
        requests["cpu"] = f"{math.ceil(resources.cpu * 1000)}m"
    if resources.memory is not None:
        size = resources.memory
        requests["memory"] = size if "." not in size else str(resources.memory_bytes)
    return requests
