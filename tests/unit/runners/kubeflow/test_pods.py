from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("kfp", reason="kfp is not installed")

from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2

from penstock.dsl import (
    ConfigMapFiles,
    ConfigMapKey,
    EmptyFolder,
    EphemeralVolume,
    NodeAffinity,
    NodeRule,
    ParameterError,
    Pipeline,
    PodSettings,
    SecretFiles,
    SecretKey,
    Toleration,
    VolumeClaim,
    component,
)
from penstock.graph import compile_pipeline
from penstock.runners.kubeflow import KubeflowConfig, UnsupportedSetting, compile_to_yaml, limits
from penstock.testing.kubeflow import CompiledPipeline, Processes


@component
def work(level: int = 1) -> int:
    return level


def _compiled(node: Any, **config: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (what Kubernetes is told of the pod, the container) as Kubeflow's own message reads it."""
    graph = compile_pipeline(Pipeline("p", "gs://b/r", [node]))
    first, second = yaml.safe_load_all(compile_to_yaml(graph, KubeflowConfig(**config)))
    told = second["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-work"]
    message = json_format.ParseDict(told, kubernetes_executor_config_pb2.KubernetesExecutorConfig())
    container = first["deploymentSpec"]["executors"]["exec-work"]["container"]
    return json_format.MessageToDict(message), container


def _texts(node: Any, **config: Any) -> list[str]:
    graph = compile_pipeline(Pipeline("p", "gs://b/r", [node]))
    return [str(each) for each in limits(graph, KubeflowConfig(**config))]


def test_where_a_pod_is_placed() -> None:
    zones = NodeRule("topology.kubernetes.io/zone", values=["a", "b"])
    told, _ = _compiled(
        work().with_pod(
            node_selector={"pool": "gpu"},
            tolerations=[
                Toleration("nvidia.com/gpu", effect="NoSchedule"),
                Toleration("team", "ml", "NoExecute", seconds=60),
            ],
            affinity=[NodeAffinity([zones]), NodeAffinity([NodeRule("ssd", "Exists")], weight=50)],
        )
    )
    assert told["nodeSelector"]["labels"] == {"pool": "gpu"}
    assert told["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "team", "operator": "Equal", "value": "ml", "effect": "NoExecute",
         "tolerationSeconds": "60"},
    ]  # fmt: skip
    required, preferred = told["nodeAffinity"]
    assert required["matchExpressions"][0]["values"] == ["a", "b"]
    assert (preferred["matchExpressions"][0]["operator"], preferred["weight"]) == ("Exists", 50)


def test_what_is_mounted() -> None:
    told, _ = _compiled(
        work().with_pod(
            mounts={
                "/data": VolumeClaim("penguins", sub_path="v2"),
                "/scratch": EmptyFolder("50Gi"),
                "/fast": EphemeralVolume("500Gi", storage_class="ssd"),
                "/key": SecretFiles("gcs-key"),
                "/app": ConfigMapFiles("app", optional=True),
            },
            shared_memory="4Gi",
        )
    )
    (claim,) = told["pvcMount"]
    assert (claim["constant"], claim["mountPath"], claim["subPath"]) == ("penguins", "/data", "v2")
    scratch, shared = told["emptyDirMounts"]
    assert (scratch["mountPath"], scratch["sizeLimit"]) == ("/scratch", "50Gi")
    assert (shared["mountPath"], shared["sizeLimit"], shared["medium"]) == (
        "/dev/shm", "4Gi", "Memory",
    )  # fmt: skip
    assert scratch["volumeName"] != shared["volumeName"]
    (fast,) = told["genericEphemeralVolume"]
    assert (fast["size"], fast["storageClassName"], fast["accessModes"]) == (
        "500Gi", "ssd", ["ReadWriteOnce"],
    )  # fmt: skip
    assert told["secretAsVolume"][0]["secretName"] == "gcs-key"
    assert told["configMapAsVolume"][0]["optional"]


def test_the_environment() -> None:
    told, container = _compiled(
        work().with_pod(
            environment={
                "LEVEL": "debug",
                "TOKEN": SecretKey("hub", "token"),
                "MODE": ConfigMapKey("app", "mode", optional=True),
            }
        )
    )
    assert container["env"] == [{"name": "LEVEL", "value": "debug"}]
    (secret,) = told["secretAsEnv"]
    assert (secret["secretName"], secret["keyToEnv"]) == (
        "hub", [{"secretKey": "token", "envVar": "TOKEN"}],
    )  # fmt: skip
    assert told["configMapAsEnv"][0]["keyToEnv"] == [{"configMapKey": "mode", "envVar": "MODE"}]


