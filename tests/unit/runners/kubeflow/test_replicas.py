"""Nodes with several replicas, as they are compiled and as their container reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from penstock.artifacts import Integer
from penstock.dsl import (
    Component,
    ExecutionContext,
    Output,
    ParameterError,
    Pipeline,
    Resources,
    RuntimeParameter,
    output,
)
from penstock.graph import compile_pipeline
from penstock.pods.request import PodRequest
from penstock.runners.kubeflow import KubeflowConfig, ReplicaPods, compile_to_yaml
from penstock.runners.kubeflow.container.task import ContainerTask
from penstock.runners.kubeflow.replicas import pod_request


class Several(Component):
    """Works in several processes."""

    number: Output[Integer] = output()

    def check_resources(self, resources: Resources) -> None:
        """Refuse nothing."""

    def run(self, context: ExecutionContext) -> None:
        self.number.write(1)


def _compiled(resources: dict[str, Any], **config: Any) -> tuple[dict[str, Any], ContainerTask]:
    """Return the IR and what the container of the node is told."""
    graph = compile_pipeline(Pipeline("p", None, [Several().with_resources(**resources)]))
    given = KubeflowConfig(image="x:1", pipeline_root="gs://bucket/root", **config)
    spec = next(yaml.safe_load_all(compile_to_yaml(graph, given)))
    (executor,) = spec["deploymentSpec"]["executors"].values()
    told = executor["container"]["args"]
    return spec, ContainerTask.parse(told[told.index("--task") + 1])


def test_the_node_s_own_pod_asks_for_no_accelerator_and_is_told_what_the_others_ask_for() -> None:
    resources = {"replicas": 2, "cpu": 8, "memory": "32Gi", "accelerator": "nvidia-l4"}
    spec, task = _compiled(resources, replicas=ReplicaPods(queue="gold", cpu=0.5, memory="2Gi"))
    (executor,) = spec["deploymentSpec"]["executors"].values()
    asked = executor["container"]["resources"]
    assert (asked["resourceCpuLimit"], asked["resourceMemoryLimit"]) == ("500m", "2Gi")
    assert "accelerator" not in asked
    assert task.replicas is not None
    assert pod_request(task.node.bound_resources, task.replicas) == PodRequest(
        queue="gold",
        requests={"cpu": "8000m", "memory": "32Gi"},
        accelerators={"nvidia.com/gpu": "1"},
        node_selector={"cloud.google.com/gke-accelerator": "nvidia-l4"},
    )


def test_the_number_of_replicas_is_a_parameter_of_the_run() -> None:
    replicas = RuntimeParameter("workers", int, 2, "pods that train")
    memory = RuntimeParameter("memory", str, "4Gi", "of each pod")
    spec, task = _compiled({"replicas": replicas, "memory": memory})
    inputs = spec["root"]["inputDefinitions"]["parameters"]
    assert inputs["workers"]["defaultValue"] == 2
    bound = task.graph.bind({"workers": 8, "memory": "1.5Gi"}).nodes[0].bound_resources
    assert task.replicas is not None
    request = pod_request(bound, task.replicas)
    assert (bound.replicas, request.requests) == (8, {"memory": "1610612736"})


def test_a_node_with_one_process_is_told_nothing() -> None:
    _, task = _compiled({"cpu": 2, "memory": "1Gi"})
    assert (task.replicas, task.node.resources) == (None, {})


def test_chips_of_a_slice() -> None:
    resources = Resources(accelerator="tpu-v5e", accelerator_count=4, topology="4x4", replicas=4)
    request = pod_request(resources, ReplicaPods(launcher="trainjob").to_json())
    assert (request.tpu, request.kind) == (True, "trainjob")
    assert request.accelerators == {"google.com/tpu": "4"}
    assert request.node_selector == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
        "cloud.google.com/gke-tpu-topology": "4x4",
    }
    assert PodRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"launcher": "trainjobs"}, "Received: 'trainjobs'. Did you mean 'trainjob'?"),
        ({"wait_seconds": 0}, "wait_seconds is a number above 0. Received: 0"),
        ({"memory": "much"}, "Resources.memory is a size"),
    ],
)
def test_wrong_settings_of_replicas(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        ReplicaPods(**given)


def test_an_accelerator_that_kubeflow_does_not_know_is_refused_when_it_is_compiled() -> None:
    with pytest.raises(ParameterError, match="'gold' is unknown on Kubeflow"):
        _compiled({"replicas": 2, "accelerator": "gold"})
