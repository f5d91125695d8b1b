"""Places for processes in pods of their own."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from penstock.io.processes.child_process import print_line
from penstock.io.processes.hosts import Place, Places, Process
from penstock.pods import manifests
from penstock.pods.cluster import Cluster, ClusterError
from penstock.pods.messages import ADDRESS, KEY
from penstock.pods.own_pod import OwnPod
from penstock.pods.pod_process import PodProcess
from penstock.pods.pod_state import failure, is_suspended, why_ended, why_waiting
from penstock.pods.reception import Reception
from penstock.pods.request import PodRequest
from penstock.progress import tell

_LOOK_SECONDS, _LONGEST_LOOK, _SLOWER = 2.0, 15.0, 1.2
_WHY_SECONDS = 10.0
"""How long the cluster may take until it says how a pod ended: its machine must be heard first."""

_log = logging.getLogger("penstock.node")


class PodsMissing(RuntimeError):
    """The pods of a node did not all come in time, or cannot."""


class PodHosts:
    """Every process runs in a pod of its own, made after the likeness of this process's pod.

    Args:
        node_id: The node, after which the pods are named.
        request: How they are made.
        first: Called first in each process, such as to fetch what it imports; it can be pickled.
    """

    def __init__(
        self, node_id: str, request: PodRequest, first: Callable[[], None] | None = None
    ) -> None:
        self._node_id, self._request, self._first = node_id, request, first

    @contextlib.contextmanager
    def hold(self, places: Sequence[Place]) -> Iterator[Places]:
        """Make pods for processes, and remove them when the context ends.

        Raises:
            ClusterError: If the API server refuses.
        """
        own, cluster = OwnPod.find()
        with Reception(own.address, print_line) as reception:
            held = _PodPlaces(
                manifests.group_name(self._node_id, own.uid),
                self._request,
                self._first,
                places,
                own,
                cluster,
                reception,
            )
            try:
                held.make()
                yield held
            except Exception:
                reception.dismiss()
                raise
            else:
                reception.dismiss()
            finally:
                # At once where a signal ends this pod: Kubeflow's launcher leaves it a second.
                held.remove()


class _PodPlaces:
    each_has_a_machine = True

    def __init__(
        self,
        group: str,
        request: PodRequest,
        first: Callable[[], None] | None,
        places: Sequence[Place],
        own: OwnPod,
        cluster: Cluster,
        reception: Reception,
    ) -> None:
        self._request, self._places = request, places
        self._own, self._cluster, self._reception = own, cluster, reception
        self._group, self._first = group, first
        self._is_job = request.kind == "job"
        self._kind = manifests.JOBS if self._is_job else manifests.TRAIN_JOBS
        self._workloads = manifests.workloads(self._group, places, request)
        self._names: dict[str, str] = {}
        self._made = 0
        self._told: dict[int, str] = {}

    def make(self) -> None:
        """Make the service and the workloads."""
        if self._is_job:
            self._cluster.create(manifests.SERVICES, manifests.service(self._group, self._own))
        for workload in self._workloads:
            self._make(workload)

    def remove(self) -> None:
        """Remove all that was made; what cannot be removed goes with this pod."""
        for name in self._names.values():
            self._remove(self._kind, name)
        if self._is_job:
            self._remove(manifests.SERVICES, self._group)

    def addresses(self) -> list[str]:
        """Wait until all pods are there; return an address of each.

        Raises:
            PodsMissing: If they are not, in time; it says of each what the cluster says.
        """
        self._renew()
        # That a lost pod has ended its workload may be seen later.
        may_renew = bool(self._told)
        deadline = time.monotonic() + self._request.wait_seconds
        looked = 0.0
        pause = _LOOK_SECONDS
        while True:
            if not self._reception.wait_for(len(self._places), pause):
                now = time.monotonic()
                pause = min(pause * _SLOWER, _LONGEST_LOOK, max(deadline - now, _LOOK_SECONDS))
                if may_renew and self._renew():
                    may_renew, deadline = False, now + self._request.wait_seconds
                if self._look():
                    deadline += now - looked if looked else _LOOK_SECONDS
                looked = now
                if now >= deadline:
                    raise PodsMissing(
                        f"The {len(self._places)} pods were not all there within "
                        f"{self._request.wait_seconds:g} s. {self._missing()}"
                    )
                continue
            try:
                self._told = {number: self._address(number) for number in range(len(self._places))}
            except ConnectionError:
                continue  # it has gone since
            return list(self._told.values())

    def is_as_told(self, number: int) -> bool:
        """Return whether the pod at a place is the one whose address was told."""
        agent = self._reception.agent(number)
        host = self._told.get(number, "").rpartition(":")[0].strip("[]")
        return agent is not None and agent.host == host

    def start(
        self,
        number: int,
        function: Callable[[Any, Any], None],
        argument: object,
        environment: Mapping[str, str],
    ) -> Process:
        """Start a process in the pod at a place, once it is there."""
        return PodProcess(
            self._reception,
            number,
            (function, argument, self._first),
            name=self._places[number].name,
            environment=environment,
            defaults=self._slice(number) if self._request.tpu else {},
            agent_seconds=self._request.wait_seconds,
            why_gone=self._why_gone,
        )

    def _make(self, workload: manifests.Workload) -> None:
        line = {ADDRESS: self._reception.address, KEY: self._reception.key.hex()}
        # A name is not free at once when its owner is removed.
        name = f"{workload.name}-{self._made}" if self._made else workload.name
        given = manifests.Workload(
            name, workload.group, workload.first, workload.count, workload.computes
        )
        if self._is_job:
            body = manifests.job(given, self._request, self._own, line)
        else:
            runtime = manifests.training_runtime(given, self._request, self._own, line)
            self._cluster.create(manifests.RUNTIMES, runtime)
            body = manifests.train_job(given, self._request, self._own)
        self._names[workload.name] = name
        self._cluster.create(self._kind, body)
        _log.info(
            "%s %s was made: %d pods%s",
            "Job" if self._is_job else "TrainJob",
            name,
            workload.count,
            " with accelerators" if workload.computes else "",
        )

    def _renew(self) -> bool:
        """Make workloads anew that have ended, since their pods are needed again; return whether any."""
        made = self._made
        for workload in self._workloads:
            there = self._cluster.get(self._kind, self._names[workload.name])
            if there is not None and not failure(there):
                continue
            self._made += 1
            self._remove(self._kind, self._names[workload.name])
            self._make(workload)
        return self._made > made

    def _remove(self, kind: str, name: str) -> None:
        kinds = [kind] if kind != manifests.TRAIN_JOBS else [kind, manifests.RUNTIMES]
        for each in kinds:
            try:
                self._cluster.delete(each, name)
            except ClusterError as error:
                _log.warning("%s stays until this pod is removed: %s", name, error)

    def _look(self) -> bool:
        """Tell what the pods wait for; return whether the workloads wait to be admitted.

        Raises:
            PodsMissing: If a workload has failed.
        """
        suspended = False
        for workload in self._workloads:
            name = self._names[workload.name]
            there = self._cluster.get(self._kind, name)
            if there is None:
                raise PodsMissing(f"{name} was removed by somebody else.")
            if reason := failure(there):
                raise PodsMissing(f"{name} has failed ({reason}). {self._missing()}")
            suspended = suspended or is_suspended(there)
        there_now = sum(self._reception.agent(n) is not None for n in range(len(self._places)))
        waiting = "in its queue" if suspended else self._missing(brief=True)
        tell(f"{there_now} of {len(self._places)} pods are there; {waiting}")
        return suspended

    def _missing(self, *, brief: bool = False) -> str:
        """Return of each pod that is not there what the cluster says of it."""
        pods = self._cluster.find("pods", f"{manifests.GROUP_LABEL}={self._group}")
        said: list[str] = []
        for pod in pods:
            name = pod["metadata"]["name"]
            ended = pod["status"].get("phase") in ("Failed", "Succeeded")
            reason = why_ended(pod) if ended else why_waiting(pod)
            if reason:
                said.append(f"{name}: {reason}")
            if ended and not brief and (tail := self._cluster.log_tail(name)):
                said.append(f"its last lines:\n{tail}\n")
        if not said:
            return "the cluster made no pods yet" if not pods else "the pods are starting"
        return " ".join(dict.fromkeys(said[:1] if brief else said))

    def _address(self, number: int) -> str:
        agent = self._reception.agent(number)
        if agent is None:
            raise ConnectionError
        return agent.find_address()

    def _slice(self, number: int) -> dict[str, str]:
        """Return what a host of a TPU slice must know of the others, where the cluster does not tell it."""
        hosts = [address.rpartition(":")[0].strip("[]") for address in self._told.values()]
        return {"TPU_WORKER_ID": str(number), "TPU_WORKER_HOSTNAMES": ",".join(hosts)}

    def _why_gone(self, name: str) -> str:
        deadline = time.monotonic() + _WHY_SECONDS
        while True:
            try:
                reason = why_ended(self._cluster.get("pods", name))
            except ClusterError as error:
                return f"the cluster does not say how ({error})"
            if reason or time.monotonic() >= deadline:
                return reason or "its line was cut; the cluster knows of no reason"
            time.sleep(0.5)