def test_image_metadata_and_user() -> None:
    told, container = _compiled(
        work().with_pod(
            image="other:2",
            image_pull_policy="Always",
            image_pull_secrets=["registry"],
            labels={"kueue.x-k8s.io/queue-name": "ml"},
            annotations={"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
            run_as_user=10001,
        )
    )
    assert container["image"] == "other:2"
    assert told["imagePullPolicy"] == "Always"
    assert told["imagePullSecret"][0]["secretName"] == "registry"
    assert told["podMetadata"]["labels"] == {"kueue.x-k8s.io/queue-name": "ml"}
    assert told["podMetadata"]["annotations"]
    assert told["securityContext"]["runAsUser"] == "10001"


def test_a_node_s_settings_come_before_those_of_all() -> None:
    common = PodSettings(
        environment={"A": "all", "B": "all"}, image_pull_secrets=["registry"], image="all:1"
    )
    told, container = _compiled(
        work().with_pod(environment={"B": "own"}, labels={"x": "y"}), pod=common, image="runner:1"
    )
    assert container["env"] == [{"name": "A", "value": "all"}, {"name": "B", "value": "own"}]
    assert container["image"] == "all:1"
    assert told["imagePullSecret"][0]["secretName"] == "registry"
    assert told["podMetadata"]["labels"] == {"x": "y"}


def test_what_is_computed_does_not_depend_on_the_pod() -> None:
    """Kubeflow's cache compares arguments: they are the same on another pool of machines."""
    _, one = _compiled(work())
    _, other = _compiled(work().with_pod(node_selector={"pool": "b"}, image="i:2"))
    assert one["args"] == other["args"]


def test_a_setting_that_kubeflow_cannot_honour_is_refused_or_allowed_by_name() -> None:
    node = work().with_pod(priority_class="high", service_account="trainer")
    graph = compile_pipeline(Pipeline("p", "gs://b/r", [node]))
    with pytest.raises(
        UnsupportedSetting, match=r"priority_class='high': Kubeflow's tasks have no"
    ):
        compile_to_yaml(graph)
    (left,) = (
        each for each in limits(graph, KubeflowConfig(allow=["priority_class"])) if each.fatal
    )
    assert "service_account='trainer': Kubeflow runs all tasks of a run under the run's" in str(
        left
    )
    allowed = KubeflowConfig(allow=["work.priority_class", "service_account"])
    assert [each.fatal for each in limits(graph, allowed)] == [False, False]
    assert compile_to_yaml(graph, allowed)
    assert any(each.fatal for each in limits(graph, KubeflowConfig(allow=["x.priority_class"])))
    with pytest.raises(ParameterError, match="no 'priority'. Did you mean 'priority_class'"):
        KubeflowConfig(allow=["priority"])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"mounts": {"/a": SecretFiles("x"), "/b": ConfigMapFiles("x")}}, "'x' cannot be mounted at /a "
         "and at /b"),
        ({"mounts": {"/b": VolumeClaim("shared")}}, "'shared' cannot be mounted at /models and at /b"),
        ({"mounts": {"/models": EmptyFolder()}}, "KubeflowConfig.volumes mounts a claim there"),
        ({"mounts": {"/gcs": EmptyFolder()}}, "Kubeflow mounts a folder of its own there"),
        ({"environment": {"PENSTOCK_STORE": "x"}}, "this variable is set for every container"),
        ({"environment": {"FORMAT": "{{x}}"}}, "Argo would replace what stands in '{{'"),
        ({"environment": {"PENSTOCK_POD_UID": "x"}}, "this variable is set for every container"),
    ],
)  # fmt: skip
def test_what_a_cluster_would_refuse(settings: dict[str, Any], said: str) -> None:
    store = SecretKey("metadata", "url")
    (text,) = _texts(work().with_pod(**settings), volumes={"shared": "/models"}, store=store)
    assert said in text


def test_a_label_that_contradicts_the_accelerator() -> None:
    node = work().with_resources(accelerator="nvidia-l4")
    node.with_pod(node_selector={"cloud.google.com/gke-accelerator": "nvidia-t4"})
    (text,) = _texts(node)
    assert "selects machines with 'nvidia-l4', and no machine has 'nvidia-t4' as well" in text


def test_the_stand_in_gives_what_secrets_and_config_maps_hold(tmp_path: Path) -> None:
    sources = {
        "TOKEN": SecretKey("hub", "token"),
        "MODE": ConfigMapKey("app", "mode"),
        "ABSENT": SecretKey("hub", "absent", optional=True),
    }
    graph = compile_pipeline(Pipeline("p", "/r", [work().with_pod(environment=sources)]))
    text = compile_to_yaml(graph, KubeflowConfig())
    given = {("hub", "token"): "t", ("app", "mode"): "m"}
    for secrets, found in ((given, {"TOKEN": "t", "MODE": "m"}), (None, {})):
        pipeline = CompiledPipeline(text, tmp_path, Processes(tmp_path), secrets)
        task = pipeline.prepare("work", "run-1", {"pipeline_root": "/r"}, {})
        assert task.call.environment == found
