"""The roles that `penstock kubeflow role` prints: they suffice, and give no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kubernetes", reason="kubernetes is not installed")
pytest.importorskip("kfp", reason="kfp is not installed")

import yaml
from control_plane import Cluster
from kubeflow_api import KubeflowApi
from kubeflow_pods import PodContainers
from kubernetes import client, config

from penstock.cli import main
from penstock.pods.cluster import Cluster as PodsCluster
from penstock.pods.cluster import ClusterError

pytestmark = pytest.mark.cluster

PIPELINE = """
from penstock.artifacts import Integer
from penstock.dsl import Output, Pipeline, component


@component
def count(number: Output[Integer], words: str) -> None:
    '''Count words.'''
    number.value = len(words.split())
    print("counted", number.value)


pipeline = Pipeline("small", components=[count(words="a b c").with_id("Count")])
"""

FORWARD = """
import socket, sys, threading
def pass_on(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)
for listening in [socket.create_server(("0.0.0.0", 8888))]:
    while True:
        near, _ = listening.accept()
        far = socket.create_connection((sys.argv[1], int(sys.argv[2])))
        for pair in ((near, far), (far, near)):
            threading.Thread(target=pass_on, args=pair, daemon=True).start()
"""


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    assert main(["kubeflow", "role", *words]) == 0
    return list(yaml.safe_load_all(capsys.readouterr().out))


def account_in(cluster: Cluster, namespace: str) -> Any:
    """Return an ApiClient with the rights of the service account `pipeline-runner`."""
    core = client.CoreV1Api(cluster.api())
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "pipeline-runner"}})
    settings = client.Configuration()
    path = cluster.kubeconfig_of("pipeline-runner", namespace)
    config.load_kube_config(str(path), client_configuration=settings)
    return client.ApiClient(settings)


def test_nodes_may_make_jobs_and_services_and_see_their_pods(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    namespace = cluster.namespace("roles-of-nodes")
    there = PodsCluster(account_in(cluster, namespace), namespace)
    with pytest.raises(ClusterError, match="403"):
        there.find("pods", "a=b")
    cluster.apply(*printed(capsys, "nodes", "--namespace", namespace, "--trainer"))
    cluster.wait(lambda: there.find("pods", "a=b") == [], ClusterError)  # the role is in force

    service = {"metadata": {"name": "a"}, "spec": {"clusterIP": "None", "selector": {"a": "b"}}}
    there.create("services", service)
    container = {"name": "main", "image": "a:1", "command": ["echo", "hello"]}
    template = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    template["metadata"] = {"labels": {"a": "b"}}
    job = {"metadata": {"name": "a"}, "spec": {"template": template, "backoffLimit": 0}}
    there.create("batch/v1/jobs", job)
    core = client.CoreV1Api(cluster.api())

    def pods() -> list[Any]:
        return there.find("pods", "a=b")

    cluster.wait(lambda: pods()[0]["status"]["phase"] == "Succeeded", IndexError)
    (pod,) = pods()
    assert there.log_tail(pod["metadata"]["name"]) == "hello"
    assert there.get("pods", pod["metadata"]["name"]) is not None
    for kind in ("batch/v1/jobs", "services"):
        there.delete(kind, "a")
        assert there.get(kind, "a") is None
    cluster.wait(lambda: not pods())

    for kind, body in (("secrets", {}), ("pods", {"spec": {"containers": [container]}})):
        with pytest.raises(ClusterError, match="403"):
            there.create(kind, {"metadata": {"name": "b"}, **body})
    for kind in ("secrets", "configmaps"):
        with pytest.raises(ClusterError, match="403"):
            there.get(kind, "b")
    elsewhere = PodsCluster(there._client, "default")
    with pytest.raises(ClusterError, match="403"):
        elsewhere.find("pods", "a=b")
    review = client.AuthorizationV1Api(there._client).create_self_subject_access_review
    for verb in ("get", "create", "delete"):
        asked = {"namespace": namespace, "verb": verb, "group": "trainer.kubeflow.org"}
        asked["resource"] = "trainjobs"
        answer = review({"spec": {"resourceAttributes": asked}})
        assert answer.status.allowed
    assert core.list_namespaced_secret(namespace).items == []


def test_people_reach_kubeflow_through_the_api_server(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    namespace = cluster.namespace("kubeflow-people")
    core = client.CoreV1Api(cluster.api())
    for name in ("pipeline-runner", "someone"):
        core.create_namespaced_service_account(namespace, {"metadata": {"name": name}})
    cluster.namespace("elsewhere")
    project = tmp_path / "project"
    project.mkdir()
    (project / "small.py").write_text(PIPELINE)
    (project / "pyproject.toml").write_text("[tool.penstock]\n")
    cluster.agent.projects["small:1"] = project
    shared = cluster.shared_folder(namespace)
    pods = PodContainers(cluster, namespace, str(shared))

    at = ("--kubeflow-namespace", namespace)

    def typed(*words: str) -> subprocess.CompletedProcess[str]:
        left_out = ("KF_PIPELINES_ENDPOINT", "PENSTOCK_STORE")
        environment = {key: each for key, each in os.environ.items() if key not in left_out}
        environment["KUBECONFIG"] = str(cluster.kubeconfig_of("someone", namespace))
        return subprocess.run(
            [sys.executable, "-m", "penstock", "kubeflow", *words, *at],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    with KubeflowApi(shared, pods, host=cluster.host) as kubeflow:
        # The API server passes requests on to pods alone: this one passes them on to the stand-in.
        command = ["python", "-c", FORWARD, cluster.host, kubeflow.url.rpartition(":")[2]]
        container = {"name": "main", "image": "forward:1", "command": command}
        labels = {"app": "ml-pipeline"}
        pod = {"metadata": {"name": "ml-pipeline", "labels": labels}}
        core.create_namespaced_pod(namespace, {**pod, "spec": {"containers": [container]}})
        ports = [{"name": "http", "port": 8888, "targetPort": 8888}]
        service = {"selector": labels, "ports": ports}
        core.create_namespaced_service(
            namespace, {"metadata": {"name": "ml-pipeline"}, "spec": service}
        )
        refused = typed("status")
        assert refused.returncode != 0
        assert "403" in refused.stderr

        someone = f"system:serviceaccount:{namespace}:someone"
        cluster.apply(*printed(capsys, "people", "--user", someone, *at))
        run = typed("run", "small.py", "--image", "small:1", "--root", str(shared / "root"))
        assert run.returncode == 0, run.stdout + run.stderr
        assert "Count" in typed("status", "latest").stdout
        logs = typed("logs", "latest", "Count")
        assert "counted 3" in logs.stdout, logs.stderr
