"""Manifests that the project writes, judged by an API server with the schemas that others publish."""

from __future__ import annotations

import copy

import pytest

pytest.importorskip("kubernetes", reason="kubernetes is not installed")

from control_plane import Cluster
from kubernetes.dynamic.exceptions import DynamicApiError

from penstock.io.processes.hosts import Place
from penstock.pods import manifests
from penstock.pods.own_pod import OwnPod
from penstock.pods.request import PodRequest

pytestmark = pytest.mark.cluster

CONTAINER = {"name": "main", "image": "penguin:1", "command": ["true"], "env": []}
OWN = OwnPod(
    name="trainer",
    uid="0a1b2c3d-5e6f-7788-99aa-bbccddeeff00",
    namespace="default",
    address="10.0.0.9",
    spec={"containers": [CONTAINER], "serviceAccountName": "pipeline-runner"},
    labels={"team": "birds"},
    annotations={},
)
REQUEST = PodRequest(
    queue="gold",
    requests={"cpu": "2000m", "memory": "4Gi"},
    accelerators={"nvidia.com/gpu": "1"},
    node_selector={"cloud.google.com/gke-accelerator": "nvidia-l4"},
)
LINE = {"PENSTOCK_NODE_ADDRESS": "10.0.0.9:4000", "PENSTOCK_NODE_KEY": "ab12"}


def workload() -> manifests.Workload:
    (found,) = manifests.workloads("trainer-1", [Place("chief"), Place("worker 1")], REQUEST)
    return found


def test_a_service_and_a_job_of_replicas(cluster: Cluster) -> None:
    service = manifests.service("trainer-1", OWN)
    job = manifests.job(workload(), REQUEST, OWN, LINE)
    cluster.check(service, job)
    wrong = copy.deepcopy(job)
    wrong["spec"]["completionz"] = 2
    with pytest.raises(DynamicApiError, match="unknown field"):
        cluster.check(wrong)


def test_a_train_job_and_its_runtime(cluster: Cluster, trainer: None) -> None:
    runtime = manifests.training_runtime(workload(), REQUEST, OWN, LINE)
    train_job = manifests.train_job(workload(), REQUEST, OWN)
    cluster.check(runtime, train_job)
    wrong = copy.deepcopy(train_job)
    del wrong["spec"]["runtimeRef"]["name"]
    with pytest.raises(DynamicApiError, match="runtimeRef.name"):
        cluster.check(wrong)
