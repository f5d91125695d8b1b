"""Runs on the cluster: the verbs of `penstock.kubeflow`, the pods made and run by Kubernetes itself."""

from __future__ import annotations

import textwrap
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kubernetes", reason="kubernetes is not installed")
pytest.importorskip("kfp", reason="kfp is not installed")

from control_plane import Cluster
from kubeflow_api import KubeflowApi
from kubeflow_pods import PodContainers
from kubernetes import client

from penstock.kubeflow import Connection, Kubeflow, find_connection
from penstock.kubeflow.logs import read_log

pytestmark = pytest.mark.cluster

PIPELINE = """
import os
import time

from penstock.artifacts import Integer, String
from penstock.dsl import Input, Output, Pipeline, Policy, RuntimeParameter, component


@component
def read(text: Output[String], words: str) -> None:
    print("reading", words, "in", os.environ["PENSTOCK_POD_NAME"], flush=True)
    if words == "wait":
        time.sleep(600)
    text.value = words


@component
def count(text: Input[String], number: Output[Integer]) -> None:
    number.value = len(text.value.split())
    print("counted", number.value)


words = RuntimeParameter("words", str, default="a b c")
reading = read(words=words).with_id("Read").with_policy(Policy(retries=2))
counting = count(text=reading.outputs["text"]).with_id("Count")
pipeline = Pipeline("words", components=[reading, counting])
"""


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> str:
    name = cluster.namespace("kubeflow")
    core = client.CoreV1Api(cluster.api())
    core.create_namespaced_service_account(name, {"metadata": {"name": "pipeline-runner"}})
    core.create_namespaced_persistent_volume_claim(
        name,
        {
            "metadata": {"name": "data"},
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        },
    )
    return name


@pytest.fixture(scope="module")
def project(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("words")
    folder.chmod(0o755)
    (folder / "pyproject.toml").write_text("[tool.penstock]\n")
    (folder / "words_on_cluster.py").write_text(textwrap.dedent(PIPELINE))
    cluster.agent.projects["words:"] = folder
    return folder


@pytest.fixture(scope="module")
def package(project: Path) -> str:
    from penstock.cli.pipeline_file import load_pipeline
    from penstock.runners.kubeflow import KubeflowConfig, compile_to_yaml

    graph = load_pipeline(str(project / "words_on_cluster.py")).compile()
    config = KubeflowConfig(image="words:1", volumes={"data": "/data"}, pipeline_root="/data/words")
    return compile_to_yaml(graph, config)


@pytest.fixture(scope="module")
def kubeflow(
    cluster: Cluster, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kubeflow]:
    folder = tmp_path_factory.mktemp("references")
    folder.chmod(0o777)
    containers = PodContainers(cluster, namespace, str(folder))
    secrets: Any = defaultdict(str)  # the pods ask the API server
    with KubeflowApi(folder, containers, secrets=secrets) as api:
        pytest.MonkeyPatch().setenv("KUBECONFIG", str(cluster.kubeconfig))
        of_cluster = find_connection().cluster
        made = Kubeflow(Connection(find_connection(api.url).pipelines, of_cluster))
        made.pause = 0.3
        yield made


def test_a_run_is_made_of_pods_and_cached_the_second_time(kubeflow: Kubeflow, package: str) -> None:
    run = kubeflow.run(package)
    result = kubeflow.wait(run.run_id, progress="plain")

    assert [node.state for node in result.nodes.values()] == ["COMPLETE", "COMPLETE"]
    log = "".join(kubeflow.logs(run.run_id, "Count"))
    assert "counted 3" in log
    # From the pod itself, and from Kubeflow, which reads it there.
    found = kubeflow.find(run.run_id)
    task = kubeflow.package(found).task("Count")
    without = Kubeflow(Connection(kubeflow.connection.pipelines))
    assert read_log(without.server, found, task) == log

    again = kubeflow.wait(kubeflow.run(package).run_id)
    assert [node.state for node in again.nodes.values()] == ["CACHED", "CACHED"]


def test_a_node_that_is_killed_is_retried(
    kubeflow: Kubeflow, cluster: Cluster, namespace: str, package: str
) -> None:
    run = kubeflow.run(package, parameters={"words": "wait"})
    core = client.CoreV1Api(cluster.api())

    def started() -> list[str]:
        pods = core.list_namespaced_pod(
            namespace, label_selector=f"pipeline/runid={run.run_id}"
        ).items
        return [each.metadata.name for each in pods if each.status.phase == "Running"]

    first = _until(started)[0]
    _until(lambda: "reading wait in" in cluster.agent.logs(first, namespace=namespace))
    cluster.agent.kill(first, namespace=namespace)
    second = _until(lambda: [name for name in started() if name != first])[0]
    _until(lambda: "reading wait in" in cluster.agent.logs(second, namespace=namespace))

    node = kubeflow.status(run.run_id)["Read"]
    assert (node.state, node.attempts) == ("RUNNING", 2)
    assert kubeflow.cancel(run.run_id)
    ended = kubeflow.wait(run.run_id, check=False)
    assert ended.state == "CANCELED"
    assert _until(lambda: not started())


def _until(look: Any) -> Any:
    end = time.monotonic() + 120
    while not (found := look()):
        assert time.monotonic() < end
        time.sleep(0.2)
    return found
