"""A Trainer of two replicas in pods of a real cluster: found, lost, gone on with, cleaned up after."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kubernetes", reason="kubernetes is not installed")

from control_plane import Cluster
from kubernetes import client
from replica_project import ROLE, TrainerInPod, TrainJobs, line_pipeline, pods_of, write_project
from waiting import until

from penstock import LocalDagRunner
from penstock.dsl import Resources
from penstock.graph import compile_pipeline
from penstock.launch.project_archive import upload_project
from penstock.runners.kubeflow import KubeflowConfig, ReplicaPods, compile_to_yaml
from penstock.runners.result import RunFailed
from penstock.testing.kubeflow import CompiledPipeline

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> str:
    name = cluster.namespace("replicas")
    account = {"kind": "ServiceAccount", "name": "pipeline-runner", "namespace": name}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "pipeline-runner"}
    rbac = "rbac.authorization.k8s.io/v1"
    metadata = {"name": "pipeline-runner", "namespace": name}
    cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": rbac, "kind": "Role", "metadata": metadata, "rules": ROLE},
        {
            "apiVersion": rbac,
            "kind": "RoleBinding",
            "metadata": metadata,
            "subjects": [account],
            "roleRef": role,
        },
    )
    return name


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Training:
    """One run of the compiled pipeline, on a thread."""

    def __init__(self, cluster: Cluster, namespace: str, project: Path, **pipeline: Any) -> None:
        self.cluster, self.namespace = cluster, namespace
        replicas = pipeline.pop("replicas", ReplicaPods(wait_seconds=240))
        root = pipeline.pop("root", str(project / "root"))
        archive = pipeline.pop("archive", None)
        graph = compile_pipeline(line_pipeline(root, **pipeline))
        config = KubeflowConfig(
            image="line:1",
            pipeline_root=root,
            project_archive=archive,
            volumes={"work": str(project)},
            replicas=replicas,
            seed=1,
            deterministic=True,
        )
        self.engine = TrainerInPod(cluster, namespace, project, "pipeline-runner")
        self._compiled = CompiledPipeline(
            compile_to_yaml(graph, config), project / "references", self.engine
        )
        self.result: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._compiled.run({})
        except BaseException as error:
            self.error = error

    def log(self) -> str:
        with contextlib.suppress(LookupError, FileNotFoundError):  # it has not started
            return self.cluster.agent.logs(self.engine.name, namespace=self.namespace)
        return ""

    def until(self, text: str, seconds: float = 150.0) -> None:
        end = time.monotonic() + seconds
        while not self.engine.name or text not in self.log():
            assert self._thread.is_alive(), self.error
            assert time.monotonic() < end, self.log()
            time.sleep(0.2)

    def done(self) -> Any:
        self._thread.join(300)
        if self.error is not None:
            raise self.error
        return self.result

    def pods(self) -> list[str]:
        return [each.metadata.name for each in pods_of(self.cluster, self.namespace)]


def weights(result: Any) -> list[float]:
    (run,) = result["Trainer"].outputs["model_run"]
    found: list[float] = json.loads(Path(run.uri, "weights.json").read_text())
    return found


def test_a_worker_that_is_killed_changes_nothing_but_the_log(
    cluster: Cluster, namespace: str, project: Path
) -> None:
    declared = {
        "backend": "jax",
        "distribution": "data_parallel",
        "resources": Resources(replicas=2, cpu=1, memory="1Gi"),
    }
    training = Training(
        cluster, namespace, project, config={"epochs": 8, "seconds": 0.5}, **declared
    )
    training.until("[chief] reached epoch 2")
    (job,) = client.BatchV1Api(cluster.api()).list_namespaced_job(namespace).items
    assert (job.spec.completion_mode, job.spec.parallelism) == ("Indexed", 2)
    (second,) = [each for each in training.pods() if each.startswith(f"{job.metadata.name}-1-")]
    spec = client.CoreV1Api(cluster.api()).read_namespaced_pod(second, namespace).spec
    assert spec.containers[0].resources.limits == {"cpu": "1", "memory": "1Gi"}
    assert spec.service_account_name == "pipeline-runner"
    cluster.agent.kill(second, namespace=namespace)
    result = training.done()
    log = training.log()
    assert f"worker 1 was lost with its pod {second}: " in log, log
    assert "exit status 137" in log
    assert "all 2 processes start again (1 of 3 times)" in log
    assert result["Trainer"].outputs["model"]
    # It went on from a checkpoint, and the weights are those of a run that nobody disturbed, elsewhere.
    assert log.count("[chief] reached epoch 1\n") == 1
    undisturbed = line_pipeline(
        str(project / "local"), config={"epochs": 8, "seconds": 0}, **declared
    )
    local = LocalDagRunner(progress="none").run(
        undisturbed, project_root=str(project), seed=1, deterministic=True
    )
    assert weights(result) == weights(local)
    # Nothing is left.
    until(lambda: not training.pods(), "the pods are removed")
    assert client.BatchV1Api(cluster.api()).list_namespaced_job(namespace).items == []
    assert client.CoreV1Api(cluster.api()).list_namespaced_service(namespace).items == []


def test_parameter_servers_are_pods_of_one_job(
    cluster: Cluster, namespace: str, project: Path
) -> None:
    training = Training(
        cluster,
        namespace,
        project,
        backend="tensorflow",
        distribution="parameter_server",
        config={"epochs": 2, "seconds": 0},
        resources=Resources(replicas=1, parameter_servers=1),
    )
    result = training.done()
    assert result["Trainer"].outputs["model"]
    log = training.log()
    for name in ("chief", "worker 0", "ps 0"):
        assert f"{name}: process 2 has joined" in log, log


def test_a_train_job_and_a_root_that_every_pod_copies_from(
    cluster: Cluster,
    namespace: str,
    project: Path,
    trainer: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FSSPEC_LOCAL_AUTO_MKDIR", "true")
    # Each pod unpacks the project for itself, too.
    archive = upload_project(str(project), f"local://{project}/archives")
    controller = TrainJobs(cluster, namespace)
    controller.start()
    try:
        training = Training(
            cluster,
            namespace,
            project,
            root=f"local://{project}/root",
            archive=archive,
            backend="tensorflow",
            distribution="multi_worker",
            config={"epochs": 2, "seconds": 0},
            resources=Resources(replicas=2),
            replicas=ReplicaPods(launcher="trainjob", queue="gold", wait_seconds=240),
        )
        result = training.done()
    finally:
        controller.stop()
    (made,) = controller.seen
    assert made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gold"
    (model,) = result["Trainer"].outputs["model"]
    assert model.uri.startswith("local://")
    assert Path(model.uri.removeprefix("local://"), "Format-Serving/saved_model.pb").exists()
    assert "worker 1: process 2 has joined" in training.log()
    until(lambda: not training.pods(), "the pods are removed")


def test_all_ends_with_the_node_s_pod(cluster: Cluster, namespace: str, project: Path) -> None:
    training = Training(
        cluster,
        namespace,
        project,
        backend="jax",
        distribution="data_parallel",
        config={"epochs": 500, "seconds": 0.5},
        resources=Resources(replicas=2),
    )
    training.until("[chief] reached epoch 1\n")
    assert len(training.pods()) == 2
    cluster.agent.kill(training.engine.name, namespace=namespace)
    # No signal could be caught: the agents notice, and their Job fails instead of making others.
    (job,) = client.BatchV1Api(cluster.api()).list_namespaced_job(namespace).items
    client.CoreV1Api(cluster.api()).delete_namespaced_pod(training.engine.name, namespace)
    with pytest.raises(RunFailed):
        training.done()
    until(lambda: not training.pods(), "the pods are removed")
    until(
        lambda: not client.BatchV1Api(cluster.api()).list_namespaced_job(namespace).items,
        f"{job.metadata.name} is removed with its owner",
    )
    until(
        lambda: not client.CoreV1Api(cluster.api()).list_namespaced_service(namespace).items,
        "so is its service",
    )
