"""Serving on the cluster: what `penstock kubeflow serve` writes, as a real API server takes and runs it."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kubernetes", reason="kubernetes is not installed")

from control_plane import Cluster
from kubernetes import client

from penstock.dsl import Resources
from penstock.kubeflow import Kubeflow, find_connection
from penstock.kubeflow.errors import Refused, UnknownOnServer
from penstock.kubeflow.serving.apply import NotReady, apply, wait_until_ready
from penstock.kubeflow.serving.manifests import deployment, inference_service
from penstock.kubeflow.serving.settings import Served, ServingSettings

pytestmark = pytest.mark.cluster

MODELS = "/models"
FARES = Served("fares", f"{MODELS}/fares", "champion", versions={"champion": 1, "canary": 2})


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> str:
    name = cluster.namespace("serving")
    claim = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    client.CoreV1Api(cluster.api()).create_namespaced_persistent_volume_claim(
        name, {"metadata": {"name": "models"}, "spec": claim}
    )
    return name


@pytest.fixture
def kubeflow(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Kubeflow:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    return Kubeflow(find_connection())


ALL = ServingSettings(
    replicas=(2, 5),
    claims={"models": MODELS},
    environment_secret="bucket",
    service_account="default",
    token_secret=("access", "tokens"),
    tls_secret="certificate",
)


def _in(namespace: str, settings: ServingSettings) -> ServingSettings:
    fields = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
    return ServingSettings(**{**fields, "namespace": namespace})


@pytest.mark.parametrize(
    "settings",
    [ALL, ServingSettings(server="tensorflow", claims={"models": MODELS})],
    ids=["everything", "tensorflow"],
)
def test_the_api_server_takes_every_manifest(
    kubeflow: Kubeflow, namespace: str, settings: ServingSettings
) -> None:
    manifests = deployment(FARES, _in(namespace, settings))

    assert len(apply(kubeflow.server, manifests, dry_run=True)) == len(manifests)
    manifests[1]["spec"]["replcias"] = 2
    with pytest.raises(Refused, match=r"(?s)field not declared in schema|unknown field.*replcias"):
        apply(kubeflow.server, manifests, dry_run=True)


def test_kserves_schema_takes_the_inference_service(
    kubeflow: Kubeflow, namespace: str, kserve: None
) -> None:
    manifests = inference_service(FARES, _in(namespace, ALL))

    apply(kubeflow.server, manifests, dry_run=True)
    manifests[1]["spec"]["predictor"]["minReplica"] = 1
    with pytest.raises(Refused, match="minReplica"):
        apply(kubeflow.server, manifests, dry_run=True)


def test_a_cluster_without_the_kind_is_named(kubeflow: Kubeflow, namespace: str) -> None:
    manifests = inference_service(FARES, _in(namespace, ALL))
    manifests[1]["apiVersion"] = "serving.kserve.io/v9"

    with pytest.raises(UnknownOnServer, match="Is serving.kserve.io installed"):
        apply(kubeflow.server, manifests, dry_run=True)


def test_a_model_is_served_and_an_alias_followed(
    kubeflow: Kubeflow, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    from penstock.pushing import set_alias

    claimed = cluster.folder / "node" / "claims" / namespace / "models"
    claimed.mkdir(parents=True, exist_ok=True)
    claimed.chmod(0o777)
    fares = f"{claimed}/fares"
    _push_doublers(fares, tmp_path)
    set_alias(fares, "champion", 1)
    set_alias(fares, "canary", 2)
    settings = ServingSettings(
        namespace=namespace, claims={"models": MODELS}, resources=Resources(cpu=0.2, memory="1Gi")
    )
    manifests = deployment(FARES, settings)

    apply(kubeflow.server, manifests)
    wait_until_ready(kubeflow.server, manifests, 120)

    core = client.CoreV1Api(cluster.api())
    (pod,) = core.list_namespaced_pod(namespace).items
    address = f"http://{pod.status.pod_ip}:8501/v1/models/fares:predict"
    assert _ask(address) == 2.0
    set_alias(fares, "champion", 2)
    end = time.monotonic() + 60
    while _ask(address) != 3.0:
        assert time.monotonic() < end
        time.sleep(0.2)
    # Applied again, nothing changes: the same pod serves.
    apply(kubeflow.server, manifests)
    wait_until_ready(kubeflow.server, manifests, 60)
    (same,) = core.list_namespaced_pod(namespace).items
    assert same.metadata.uid == pod.metadata.uid
    _remove("fares", cluster, namespace)


def test_what_holds_it_up_is_told(kubeflow: Kubeflow, cluster: Cluster, namespace: str) -> None:
    settings = ServingSettings(
        name="held-up",
        namespace=namespace,
        claims={"models": MODELS},
        environment_secret="absent",
        resources=Resources(cpu=0.1, memory="1Gi"),
    )
    manifests = deployment(FARES, settings)
    apply(kubeflow.server, manifests)

    with pytest.raises(NotReady, match=r'(?s)not ready after 5 s: .*secret "absent" not found'):
        wait_until_ready(kubeflow.server, manifests, 5)
    _remove("held-up", cluster, namespace)


def _remove(name: str, cluster: Cluster, namespace: str) -> None:
    """Delete a Deployment, and wait until its pods are gone: they would outlive the cluster."""
    client.AppsV1Api(cluster.api()).delete_namespaced_deployment(name, namespace)
    core = client.CoreV1Api(cluster.api())
    end = time.monotonic() + 120
    while core.list_namespaced_pod(
        namespace, label_selector=f"app.kubernetes.io/name={name}"
    ).items:
        assert time.monotonic() < end
        time.sleep(0.5)


def _ask(address: str) -> float:
    body = json.dumps({"instances": [[1.0]]}).encode()
    with urllib.request.urlopen(address, body, timeout=30) as answer:
        return float(json.load(answer)["predictions"][0][0])


def _push_doublers(destination: str, folder: Path) -> None:
    import tensorflow as tf

    from penstock.pushing import push_model

    for factor in (2.0, 3.0):
        module = tf.Module()

        @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name="miles")])
        def fare(miles: Any, factor: float = factor) -> Any:
            return {"fare": factor * miles}

        exported = folder / f"exported-{factor:g}"
        tf.saved_model.save(module, str(exported), signatures={"serving_default": fare})
        push_model(exported, destination, versioning="next")
