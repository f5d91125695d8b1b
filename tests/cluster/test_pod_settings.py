"""What `with_pod` says arrives in pods: the API server takes them, and the container finds it there."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("kubernetes", reason="kubernetes is not installed")
pytest.importorskip("kfp", reason="kfp is not installed")

import yaml
from kubernetes import client

from penstock import (
    ConfigMapFiles,
    ConfigMapKey,
    EmptyFolder,
    EphemeralVolume,
    NodeAffinity,
    NodeRule,
    Pipeline,
    PodSettings,
    RuntimeParameter,
    SecretFiles,
    SecretKey,
    Toleration,
    VolumeClaim,
    component,
)
from penstock.graph import compile_pipeline
from penstock.runners.kubeflow import KubeflowConfig, compile_to_yaml
from penstock.testing.kubeflow import CompiledPipeline

# Containers import this file for its component, and have nothing else of this folder.
if TYPE_CHECKING:
    from control_plane import Cluster

pytestmark = pytest.mark.cluster

NAMESPACE = "pod-settings"


@component
def look() -> None:
    """Print what the container has."""
    names = ("TOKEN", "MODE", "LEVEL", "ABSENT", "PENSTOCK_POD_NAMESPACE")
    shared = Path("/dev/shm/written")
    shared.write_text("x")
    found = {
        "environment": {name: os.environ.get(name) for name in names},
        "secret": Path("/secrets/hub/token").read_text(),
        "config": Path("/config/mode").read_text(),
        "scratch": os.listdir("/scratch"),
        "shared": shared.read_text(),
    }
    print(f"found {json.dumps(found)}", flush=True)


@pytest.fixture(scope="module")
def core(cluster: Cluster) -> client.CoreV1Api:
    cluster.namespace(NAMESPACE)
    core = client.CoreV1Api(cluster.api())
    core.create_namespaced_secret(
        NAMESPACE, {"metadata": {"name": "hub"}, "stringData": {"token": "s3cret"}}
    )
    core.create_namespaced_config_map(
        NAMESPACE, {"metadata": {"name": "app"}, "data": {"mode": "fast"}}
    )
    return core


class _Pods:
    """An engine that makes a pod of each container."""

    def __init__(self, cluster: Cluster, shared: Path) -> None:
        from kubeflow_pods import PodContainers

        self._pods = PodContainers(cluster, NAMESPACE, str(shared), account="default")
        self._numbers = itertools.count()

    def run(self, call: Any) -> tuple[int, str]:
        name = f"look-{next(self._numbers)}"
        code = self._pods.start(call, name, {}, name).wait()
        return code, self._pods.log(name)


def test_a_container_finds_what_its_node_was_promised(
    cluster: Cluster, core: client.CoreV1Api, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    node = look().with_pod(
        environment={
            "TOKEN": SecretKey("hub", "token"),
            "MODE": ConfigMapKey("app", "mode"),
            "LEVEL": "debug",
            "ABSENT": SecretKey("nobody", "token", optional=True),
        },
        mounts={
            "/secrets/hub": SecretFiles("hub"),
            "/config": ConfigMapFiles("app"),
            "/scratch": EmptyFolder("1Gi"),
        },
        shared_memory="64Mi",
        image=RuntimeParameter("image", str, default="penguin:1"),
        labels={"team": "ml"},
    )
    node.with_resources(memory=RuntimeParameter("memory", str, default="2Gi"))
    graph = compile_pipeline(Pipeline("p", str(tmp_path / "root"), [node]))
    text = compile_to_yaml(graph, KubeflowConfig(volumes={"unused": str(tmp_path / "root")}))
    core.create_namespaced_persistent_volume_claim(
        NAMESPACE,
        {
            "metadata": {"name": "unused"},
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        },
    )
    assert "s3cret" not in text
    pipeline = CompiledPipeline(text, tmp_path / "references", _Pods(cluster, tmp_path))
    pipeline.run({"image": "penguin:2", "memory": "1Gi"})
    (pod,) = core.list_namespaced_pod(NAMESPACE, label_selector="team=ml").items
    (container,) = pod.spec.containers
    assert container.image == "penguin:2"
    assert container.resources.limits["memory"] == "1Gi"
    log = cluster.agent.logs(pod.metadata.name, namespace=NAMESPACE)
    (told,) = (line for line in log.splitlines() if line.startswith("found "))
    assert json.loads(told.removeprefix("found ")) == {
        "environment": {
            "TOKEN": "s3cret",
            "MODE": "fast",
            "LEVEL": "debug",
            "ABSENT": None,
            "PENSTOCK_POD_NAMESPACE": NAMESPACE,
        },
        "secret": "s3cret",
        "config": "fast",
        "scratch": [],
        "shared": "x",
    }


def test_the_api_server_takes_every_setting(core: client.CoreV1Api) -> None:
    from kubeflow_pods import pod_spec

    settings = PodSettings(
        image="penguin:1",
        image_pull_policy="IfNotPresent",
        image_pull_secrets=["registry"],
        environment={"TOKEN": SecretKey("hub", "token")},
        mounts={
            "/data": VolumeClaim("penguins", sub_path="v2"),
            "/fast": EphemeralVolume("5Gi", storage_class="ssd"),
            "/scratch": EmptyFolder(),
            "/secrets/hub": SecretFiles("hub"),
        },
        shared_memory="4Gi",
        node_selector={"example.com/pool": "gpu"},
        tolerations=[
            Toleration("nvidia.com/gpu", effect="NoSchedule"),
            Toleration("team", "ml", "NoExecute", seconds=60),
        ],
        affinity=[
            NodeAffinity([NodeRule("zone", values=["a", "b"]), NodeRule("cores", "Gt", ["8"])]),
            NodeAffinity([NodeRule("ssd", "Exists")], weight=50),
        ],
        labels={"kueue.x-k8s.io/queue-name": "ml"},
        annotations={"example.com/why": "a test: 100%"},
        run_as_user=10001,
        run_as_group=10001,
    )
    node = (
        look()
        .with_pod(settings)
        .with_resources(cpu=1.5, memory="2Gi", accelerator="nvidia.com/gpu", accelerator_count=2)
    )
    graph = compile_pipeline(Pipeline("p", "gs://b/r", [node]))
    first, second = yaml.safe_load_all(compile_to_yaml(graph, KubeflowConfig()))
    container = first["deploymentSpec"]["executors"]["exec-look"]["container"]
    platform = second["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-look"]
    spec = pod_spec(container, platform, ["true"], "default")
    metadata = {"name": "every-setting", **platform["podMetadata"]}
    made = core.create_namespaced_pod(
        NAMESPACE, {"metadata": metadata, "spec": spec}, dry_run="All", field_validation="Strict"
    )
    assert made.spec.node_selector == settings.node_selector
    affinity = made.spec.affinity.node_affinity
    (term,) = affinity.required_during_scheduling_ignored_during_execution.node_selector_terms
    assert [each.operator for each in term.match_expressions] == ["In", "Gt"]
    (preferred,) = affinity.preferred_during_scheduling_ignored_during_execution
    assert preferred.weight == 50
    mounts = {each.mount_path for each in made.spec.containers[0].volume_mounts}
    assert {*settings.mounts, "/dev/shm"} <= mounts
    assert made.metadata.labels["kueue.x-k8s.io/queue-name"] == "ml"
    assert {each.key for each in made.spec.tolerations} >= {"nvidia.com/gpu", "team"}
    assert made.spec.containers[0].security_context.run_as_user == 10001
