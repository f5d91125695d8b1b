"""The pod of this process: its name, and what pods that are made after its likeness inherit."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.pods.cluster import Cluster, ClusterError

_NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

_INHERITED = (
    "serviceAccountName", "automountServiceAccountToken", "imagePullSecrets", "tolerations", "affinity",
    "nodeSelector", "priorityClassName", "securityContext", "runtimeClassName", "schedulerName",
    "dnsPolicy", "dnsConfig", "hostAliases",
)  # fmt: skip

# Of Argo and of Kubeflow's launcher, which do not run in the pods that are made.
_NOT_OURS = ("ARGO_", "KFP_", "PENSTOCK_STORE")
_THEIR_VOLUMES = (
    "var-run-argo", "tmp-dir-argo", "kfp-launcher", "kube-api-access", "gcs-scratch", "s3-scratch",
    "minio-scratch", "dot-local-scratch", "dot-cache-scratch", "dot-config-scratch", "istio-", "workload-",
)  # fmt: skip
_THEIR_MARKS = (
    "workflows.argoproj.io/", "pipelines.kubeflow.org/", "pipeline/", "kubectl.kubernetes.io/", "penstock/",
    "batch.kubernetes.io/", "controller-uid", "job-name", "sidecar.istio.io/", "security.istio.io/",
    "service.istio.io/", "istio.io/",
)  # fmt: skip
_CONTAINER = "main"


@dataclass(frozen=True, slots=True)
class OwnPod:
    """The pod of this process.

    Attributes:
        name: Its name.
        uid: Its uid: a pod of the same name made later is another one.
        namespace: Its namespace.
        address: At which other pods reach it.
        spec: What it was made of, as the API server has it.
        labels: Its labels, without those of Argo and Kubeflow.
        annotations: Its annotations, as well.
    """

    name: str
    uid: str
    namespace: str
    address: str
    spec: Mapping[str, Any]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @classmethod
    def find(cls, environment: Mapping[str, str] = os.environ) -> tuple[OwnPod, Cluster]:
        """Return the pod of this process and its cluster.

        Args:
            environment: Names the pod: PENSTOCK_POD_NAME, PENSTOCK_POD_UID and PENSTOCK_POD_NAMESPACE,
                which the compiler sets, or what Kubeflow's own launcher finds.

        Raises:
            ClusterError: If it cannot be found.
        """
        name = environment.get("PENSTOCK_POD_NAME") or environment.get("KFP_POD_NAME")
        uid = environment.get("PENSTOCK_POD_UID") or environment.get("KFP_POD_UID")
        namespace = environment.get("PENSTOCK_POD_NAMESPACE") or environment.get("NAMESPACE")
        if not namespace and os.path.exists(_NAMESPACE_FILE):
            namespace = Path(_NAMESPACE_FILE).read_text(encoding="utf-8").strip()
        if not name or not namespace:
            raise ClusterError(
                "A node with several replicas must know its own pod: PENSTOCK_POD_NAME and "
                "PENSTOCK_POD_NAMESPACE are not set. Compile the pipeline with this version of Penstock."
            )
        cluster = Cluster.here(namespace)
        pod = cluster.get("pods", name)
        if pod is None or (uid and pod["metadata"]["uid"] != uid):
            raise ClusterError(
                f"The pod {name} of this process is not in the namespace {namespace}."
            )
        address = pod.get("status", {}).get("podIP")
        if not address:
            raise ClusterError(f"The cluster knows no address of the pod {name} of this process.")
        own = cls(
            name,
            pod["metadata"]["uid"],
            namespace,
            address,
            pod["spec"],
            _marks(pod["metadata"].get("labels", {})),
            _marks(pod["metadata"].get("annotations", {})),
        )
        return own, cluster

    @property
    def reference(self) -> dict[str, Any]:
        """The owner reference by which the cluster removes what was made when this pod is removed."""
        return {"apiVersion": "v1", "kind": "Pod", "name": self.name, "uid": self.uid}

    def likeness(self) -> dict[str, Any]:
        """Return the specification of a pod like this one, with one container that has no command yet.

        It has the image, the user's variables, volumes, secrets, service account, tolerations, node
        selectors and the like; not the containers, volumes and variables of Argo and Kubeflow, nor what
        this pod asks of its machine.
        """
        mine = _container(self.spec["containers"])
        volumes = [each for each in self.spec.get("volumes", ()) if _is_ours(each["name"])]
        names = {each["name"] for each in volumes}
        container = {
            name: mine[name]
            for name in ("image", "imagePullPolicy", "workingDir", "securityContext", "envFrom")
            if name in mine
        }
        container["name"] = _CONTAINER
        container["env"] = [
            each for each in mine.get("env", ()) if not each["name"].startswith(_NOT_OURS)
        ]
        mounts = [each for each in mine.get("volumeMounts", ()) if each["name"] in names]
        spec = {name: self.spec[name] for name in _INHERITED if self.spec.get(name)}
        # The API server fills in what every pod has; a node that is gone is waited for as usual.
        spec["tolerations"] = [
            each
            for each in spec.get("tolerations", ())
            if not str(each.get("key", "")).startswith("node.kubernetes.io/")
        ]
        if volumes:
            spec["volumes"], container["volumeMounts"] = volumes, mounts
        return {**spec, "containers": [container]}


def _container(containers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the container of the node, which Argo calls "main"."""
    for each in containers:
        if each["name"] == _CONTAINER:
            return each
    return containers[0]


def _is_ours(volume: str) -> bool:
    return not volume.startswith(_THEIR_VOLUMES)


def _marks(marks: Mapping[str, str]) -> dict[str, str]:
    return {name: each for name, each in marks.items() if not name.startswith(_THEIR_MARKS)}
