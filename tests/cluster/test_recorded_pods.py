"""What pods write of themselves into the store, and how they find the root's credentials."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kubernetes", reason="kubernetes is not installed")

import waiting
from control_plane import Cluster
from kubernetes import client

from penstock.dsl import Pipeline
from penstock.graph import compile_pipeline
from penstock.runners.kubeflow.container.task import ContainerTask
from penstock.store import ExecutionState, MetadataStore, RunState

pytestmark = pytest.mark.cluster

SECONDS = 180.0
until = functools.partial(waiting.until, seconds=SECONDS)
CLAIM = "artifacts"

NODE = """
import pathlib, time
from penstock.artifacts import Model
from penstock.dsl import ExecutionContext, Output, component

@component
def patient(model: Output[Model], marker: str) -> None:
    pathlib.Path(model.uri, "weights").write_text("0")
    if not pathlib.Path(marker).exists():
        pathlib.Path(marker).write_text("")
        time.sleep(600)
"""

PROVIDERS = """
s3:
  default:
    endpoint: store.team:9000
    disableSSL: true
    region: here
    credentials: {secretRef: {secretName: bucket, accessKeyKey: id, secretKeyKey: word}}
"""

FIND = """
import json
from fsspec.config import conf
from penstock.runners.kubeflow.container.object_store import enter_object_store
enter_object_store("s3://bucket/p")
print(json.dumps(conf["s3"]))
"""


def pod(name: str, *command: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "recorded:1", "command": list(command)}
    container |= spec.pop("container", {})
    told = {"containers": [container], "restartPolicy": "Never", **spec}
    return {"metadata": {"name": name}, "spec": told}


def phase(core: client.CoreV1Api, name: str, namespace: str) -> str:
    found = core.read_namespaced_pod(name, namespace).status.phase
    return str(found) if found in ("Succeeded", "Failed") else ""


def test_a_deleted_pod_is_canceled_and_its_retry_completes_the_run(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace = cluster.namespace("recorded-pods")
    core = client.CoreV1Api(cluster.api())
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("[tool.penstock]\n")
    (project / "patient_node.py").write_text(NODE)
    cluster.agent.projects["recorded:1"] = project
    monkeypatch.syspath_prepend(str(project))
    from patient_node import patient  # type: ignore[import-not-found]

    claim = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    core.create_namespaced_persistent_volume_claim(
        namespace, {"metadata": {"name": CLAIM}, "spec": claim}
    )
    root = cluster.agent.claim(namespace, CLAIM)
    node = patient(marker=f"{root}/marker").with_policy(retries=1)
    graph = compile_pipeline(Pipeline("p", None, [node]))
    message = {
        "inputs": {"parameterValues": {"pipeline-root": f"{root}/p", "run-id": "run-7"}},
        "outputs": {
            "artifacts": {
                "model": {"artifacts": [{"name": "model", "uri": f"{root}/references/model"}]}
            },
            "outputFile": f"{root}/references/output.json",
        },
    }
    command = [
        "python", "-m", "penstock.launch", "--executor-input", json.dumps(message),
        "--task", ContainerTask.of(graph, graph["patient"], recorded=True).to_text(),
    ]  # fmt: skip
    database = f"{root}/metadata.db"
    more: dict[str, Any] = {
        "container": {
            "env": [
                {"name": "PENSTOCK_STORE", "value": database},
                {"name": "PENSTOCK_POD_NAME", "value": "first"},
            ],
            "volumeMounts": [{"name": "root", "mountPath": str(root)}],
        },
        "volumes": [{"name": "root", "persistentVolumeClaim": {"claimName": CLAIM}}],
    }
    core.create_namespaced_pod(namespace, pod("first", *command, **json.loads(json.dumps(more))))
    until(lambda: Path(root, "marker").exists(), "the node's start")
    with MetadataStore.open(database) as store:
        assert store.get_run("run-7").state is RunState.RUNNING
        core.delete_namespaced_pod("first", namespace)
        (execution,) = until(
            lambda: [
                each
                for each in store.run_executions("run-7")
                if each.state is ExecutionState.CANCELED
            ],
            "the record of the pod's end",
        )
        assert execution.error == "stopped by a signal (SIGTERM)"
        # It is to be tried again.
        assert store.get_run("run-7").state is RunState.RUNNING
        core.create_namespaced_pod(namespace, pod("second", *command, **more))
        until(lambda: phase(core, "second", namespace) == "Succeeded", "the end of the retry")
        assert [(each.attempt, each.state.name) for each in store.run_executions("run-7")] == [
            (1, "CANCELED"),
            (2, "COMPLETE"),
        ]
        assert store.get_run("run-7").state is RunState.COMPLETE


def test_a_pod_reads_the_launcher_s_configuration_with_its_own_account(cluster: Cluster) -> None:
    namespace = cluster.namespace("recorded-roots")
    core = client.CoreV1Api(cluster.api())
    rbac = "rbac.authorization.k8s.io"
    name = {"name": "reader", "namespace": namespace}
    core.create_namespaced_config_map(
        namespace, {"metadata": {"name": "kfp-launcher"}, "data": {"providers": PROVIDERS}}
    )
    core.create_namespaced_secret(
        namespace, {"metadata": {"name": "bucket"}, "stringData": {"id": "me", "word": "open"}}
    )
    cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": name},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "Role",
            "metadata": name,
            "rules": [
                {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["get"]}
            ],
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": name,
            "subjects": [{"kind": "ServiceAccount", **name}],
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "reader"},
        },
    )
    for account, expected in (("reader", "Succeeded"), ("default", "Failed")):
        told = pod(account, "python", "-c", FIND, serviceAccountName=account)
        core.create_namespaced_pod(namespace, told)
        until(lambda: phase(core, account, namespace), f"the end of {account}")  # noqa: B023
        assert phase(core, account, namespace) == expected, cluster.agent.logs(account)
    assert json.loads(cluster.agent.logs("reader")) == {
        "endpoint_url": "http://store.team:9000",
        "key": "me",
        "secret": "open",
    }
    assert "Kubernetes refuses to read configmaps/kfp-launcher" in cluster.agent.logs("default")
