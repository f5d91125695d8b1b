"""How the pods of a node with several replicas are made: plain data, which travels to the node's pod."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, Self

Kind = Literal["job", "trainjob"]


@dataclasses.dataclass(frozen=True, slots=True)
class PodRequest:
    """How the pods of a node's processes are made.

    Attributes:
        kind: "job" is an Indexed Job of Kubernetes, "trainjob" a TrainJob of Kubeflow Trainer.
        queue: Kueue's local queue that admits them, or None.
        wait_seconds: How long is waited until all pods run, from admission on.
        requests: Kubernetes' resources of each pod, such as `{"cpu": "4", "memory": "16Gi"}`.
        accelerators: Kubernetes' resources of each pod that computes, such as `{"nvidia.com/gpu": "1"}`.
        node_selector: Labels of the machines of pods that compute.
        tpu: Whether the accelerators are hosts of one TPU slice.
    """

    kind: Kind = "job"
    queue: str | None = None
    wait_seconds: float = 900.0
    requests: Mapping[str, str] = dataclasses.field(default_factory=dict)
    accelerators: Mapping[str, str] = dataclasses.field(default_factory=dict)
    node_selector: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tpu: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, from which `from_json` makes equal settings."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the settings of which `to_json` made `value`."""
        return cls(**value)
