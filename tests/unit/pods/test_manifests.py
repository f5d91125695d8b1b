"""What is made in the cluster, checked against the types of Kubernetes' client."""

import re

import kubernetes
import pytest

from penstock.io.processes.hosts import Place
from penstock.pods import manifests
from penstock.pods.own_pod import OwnPod
from penstock.pods.request import PodRequest

from .conftest import SPEC, UID

OWN = OwnPod("trainer-pod", UID, "team", "10.0.0.9", SPEC, {"team": "birds"}, {"cost": "7"})
LINE = {"PENSTOCK_NODE_ADDRESS": "10.0.0.9:4000", "PENSTOCK_NODE_KEY": "ab12"}


def check(value, kind, path=""):
    """Check plain data against a type of the client's models."""
    if match := re.fullmatch(r"list\[(.*)\]", kind):
        assert isinstance(value, list), path
        for number, each in enumerate(value):
            check(each, match[1], f"{path}[{number}]")
    elif match := re.fullmatch(r"dict\(str, (.*)\)", kind):
        assert isinstance(value, dict), path
        for name, each in value.items():
            check(each, match[1], f"{path}.{name}")
    elif hasattr(kubernetes.client, kind):
        model = getattr(kubernetes.client, kind)
        names = {given: own for own, given in model.attribute_map.items()}
        for name, each in value.items():
            assert name in names, f"{path}.{name} is not a field of {kind}"
            check(each, model.openapi_types[names[name]], f"{path}.{name}")
    else:
        kinds = {"str": str, "int": int, "bool": bool}
        assert isinstance(value, kinds[kind]), f"{path}: {value!r} is not of type {kind}"


PLACES = [Place("chief"), Place("worker 1")]


def make_job(settings, places=PLACES):
    found = manifests.workloads("trainer-0a1b2c3d", places, settings)
    return [manifests.job(each, settings, OWN, LINE) for each in found]


def test_a_job_is_what_kubernetes_knows_and_its_pods_are_like_the_nodes():
    settings = PodRequest(
        queue="gold",
        requests={"cpu": "2000m", "memory": "4Gi"},
        accelerators={"nvidia.com/gpu": "1"},
        node_selector={"cloud.google.com/gke-accelerator": "nvidia-l4"},
    )
    (job,) = make_job(settings)
    check(job, "V1Job")
    assert job["metadata"]["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Pod", "name": "trainer-pod", "uid": UID}
    ]
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gold"
    spec = job["spec"]
    assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (2, 2, "Indexed")
    assert spec["successPolicy"] == {"rules": [{"succeededIndexes": "0"}]}
    ignored, abandoned = spec["podFailurePolicy"]["rules"]
    assert (ignored["action"], ignored["onPodConditions"][0]["type"]) == (
        "Ignore",
        "DisruptionTarget",
    )
    assert (abandoned["action"], abandoned["onExitCodes"]["values"]) == ("FailJob", [75])
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert abandoned["onExitCodes"]["containerName"] == container["name"]
    assert container["command"] == ["python", "-m", "penstock.pods"]
    assert (container["image"], pod["serviceAccountName"]) == ("penguin:1", "pipeline-runner")
    assert [each["name"] for each in container["env"]] == [
        "TOKEN", "PENSTOCK_POD_NAME", "PENSTOCK_NODE_ADDRESS", "PENSTOCK_NODE_KEY",
        "PENSTOCK_FIRST_PLACE",
    ]  # fmt: skip
    assert pod["volumes"] == [{"name": "claim", "persistentVolumeClaim": {"claimName": "data"}}]
    assert container["volumeMounts"] == [{"name": "claim", "mountPath": "/data"}]
    assert pod["tolerations"] == [{"key": "dedicated", "operator": "Exists"}]
    assert pod["nodeSelector"] == {
        "pool": "train",
        "cloud.google.com/gke-accelerator": "nvidia-l4",
    }
    limits = {"cpu": "2000m", "memory": "4Gi", "nvidia.com/gpu": "1"}
    assert container["resources"] == {"requests": limits, "limits": limits}
    metadata = spec["template"]["metadata"]
    assert (metadata["labels"]["team"], metadata["annotations"]["cost"]) == ("birds", "7")
    assert "nodeName" not in pod
    assert "initContainers" not in pod
    service = manifests.service("trainer-0a1b2c3d", OWN)
    check(service, "V1Service")
    assert service["metadata"]["name"] == pod["subdomain"]
    assert service["spec"]["selector"].items() <= spec["template"]["metadata"]["labels"].items()


def test_only_what_computes_holds_accelerators():
    places = [
        Place("chief", computes=False), Place("worker 0"), Place("worker 1"),
        Place("ps 0", computes=False),
    ]  # fmt: skip
    jobs = make_job(PodRequest(accelerators={"nvidia.com/gpu": "1"}), places)
    assert [each["spec"]["completions"] for each in jobs] == [1, 2, 1]
    held = [each["spec"]["template"]["spec"]["containers"][0].get("resources") for each in jobs]
    assert [each and each["limits"] for each in held] == [None, {"nvidia.com/gpu": "1"}, None]
    first = [each["spec"]["template"]["spec"]["containers"][0]["env"][-1]["value"] for each in jobs]
    assert first == ["0", "1", "3"]
    # Only the one with the chief is done when its first pod is.
    assert ["successPolicy" in each["spec"] for each in jobs] == [True, False, False]
    assert len({each["metadata"]["name"] for each in jobs}) == 3
    (alone,) = make_job(PodRequest(), places)
    assert alone["spec"]["completions"] == 4


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("Trainer.big_one", "trainer-big-one-0a1b2c3d"),
        ("9lives", "node-9lives-0a1b2c3d"),
        ("x" * 90, "x" * 40 + "-0a1b2c3d"),
    ],
)
def test_names_are_those_of_machines(node, name):
    assert manifests.group_name(node, UID) == name
    # A pod's host name is `{job}-{generation}-{index}`, of 63 letters at most.
    assert len(f"{name}-9-9-999") <= 63


def test_a_train_job_names_a_runtime_of_its_own():
    settings = PodRequest(kind="trainjob", queue="gold", requests={"cpu": "1"})
    (workload,) = manifests.workloads("trainer-0a1b2c3d", PLACES, settings)
    runtime = manifests.training_runtime(workload, settings, OWN, LINE)
    (node,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    check(node["template"]["spec"], "V1JobSpec")
    (container,) = node["template"]["spec"]["template"]["spec"]["containers"]
    assert (node["name"], container["name"]) == ("node", "node")
    job = manifests.train_job(workload, settings, OWN)
    assert job["spec"]["runtimeRef"]["name"] == runtime["metadata"]["name"]
    assert job["spec"]["trainer"] == {"numNodes": 2}
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gold"
