"""The members of a group: their names, what each finds in its environment and in its `FnArgs`."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from penstock import machine
from penstock.io.processes.hosts import Place
from penstock.visible_devices import visibility

Role = Literal["trains", "serves"]

_QUIET = {
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "1",
    "GRPC_VERBOSITY": "ERROR",
    "ABSL_MIN_LOG_LEVEL": "1",
}
"""What keeps imports quiet and the order of sets the same; the user's own setting wins."""

_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
"""Threads of one operation. Those between operations also wait for other processes: with one of them
TensorFlow's parameter servers come to a standstill."""


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One process of a group.

    Attributes:
        name: As it is called in logs: "chief", "worker 1", "ps 0", or the backend of one that is alone.
        role: Whether it calls `run_fn`, or serves one that does (parameter servers and their workers).
        job: Its job in TensorFlow's cluster: "chief", "worker" or "ps"; empty without one.
        index: Its number among those of its job, from 0.
        fields: The fields of `FnArgs` that are its own.
        environment: Variables that it has besides those of the attempt's process.
        address: Where it listens itself; empty if the others do not come to it.
        waits_for: Addresses that must be there before it can begin, by whose they are.
        is_spare: Whether it can be started again while the others go on.
    """

    name: str
    role: Role = "trains"
    job: str = ""
    index: int = 0
    fields: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    waits_for: Mapping[str, str] = field(default_factory=dict)
    is_spare: bool = False

    @property
    def is_chief(self) -> bool:
        """Whether it writes the model."""
        return bool(self.fields.get("is_chief", True)) and self.role == "trains"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a group is made of.

    Attributes:
        distribution: As declared.
        backend: Keras's.
        replicas: Processes that compute.
        parameter_servers: Processes that hold parameters.
        accelerators: What the attempt holds, such as `GPU:0`; split among the replicas.
        cpu: Cores of each process as declared; None shares those of the machine.
        deterministic: Whether equal inputs must give bit-equal weights.
        machine_each: Whether each process has a machine of its own: its cores and accelerators.
    """

    distribution: str
    backend: str
    replicas: int = 1
    parameter_servers: int = 0
    accelerators: Sequence[str] = ()
    cpu: float | None = None
    deterministic: bool = False
    machine_each: bool = False

    @property
    def processes(self) -> int:
        """How many processes there are."""
        if self.distribution == "parameter_server":
            return 1 + self.replicas + self.parameter_servers
        return self.replicas


def places_of(shape: Shape) -> list[Place]:
    """Return where the members of a group run, in their order."""
    if shape.distribution == "parameter_server":
        # The chief only drives: accelerators are the workers'.
        return [
            Place("chief", computes=False),
            *(Place(f"worker {index}") for index in range(shape.replicas)),
            *(Place(f"ps {index}", computes=False) for index in range(shape.parameter_servers)),
        ]
    if shape.replicas > 1:
        return [Place(_worker_name(index)) for index in range(shape.replicas)]
    return [Place(shape.backend)]


def members_of(shape: Shape, addresses: Sequence[str]) -> list[Member]:
    """Return the members of a group, the chief first.

    Args:
        shape: What it is made of.
        addresses: Where each may listen, as `host:port`, in the order of `places_of`.
    """
    if shape.distribution == "parameter_server":
        return _parameter_servers(shape, addresses)
    if shape.distribution == "multi_worker":
        return _workers(shape, addresses)
    if shape.replicas > 1:
        return _jax_processes(shape, addresses[0])
    fields = {"num_workers": 1, "worker_index": 0, "is_chief": True}
    return [Member(shape.backend, fields=fields, environment=_environment(shape, 0))]


def _workers(shape: Shape, addresses: Sequence[str]) -> list[Member]:
    members = []
    for index in range(shape.replicas):
        config = {
            "cluster": {"worker": list(addresses)},
            "task": {"type": "worker", "index": index},
        }
        members.append(
            Member(
                _worker_name(index),
                job="worker",
                index=index,
                fields=_fields(index, shape.replicas, addresses[0], config),
                environment=_environment(shape, index) | {"TF_CONFIG": json.dumps(config)},
                address=addresses[index],
                waits_for={"the chief": addresses[0]} if index else {},
            )
        )
    return members


def _jax_processes(shape: Shape, address: str) -> list[Member]:
    return [
        Member(
            _worker_name(index),
            index=index,
            fields=_fields(index, shape.replicas, address, None),
            environment=_environment(shape, index),
            address="" if index else address,
            waits_for={"the chief": address} if index else {},
        )
        for index in range(shape.replicas)
    ]


def _parameter_servers(shape: Shape, addresses: Sequence[str]) -> list[Member]:
    counts = {"chief": 1, "worker": shape.replicas, "ps": shape.parameter_servers}
    free = iter(addresses)
    cluster = {job: [next(free) for _ in range(count)] for job, count in counts.items()}
    others = {
        f"{job} {index}": address
        for job in ("worker", "ps")
        for index, address in enumerate(cluster[job])
    }
    members = []
    for job, ours in cluster.items():
        for index, address in enumerate(ours):
            config = {"cluster": cluster, "task": {"type": job, "index": index}}
            environment = _environment(shape, index if job == "worker" else None)
            members.append(
                Member(
                    job if job == "chief" else f"{job} {index}",
                    role="trains" if job == "chief" else "serves",
                    job=job,
                    index=index,
                    fields=_fields(0, shape.replicas, cluster["chief"][0], config),
                    environment=environment | {"TF_CONFIG": json.dumps(config)},
                    address=address,
                    waits_for=others if job == "chief" else {},
                    is_spare=job == "worker",
                )
            )
    return members


def _worker_name(index: int) -> str:
    return f"worker {index}" if index else "chief"


def _fields(index: int, count: int, address: str, config: Any) -> dict[str, Any]:
    return {
        "num_workers": count,
        "worker_index": index,
        "is_chief": index == 0,
        "coordinator_address": address,
        "tf_config": config,
    }


def _environment(shape: Shape, replica: int | None) -> dict[str, str]:
    environment = {name: value for name, value in _QUIET.items() if name not in os.environ}
    environment["KERAS_BACKEND"] = shape.backend
    shares_cores = shape.processes > 1 and not shape.machine_each
    if shares_cores or shape.cpu is not None:
        threads = str(math.ceil(shape.cpu or max(1, machine.cores() // shape.processes)))
        environment |= {name: threads for name in _THREADS if name not in os.environ}
    if shape.deterministic and shape.backend == "jax":
        flags = (os.environ.get("XLA_FLAGS", ""), "--xla_gpu_deterministic_ops=true")
        environment["XLA_FLAGS"] = " ".join(filter(None, flags))
    if shape.accelerators:
        environment |= _visible(shape, replica)
    return environment


def _visible(shape: Shape, replica: int | None) -> dict[str, str]:
    """Return the variables by which a process sees its part of the attempt's accelerators only."""
    each = len(shape.accelerators) // shape.replicas
    own = () if replica is None else shape.accelerators[replica * each : (replica + 1) * each]
    return visibility(own, shape.accelerators)
