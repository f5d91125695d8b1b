"""A node for tests: a scheduler and a kubelet whose containers are processes on this machine.

Whatever image a pod names, its containers see this machine's files (nothing that they write to them is
kept), this Python with its packages first in `PATH`, and the repository, or another folder, in `/app`. They
run as user 10001 unless the pod says otherwise. What is not supported fails the pod, in words.
"""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from certificates import Certificates
from kubelet_server import PORT, log_server
from pod_life import PodLife
from pod_network import PodNetwork
from pod_settings import PodSettings, claimed
from pod_status import update_status
from scheduling import Node, choose

WATCH_SECONDS = 300

REPOSITORY = Path(__file__).resolve().parents[2]


class NodeAgent:
    """Runs the pods of a cluster.

    Args:
        folder: For logs and volumes; made.
        api: Returns an ApiClient of an administrator.
        network: Gives pods their addresses.
        files: Certificate of the node's server.

    Attributes:
        projects: What images have in `/app`, by the beginning of their names. Others have the repository.
    """

    def __init__(
        self, folder: Path, api: Callable[[], Any], network: PodNetwork, files: Certificates
    ) -> None:
        self.projects: dict[str, Path] = {}
        self._folder = folder
        self._api = api
        self._network = network
        self._files = files
        self._nodes: dict[str, Node] = {}
        self._lock = threading.RLock()
        self._lives: dict[str, PodLife] = {}
        self._named: dict[tuple[str, str], PodLife] = {}
        self._deleting: set[str] = set()
        self._unplaced: dict[str, Any] = {}
        self._slices: dict[tuple[str, str], Any] = {}
        self._watched: dict[str, Any] = {}
        self._stopped = threading.Event()

    def add_node(self, node: Node) -> None:
        """Add a node: more pods fit, or pods that ask for its labels or resources."""
        self._core.create_node(node.manifest())
        address = {"type": "InternalIP", "address": self._network.host}
        status = {
            "addresses": [address],
            "capacity": dict(node.capacity),
            "allocatable": dict(node.capacity),
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": PORT}},
            "nodeInfo": _NODE_INFO,
        }
        self._core.patch_node_status(node.name, {"status": status})
        # A new node is tainted as not ready; the controller that would take that away is off.
        self._core.patch_node(node.name, {"spec": {"taints": node.manifest()["spec"]["taints"]}})
        with self._lock:
            self._nodes[node.name] = node
            self._place_all()

    def remove_node(self, name: str) -> None:
        """Remove a node as if its machine were lost: its pods die, and are deleted."""
        with self._lock:
            del self._nodes[name]
            lost = [each for each in self._lives.values() if each.pod.spec.node_name == name]
        self._core.delete_node(name)
        for each in lost:
            each.kill()
            self._delete(each.pod)

    def logs(self, pod: str, container: str | None = None, *, namespace: str | None = None) -> str:
        """Return what a container printed, also of a pod that was deleted.

        Raises:
            LookupError: If no pod with this name ever ran.
        """
        return self._find(pod, namespace).log(container).read_text(errors="replace")

    def runs(self, pod: str, *, namespace: str | None = None) -> bool:
        """Return whether a container of a pod runs."""
        try:
            return self._find(pod, namespace).runs()
        except LookupError:
            return False

    def processor_seconds(self, pod: str, *, namespace: str | None = None) -> float:
        """Return what the containers of a pod have used, those that have ended.

        Raises:
            LookupError: If no pod with this name ever ran.
        """
        return self._find(pod, namespace).processor_seconds

    def claim(self, namespace: str, name: str) -> Path:
        """Return the folder that stands for a persistent volume claim; every user may write to it."""
        return claimed(self._folder / "claims", namespace, name)

    def kill(
        self,
        pod: str,
        container: str | None = None,
        *,
        namespace: str | None = None,
        number: int = signal.SIGKILL,
    ) -> None:
        """Send a signal to the first process of a pod's containers, as from outside the cluster.

        Raises:
            LookupError: If no pod with this name ever ran.
        """
        self._find(pod, namespace).kill(container, number)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Work until the context ends; then no process of a pod is left."""
        from kubernetes import client

        self._folder.mkdir()
        api = self._api()
        self._core = client.CoreV1Api(api)
        with log_server(self._network.host, self._files, self._log_file):
            self.add_node(Node("node-1"))
            for path, handle in (
                ("/api/v1/pods", self._see_pod),
                ("/apis/discovery.k8s.io/v1/endpointslices", self._see_slice),
            ):
                threading.Thread(target=self._follow, args=(api, path, handle), daemon=True).start()
            try:
                yield
            finally:
                self._stopped.set()
                with self._lock:
                    left = list(self._lives.values())
                for each in left:
                    each.stop(0)
                for each in left:
                    each.ended.wait(30)
                for response in self._watched.values():
                    with contextlib.suppress(RuntimeError, ValueError):  # it has ended by itself
                        response.shutdown()

    def _follow(self, api: Any, path: str, handle: Callable[[str, Any], None]) -> None:
        """Call `handle(kind of event, object as data)` for what there is and for each change."""
        known: dict[str, Any] = {}
        while not self._stopped.is_set():
            try:
                listed = json.loads(_get(api, path).data)
                now = {each["metadata"]["uid"]: each for each in listed["items"]}
                for uid in [each for each in known if each not in now]:
                    handle("DELETED", known.pop(uid))
                for uid, each in now.items():
                    known[uid] = each
                    handle("MODIFIED", each)
                version = listed["metadata"]["resourceVersion"]
                response = _watch(api, path, version)
                self._watched[path] = response
                for kind, each in _changes(response):
                    if self._stopped.is_set():
                        return
                    if kind == "DELETED":
                        known.pop(each["metadata"]["uid"], None)
                    else:
                        known[each["metadata"]["uid"]] = each
                    handle(kind, each)
            except Exception as error:  # the API server is busy, or its session ends
                if not self._stopped.is_set():
                    print(f"the node agent looks again: {error!r}", flush=True)
                self._stopped.wait(0.5)

    def _see_pod(self, kind: str, told: Any) -> None:
        pod = self._core.api_client.deserialize(SimpleNamespace(data=json.dumps(told)), "V1Pod")
        with self._lock:
            uid = pod.metadata.uid
            life = self._lives.get(uid)
            if kind == "DELETED":
                self._unplaced.pop(uid, None)
                if life is not None:
                    life.stop(0)  # deleted by force: it must not go on
                self._place_all()
            elif pod.metadata.deletion_timestamp:
                self._unplaced.pop(uid, None)
                if uid not in self._deleting or life is not None:
                    self._deleting.add(uid)
                    self._end(pod, life)
            elif not pod.spec.node_name:
                if not pod.spec.scheduling_gates:
                    self._unplaced[uid] = pod
                    self._place(pod)
            elif life is None and pod.spec.node_name in self._nodes:
                if pod.status.phase == "Pending":
                    self._start(pod)
            elif pod.status.phase in ("Succeeded", "Failed"):
                self._place_all()

    def _end(self, pod: Any, life: PodLife | None) -> None:
        if life is None or life.ended.is_set():
            self._delete(pod)
        else:
            life.stop(float(pod.metadata.deletion_grace_period_seconds or 0))

    def _delete(self, pod: Any) -> None:
        from kubernetes.client import ApiException

        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.metadata.uid}}
        with contextlib.suppress(ApiException):  # it is gone already
            self._core.delete_namespaced_pod(
                pod.metadata.name, pod.metadata.namespace, body=body, _preload_content=False
            )

    def _place_all(self) -> None:
        for each in list(self._unplaced.values()):
            self._place(each)

    def _place(self, pod: Any) -> None:
        """Bind a pod to a node that it fits on, or say in its status why there is none."""
        from kubernetes.client import ApiException

        running = [each.pod for each in self._lives.values() if not each.ended.is_set()]
        node, reason = choose(pod, self._nodes.values(), running)
        if node is None:
            told = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
            before = {each.message for each in pod.status.conditions or ()}
            if reason not in before:
                update_status(self._core, pod, {"conditions": [{**told, "message": reason}]})
            return
        del self._unplaced[pod.metadata.uid]
        binding = {"metadata": {"name": pod.metadata.name}}
        binding["target"] = {"apiVersion": "v1", "kind": "Node", "name": node.name}
        with contextlib.suppress(ApiException):  # it was deleted meanwhile
            self._core.create_namespaced_binding(
                pod.metadata.namespace, binding, _preload_content=False
            )
            pod.spec.node_name = node.name
            self._start(pod)

    def _start(self, pod: Any) -> None:
        network, address = self._network.add()
        uid, namespace, name = pod.metadata.uid, pod.metadata.namespace, pod.metadata.name
        folder = self._folder / f"{namespace}-{name}-{uid}"
        folder.mkdir()
        hosts = folder / "hosts"
        settings = PodSettings(
            self._core,
            pod,
            address=address,
            node=pod.spec.node_name,
            host=self._network.host,
            volumes=folder / "volumes",
            shared=self._folder / "claims",
        )
        life = PodLife(
            pod,
            self._core,
            folder,
            settings,
            network=network,
            address=address,
            host=self._network.host,
            project=self._project(pod),
            hosts=hosts,
        )
        self._lives[uid] = self._named[namespace, name] = life
        self._write_hosts(life)
        threading.Thread(target=self._live, args=(life,), name=f"pod {name}", daemon=True).start()

    def _live(self, life: PodLife) -> None:
        life.run()
        self._network.remove(life.address)
        with self._lock:
            if life.pod.metadata.uid in self._deleting:
                self._delete(life.pod)

    def _project(self, pod: Any) -> Path:
        image = pod.spec.containers[0].image
        named = [each for each in self.projects if image.startswith(each)]
        return self.projects[max(named, key=len)] if named else REPOSITORY

    def _see_slice(self, kind: str, found: Any) -> None:
        with self._lock:
            key = (found["metadata"]["namespace"], found["metadata"]["name"])
            if kind == "DELETED":
                self._slices.pop(key, None)
            else:
                self._slices[key] = found
            for each in self._lives.values():
                if each.pod.metadata.namespace == key[0]:
                    self._write_hosts(each)

    def _write_hosts(self, life: PodLife) -> None:
        """Write the names that a pod resolves, in place: the file is mounted in its containers."""
        spec, namespace = life.pod.spec, life.pod.metadata.namespace
        own = [spec.hostname or life.pod.metadata.name]
        if spec.subdomain:
            own.insert(0, f"{own[0]}.{spec.subdomain}.{namespace}.svc.cluster.local")
        lines = [
            "127.0.0.1 localhost",
            f"{life.address} {' '.join(own)}",
            f"{self._network.host} kubernetes.default.svc kubernetes.default kubernetes",
        ]
        for (where, _), each in sorted(self._slices.items(), key=lambda item: item[0]):
            if where == namespace:
                lines += _names(each, namespace)
        with open(life.folder / "hosts", "a+b") as hosts:
            text = "\n".join([*lines, ""]).encode()
            hosts.seek(0)
            if hosts.read() != text:
                hosts.truncate(0)
                hosts.write(text)

    def _find(self, pod: str, namespace: str | None) -> PodLife:
        with self._lock:
            for (where, name), life in reversed(self._named.items()):
                if name == pod and namespace in (None, where):
                    return life
        raise LookupError(f"no pod {pod} ever ran here")

    def _log_file(
        self, namespace: str, pod: str, container: str, previous: bool
    ) -> tuple[Path, Callable[[], bool]]:
        life = self._find(pod, namespace)
        path = life.log(container, previous)
        if not path.exists():
            raise LookupError(f"container {container} of {pod} has not started")
        return path, lambda: not life.ended.is_set()


_NODE_INFO = {
    **dict.fromkeys(("machineID", "systemUUID", "bootID", "kernelVersion", "kubeProxyVersion"), ""),
    "architecture": "amd64",
    "containerRuntimeVersion": "process://1",
    "kubeletVersion": "v1.35.4",
    "operatingSystem": "linux",
    "osImage": "the tests' machine",
}


def _get(api: Any, path: str, **query: str) -> Any:
    """Return the response to a request; plain data is read more easily than with the client's models."""
    response, _, _ = api.call_api(
        path,
        "GET",
        query_params=list(query.items()),
        auth_settings=["BearerToken"],
        _preload_content=False,
    )
    return response


