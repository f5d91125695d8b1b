"""What a process in a pod of its own does first."""

from __future__ import annotations

import json
import os
import pickle
import sys
from functools import partial
from pathlib import Path

import pytest
from fsspec.config import conf

from penstock.artifacts import Integer
from penstock.dsl import Component, ExecutionContext, Output, Pipeline, Resources, output
from penstock.graph import compile_pipeline
from penstock.launch.project_archive import upload_project
from penstock.pods.pod_hosts import PodHosts
from penstock.runners.kubeflow import ReplicaPods
from penstock.runners.kubeflow.container import entrypoint
from penstock.runners.kubeflow.container.executor_input import ExecutorInput
from penstock.runners.kubeflow.container.replica import prepare_replica
from penstock.runners.kubeflow.container.task import ContainerTask


class Several(Component):
    """Works in several processes."""

    number: Output[Integer] = output()

    def check_resources(self, resources: Resources) -> None:
        """Refuse nothing."""

    def run(self, context: ExecutionContext) -> None:
        self.number.write(1)


@pytest.mark.parametrize(
    ("replicas", "variable", "in_pods"),
    [
        (True, "PENSTOCK_POD_NAME", True),
        (True, "KFP_POD_NAME", True),
        (True, "NOTHING", False),
        (False, "PENSTOCK_POD_NAME", False),
    ],
)
def test_where_processes_run(
    replicas: bool,
    variable: str,
    in_pods: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PENSTOCK_POD_NAME", "KFP_POD_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "several-1")
    monkeypatch.setattr(sys, "path", list(sys.path))
    graph = compile_pipeline(Pipeline("p", None, [Several().with_resources(replicas=2)]))
    told = ReplicaPods().to_json() if replicas else None
    task = ContainerTask.of(graph, graph["Several"], replicas=told)
    given = {
        "inputs": {"parameterValues": {"pipeline-root": str(tmp_path)}},
        "outputs": {"outputFile": str(tmp_path / "output.json")},
    }
    inputs = entrypoint._read(task, ExecutorInput.parse(json.dumps(given)), str(tmp_path))
    assert isinstance(entrypoint._hosts(inputs), PodHosts) is in_pods


def test_each_pod_enters_the_store_and_unpacks_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/line.py").write_text("x = 1\n")
    archive = upload_project(str(tmp_path / "project"), str(tmp_path / "archives"))
    monkeypatch.setenv("FSSPEC_S3_ENDPOINT_URL", "before")  # so that it is as before afterwards
    monkeypatch.setitem(conf, "s3", {})
    root = "s3://bucket/line?endpoint=store:9000&disableSSL=true"
    folder = tmp_path / "pod/project"
    pickle.loads(pickle.dumps(partial(prepare_replica, root, archive, str(folder))))()
    assert os.environ["FSSPEC_S3_ENDPOINT_URL"] == "http://store:9000"
    assert (folder / "line.py").exists()
    prepare_replica(str(tmp_path), None, str(tmp_path / "elsewhere"))
    assert not (tmp_path / "elsewhere").exists()
