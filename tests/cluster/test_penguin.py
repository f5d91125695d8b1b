"""The penguin pipeline on a cluster: from a laptop's run to a schedule, with one store for both."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("kubernetes", reason="kubernetes is not installed")
pytest.importorskip("kfp", reason="kfp is not installed")

import waiting
from control_plane import Cluster
from kubeflow_api import KubeflowApi
from kubeflow_pods import PodContainers
from kubernetes import client

pytestmark = [pytest.mark.cluster, pytest.mark.tensorflow]

REPOSITORY = Path(__file__).resolve().parents[2]
CLAIM = "artifacts"
SECONDS = 900.0
until = functools.partial(waiting.until, seconds=SECONDS)

CONFIG = """
from penstock.runners.kubeflow import KubeflowConfig, SecretKey

kubeflow_config = KubeflowConfig(
    image={image!r},
    volumes={{{claim!r}: {root!r}}},
    store=SecretKey("penstock", "store-url"),
)
"""


class Place(NamedTuple):
    """Where one test works: a namespace, with Kubeflow and what its pods need.

    Attributes:
        namespace: The namespace.
        database: URL of the store, for pods and laptop.
        root: Folder of the artifacts: the claim's, mounted at the same path in pods.
        kubeflow: Its Kubeflow.
        pods: Its pods by the name of Argo's node.
        laptop: A copy of the project.
        built: Another copy: what is in the image.
    """

    namespace: str
    database: str
    root: Path
    kubeflow: KubeflowApi
    pods: PodContainers
    laptop: Path
    built: Path

    def penstock(self, *words: str, folder: Path | None = None) -> str:
        """Run a command on the laptop; return what it printed."""
        environment = {**os.environ, "KF_PIPELINES_ENDPOINT": self.kubeflow.url}
        environment["PENSTOCK_STORE"] = self.database
        done = subprocess.run(
            [sys.executable, "-m", "penstock", *words],
            cwd=folder or self.laptop,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{words}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def show(self, run: str = "latest") -> Any:
        """Return what the store knows of a run."""
        return json.loads(self.penstock("show", run, "--json"))


@pytest.fixture
def place(cluster: Cluster, database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    namespace = cluster.namespace(f"penguin-{request.node.name[5:25].replace('_', '-')}".strip("-"))
    core = client.CoreV1Api(cluster.api())
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "pipeline-runner"}})
    core.create_namespaced_secret(
        namespace, {"metadata": {"name": "penstock"}, "stringData": {"store-url": database}}
    )
    claim = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    core.create_namespaced_persistent_volume_claim(
        namespace, {"metadata": {"name": CLAIM}, "spec": claim}
    )
    root = cluster.agent.claim(namespace, CLAIM)
    references = cluster.shared_folder(namespace)
    image = f"{namespace}:1"
    laptop, built = (project(tmp_path / each, root, image) for each in ("laptop", "built"))
    cluster.agent.projects[image] = built
    pods = PodContainers(cluster, namespace, str(references))
    secrets = {("penstock", "store-url"): database}
    with KubeflowApi(references, pods, secrets=secrets) as kubeflow:
        yield Place(namespace, database, root, kubeflow, pods, laptop, built)


def project(folder: Path, root: Path, image: str) -> Path:
    """Copy the project, with a root and a destination that all containers see."""
    folder.mkdir()
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    for name in ("pipelines", "modules", "data"):
        shutil.copytree(REPOSITORY / name, folder / name)
    path = folder / "pipelines" / "penguin.py"
    text = path.read_text(encoding="utf-8")
    for old, new in (
        ('    "penguin",\n', f'    "penguin",\n    pipeline_root="{root}/pipeline",\n'),
        ('"serving_model/penguin"', f'"{root}/serving_model"'),
        (
            "    module_file=MODULE,\n)\ntuner",
            "    module_file=MODULE,\n).with_policy(retries=1)\ntuner",
        ),
    ):
        assert old in text
        text = text.replace(old, new)
    text = text.replace(
        "\nif __name__", CONFIG.format(image=image, claim=CLAIM, root=str(root)) + "\nif __name__"
    )
    path.write_text(text, encoding="utf-8")
    return folder


def states(run: Any) -> dict[str, str]:
    return {node["id"]: node["state"] for node in run["nodes"]}


def cached(run: Any) -> dict[str, str]:
    """Return the states of a run that computes nothing; a resolver always looks."""
    return {
        node["id"]: "COMPLETE" if node["kind"] == "resolver" else "CACHED" for node in run["nodes"]
    }


def test_a_cluster_finds_all_that_a_laptop_has_computed(cluster: Cluster, place: Place) -> None:
    place.penstock("run", "pipelines/penguin.py", "--param", "train_steps=60")
    here = place.show()
    assert here["state"] == "COMPLETE"

    place.penstock("kubeflow", "run", "pipelines/penguin.py", "--param", "train_steps=60")
    there = place.show()
    assert there["run_id"] != here["run_id"]
    assert there["state"] == "COMPLETE"
    assert states(there) == cached(here)
    assert here["run_id"] in place.penstock("why", "latest", "Trainer")


def test_a_schedule_runs_twice_and_a_killed_node_is_tried_again(
    cluster: Cluster, place: Place
) -> None:
    place.penstock(
        *("kubeflow", "schedule", "pipelines/penguin.py", "--cron", "* * * * *"),
        *("--param", "train_steps=60"),
    )
    node = until(
        lambda: next((each for each in place.pods.pods if ".transform." in each), None),
        "the pod of Transform",
    )
    until(lambda: (place.root / "pipeline" / "Transform").exists(), "its first attempt")
    cluster.agent.kill(place.pods.pods[node])

    until(lambda: len(place.kubeflow.runs) == 2, "the second run")
    place.penstock("kubeflow", "unschedule", "penguin")

    def ended() -> bool:
        runs = list(place.kubeflow.runs.values())
        found = [each for each in runs if each["state"] not in ("RUNNING", "PENDING")]
        assert all(each["state"] == "SUCCEEDED" for each in found), found
        return len(found) == 2

    until(ended, "the end of both")
    runs = json.loads(place.penstock("runs", "--json"))  # the newest first
    second, first = (place.show(each["run_id"]) for each in runs)
    assert first["state"] == second["state"] == "COMPLETE"
    attempts = {each["id"]: each["attempts"] for each in first["nodes"]}
    assert attempts == dict.fromkeys(attempts, 1) | {"Transform": 2}
    assert states(second) == cached(first)
    (pushed,) = place.root.glob("serving_model/*/saved_model.pb")
    assert pushed.stat().st_size > 0