def _watch(api: Any, path: str, version: str) -> Any:
    seconds = str(WATCH_SECONDS)
    return _get(api, path, watch="true", resourceVersion=version, timeoutSeconds=seconds)


def _changes(response: Any) -> Iterator[tuple[str, Any]]:
    """Yield (kind of event, object) until the server ends the watch; RuntimeError if it refuses it."""
    from kubernetes.watch.watch import iter_resp_lines

    for line in iter_resp_lines(response):
        if line:
            told = json.loads(line)
            if told["type"] == "ERROR":
                raise RuntimeError(str(told["object"].get("message")))
            yield told["type"], told["object"]


def _names(found: Any, namespace: str) -> Iterator[str]:
    """Yield the lines of a hosts file for a service: its own name, and those of its pods."""
    service = found["metadata"].get("labels", {}).get("kubernetes.io/service-name")
    ends = (f".{namespace}.svc.cluster.local", f".{namespace}.svc", f".{namespace}", "")
    for each in found.get("endpoints") or ():
        if service is None or each.get("conditions", {}).get("ready") is False:
            continue
        for address in each["addresses"]:
            yield f"{address} {' '.join(f'{service}{end}' for end in ends)}"
            if each.get("hostname"):
                names = " ".join(f"{each['hostname']}.{service}{end}" for end in ends)
                yield f"{address} {names}"
