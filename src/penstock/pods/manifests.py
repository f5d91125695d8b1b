"""What the node's pod makes in the cluster: a headless service and Indexed Jobs, or TrainJobs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.io.processes.hosts import Place
from penstock.pods.messages import ABANDONED, ADDRESS, FIRST_PLACE, KEY
from penstock.pods.own_pod import OwnPod
from penstock.pods.request import PodRequest

JOBS, TRAIN_JOBS = "batch/v1/jobs", "trainer.kubeflow.org/v1alpha1/trainjobs"
RUNTIMES, SERVICES = "trainer.kubeflow.org/v1alpha1/trainingruntimes", "services"

GROUP_LABEL, WORKLOAD_LABEL = "penstock/group", "penstock/workload"
_QUEUE_LABEL = "kueue.x-k8s.io/queue-name"

POD_FAILURES = 3
"""How many pods of a Job may fail by themselves until it is made anew."""

_KEPT_SECONDS = 3600
"""How long a Job that has ended stays if nobody removes it."""

_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Workload:
    """Pods that are alike, with places that follow one another.

    Attributes:
        name: The name of the Job or TrainJob, and the beginning of its pods' names.
        group: The name of all pods of the node together.
        first: The place of the first pod.
        count: How many pods.
        computes: Whether they hold accelerators.
    """

    name: str
    group: str
    first: int
    count: int
    computes: bool


def group_name(node_id: str, uid: str) -> str:
    """Return the name of all that a node's pod makes: of the node, and different for each pod.

    Example:
        >>> group_name("Trainer.big_one", "0a1b2c3d-5e6f-7788")
        'trainer-big-one-0a1b2c3d'
    """
    name = re.sub(r"[^a-z0-9]+", "-", node_id.lower()).strip("-")[:_LONGEST_NAME].strip("-")
    return f"{name if name[:1].isalpha() else f'node-{name}'}-{uid.replace('-', '')[:8]}"


def workloads(group: str, places: Sequence[Place], request: PodRequest) -> list[Workload]:
    """Return the workloads for places: one, or one for each row of places that are alike.

    Places are alike unless some hold accelerators and others do not.
    """
    found: list[Workload] = []
    for number, place in enumerate(places):
        computes = place.computes and bool(request.accelerators)
        if found and found[-1].computes == computes:
            last = found.pop()
            found.append(Workload(last.name, group, last.first, last.count + 1, computes))
        else:
            found.append(Workload(f"{group}-{len(found)}", group, number, 1, computes))
    return [Workload(group, group, 0, len(places), found[0].computes)] if len(found) == 1 else found


def service(group: str, own: OwnPod) -> dict[str, Any]:
    """Return the headless service by which the pods have stable names: `{job}-{index}.{group}`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(group, own, {GROUP_LABEL: group}),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {GROUP_LABEL: group},
        },
    }


def job(
    workload: Workload, request: PodRequest, own: OwnPod, line: Mapping[str, str]
) -> dict[str, Any]:
    """Return an Indexed Job.

    Pods that the cluster takes away (preemption, a drained machine) are replaced and not counted. A pod
    whose node is gone ends the Job.

    Args:
        workload: What it is for.
        request: How its pods are made.
        own: The pod that makes it, and that its pods are like.
        line: Variables by which its agents find the node's pod.
    """
    labels = _labels(workload)
    spec: dict[str, Any] = {
        "completionMode": "Indexed",
        "completions": workload.count,
        "parallelism": workload.count,
        "backoffLimit": POD_FAILURES,
        "podReplacementPolicy": "Failed",
        "ttlSecondsAfterFinished": _KEPT_SECONDS,
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "Ignore",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                },
                {
                    "action": "FailJob",
                    "onExitCodes": {
                        "containerName": "main",
                        "operator": "In",
                        "values": [ABANDONED],
                    },
                },
            ]
        },
        "template": {
            "metadata": _pod_metadata(labels, own),
            "spec": {
                **_pod(workload, request, own, line),
                "restartPolicy": "Never",
                "subdomain": workload.group,
            },
        },
    }
    if workload.first == 0:
        spec["successPolicy"] = {"rules": [{"succeededIndexes": "0"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(workload.name, own, labels | _queue(request)),
        "spec": spec,
    }


def training_runtime(
    workload: Workload, request: PodRequest, own: OwnPod, line: Mapping[str, str]
) -> dict[str, Any]:
    """Return the runtime of a TrainJob: a template of pods, without a policy of any framework.

    So it does not matter how a version of Kubeflow Trainer changes pods for a TrainJob, nor that none of
    its own runtimes is TensorFlow's.
    """
    pod = _pod(workload, request, own, line)
    pod["containers"][0]["name"] = "node"
    labels = _labels(workload)
    node = {
        "name": "node",
        "template": {
            "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
            "spec": {
                "backoffLimit": 0,
                "template": {
                    "metadata": _pod_metadata(labels, own),
                    "spec": {**pod, "restartPolicy": "Never"},
                },
            },
        },
    }
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainingRuntime",
        "metadata": _metadata(workload.name, own, labels),
        "spec": {
            "mlPolicy": {"numNodes": workload.count},
            "template": {"spec": {"replicatedJobs": [node]}},
        },
    }


def train_job(workload: Workload, request: PodRequest, own: OwnPod) -> dict[str, Any]:
    """Return the TrainJob of Kubeflow Trainer v2 that runs a `training_runtime` of the same name."""
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": _metadata(workload.name, own, _labels(workload) | _queue(request)),
        "spec": {
            "runtimeRef": {
                "apiGroup": "trainer.kubeflow.org",
                "kind": "TrainingRuntime",
                "name": workload.name,
            },
            "trainer": {"numNodes": workload.count},
        },
    }


# A mesh's proxy would answer for a pod before it is there, and keep it from ending.
_ANNOTATIONS = {
    "sidecar.istio.io/inject": "false",
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
}


def _pod(
    workload: Workload, request: PodRequest, own: OwnPod, line: Mapping[str, str]
) -> dict[str, Any]:
    pod = json.loads(json.dumps(own.likeness()))
    (container,) = pod["containers"]
    container["command"] = ["python", "-m", "penstock.pods"]
    container["env"] += [
        {"name": ADDRESS, "value": line[ADDRESS]},
        # The role that Kubeflow's pods have may not write secrets. Whoever may read pods there may
        # run commands in them, too, and the key ends with the node.
        {"name": KEY, "value": line[KEY]},
        {"name": FIRST_PLACE, "value": str(workload.first)},
    ]
    asked = dict(request.requests)
    if workload.computes:
        asked |= request.accelerators
        if request.node_selector:
            pod["nodeSelector"] = {**pod.get("nodeSelector", {}), **request.node_selector}
    if asked:
        container["resources"] = {"requests": asked, "limits": dict(asked)}
    return dict(pod)


def _pod_metadata(labels: Mapping[str, str], own: OwnPod) -> dict[str, Any]:
    return {
        "labels": {**own.labels, **labels},
        "annotations": {**own.annotations, **_ANNOTATIONS},
    }


def _labels(workload: Workload) -> dict[str, str]:
    return {
        GROUP_LABEL: workload.group,
        WORKLOAD_LABEL: workload.name,
        "sidecar.istio.io/inject": "false",
    }


def _queue(request: PodRequest) -> dict[str, str]:
    return {_QUEUE_LABEL: request.queue} if request.queue else {}


def _metadata(name: str, own: OwnPod, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": own.namespace,
        "labels": dict(labels),
        "ownerReferences": [own.reference],
    }
