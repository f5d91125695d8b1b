"""The ground that the other tests of this folder stand on: pods of the real controllers run here."""

from __future__ import annotations

import functools
import itertools
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kubernetes", reason="kubernetes is not installed")

import waiting
from control_plane import Cluster
from kubernetes import client
from scheduling import Node

pytestmark = pytest.mark.cluster

SECONDS = 120.0
until = functools.partial(waiting.until, seconds=SECONDS)


@pytest.fixture(scope="module")
def core(cluster: Cluster) -> client.CoreV1Api:
    return client.CoreV1Api(cluster.api())


@pytest.fixture(scope="module")
def batch(cluster: Cluster) -> client.BatchV1Api:
    return client.BatchV1Api(cluster.api())


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> str:
    return cluster.namespace("node-agent")


@pytest.fixture
def name() -> str:
    return f"case-{next(_numbers)}"


_numbers = itertools.count()


def pod(name: str, *command: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "penguin:1", "command": list(command)}
    container |= spec.pop("container", {})
    told = {"containers": [container], "restartPolicy": "Never", **spec}
    return {"metadata": {"name": name, "labels": {"case": name}}, "spec": told}


def ended(core: client.CoreV1Api, name: str, namespace: str) -> Any:
    def look() -> Any:
        found = core.read_namespaced_pod(name, namespace)
        return found if found.status.phase in ("Succeeded", "Failed") else None

    return until(look, f"the end of {name}")


def test_a_job_retries_a_failed_pod_and_completes(
    cluster: Cluster, core: client.CoreV1Api, batch: client.BatchV1Api, namespace: str, name: str
) -> None:
    shared = {"name": "shared", "persistentVolumeClaim": {"claimName": name}}
    claim = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    core.create_namespaced_persistent_volume_claim(
        namespace, {"metadata": {"name": name}, "spec": claim}
    )
    template = pod(
        name,
        *("bash", "-c", "echo try; [ -e /shared/tried ] || { touch /shared/tried; exit 3; }"),
        volumes=[shared],
        container={"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]},
    )
    batch.create_namespaced_job(
        namespace,
        {"metadata": {"name": name}, "spec": {"template": template, "backoffLimit": 2}},
    )

    def done() -> Any:
        return batch.read_namespaced_job(name, namespace).status.completion_time

    until(done, "the job's end")
    pods = core.list_namespaced_pod(namespace, label_selector=f"job-name={name}").items
    codes = [each.status.container_statuses[0].state.terminated.exit_code for each in pods]
    assert sorted(codes) == [0, 3]
    for each in pods:
        assert core.read_namespaced_pod_log(each.metadata.name, namespace) == "try\n"
        assert cluster.agent.logs(each.metadata.name) == "try\n"


SERVE = """
import http.client, http.server, os, socket, threading, time
index, name = int(os.environ["JOB_COMPLETION_INDEX"]), socket.gethostname()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(name.encode())
    def log_message(self, *_): pass
server = http.server.HTTPServer(("0.0.0.0", 8080), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
other = f"{os.environ['SET']}-{1 - index}.{os.environ['SET']}"
for _ in range(600):
    try:
        connection = http.client.HTTPConnection(other, 8080, timeout=5)
        connection.request("GET", "/")
        print(name, "met", connection.getresponse().read().decode(), flush=True)
        break
    except OSError:
        time.sleep(0.1)
time.sleep(2)
"""


def test_pods_of_an_indexed_job_find_each_other_by_name(
    cluster: Cluster, core: client.CoreV1Api, batch: client.BatchV1Api, namespace: str, name: str
) -> None:
    service = {"clusterIP": "None", "selector": {"job-name": name}}
    core.create_namespaced_service(namespace, {"metadata": {"name": name}, "spec": service})
    environment = [{"name": "SET", "value": name}]
    template = pod(name, "python", "-c", SERVE, subdomain=name, container={"env": environment})
    spec = {"completions": 2, "parallelism": 2, "completionMode": "Indexed", "template": template}
    batch.create_namespaced_job(namespace, {"metadata": {"name": name}, "spec": spec})

    def done() -> bool:
        indexes = batch.read_namespaced_job(name, namespace).status.completed_indexes
        return indexes in ("0,1", "0-1")

    until(done, "both indexes")
    pods = core.list_namespaced_pod(namespace, label_selector=f"job-name={name}").items
    printed = sorted(cluster.agent.logs(each.metadata.name) for each in pods)
    assert printed == [f"{name}-0 met {name}-1\n", f"{name}-1 met {name}-0\n"]


def test_a_pod_gets_what_its_specification_names(
    cluster: Cluster, core: client.CoreV1Api, namespace: str, name: str
) -> None:
    core.create_namespaced_secret(
        namespace, {"metadata": {"name": name}, "stringData": {"url": "postgresql://x", "b": "2"}}
    )
    core.create_namespaced_config_map(
        namespace, {"metadata": {"name": name}, "data": {"settings.json": "{}"}}
    )

    def field(path: str) -> dict[str, Any]:
        return {"fieldRef": {"fieldPath": path}}

    script = (
        "id -u; id -g; pwd; echo $POD $UID_OF_POD $NAMESPACE $URL $JOINED $LIMIT; cat /etc/secret/url /c/settings.json; "
        "echo; ls /etc/secret; touch /scratch/x && ls /scratch; df --output=target /dev/shm | tail -1; "
        "test -s /var/run/secrets/kubernetes.io/serviceaccount/token && echo token; "
        "touch /app/written && echo kept nowhere; echo last words > /dev/termination-log"
    )
    secret = {"secretKeyRef": {"name": name, "key": "url"}}
    limit = {"resourceFieldRef": {"resource": "limits.memory"}}
    environment = [
        {"name": "POD", "valueFrom": field("metadata.name")},
        {"name": "UID_OF_POD", "valueFrom": field("metadata.uid")},
        {"name": "NAMESPACE", "valueFrom": field("metadata.namespace")},
        {"name": "URL", "valueFrom": secret},
        {"name": "JOINED", "value": "$(POD)/$(NAMESPACE)/$(NOT_THERE)/$$(POD)"},
        {"name": "LIMIT", "valueFrom": limit},
    ]
    mounts = [
        {"name": "secret", "mountPath": "/etc/secret", "readOnly": True},
        {"name": "config", "mountPath": "/c"},
        {"name": "scratch", "mountPath": "/scratch"},
    ]
    made = core.create_namespaced_pod(
        namespace,
        pod(
            name,
            *("bash", "-c", script),
            volumes=[
                {"name": "secret", "secret": {"secretName": name}},
                {"name": "config", "configMap": {"name": name}},
                {"name": "scratch", "emptyDir": {}},
            ],
            container={
                "env": environment,
                "volumeMounts": mounts,
                "resources": {"limits": {"memory": "64Mi"}},
            },
        ),
    )
    found = ended(core, name, namespace)
    assert found.status.phase == "Succeeded", cluster.agent.logs(name)
    assert cluster.agent.logs(name).splitlines() == [
        "10001",
        "10001",
        "/app",
        f"{name} {made.metadata.uid} {namespace} postgresql://x "
        f"{name}/{namespace}/$(NOT_THERE)/$(POD) 64Mi",
        "postgresql://x{}",
        "b",
        "url",
        "x",
        "/dev/shm",
        "token",
        "kept nowhere",
    ]
    assert not Path(__file__).parents[2].joinpath("written").exists()
    state = found.status.container_statuses[0].state.terminated
    assert (state.exit_code, state.message) == (0, "last words\n")
    assert found.status.pod_ip.startswith("198.18.")


TRAP = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: (print('asked', flush=True), {}))\n"
    "print('ready', flush=True)\n"
    "while True: time.sleep(1)\n"
)


@pytest.mark.parametrize(("ending", "code"), [("sys.exit(7)", 7), ("None", 137)])
def test_a_deleted_pod_gets_sigterm_then_sigkill(
    cluster: Cluster, core: client.CoreV1Api, namespace: str, name: str, ending: str, code: int
) -> None:
    core.create_namespaced_pod(
        namespace,
        pod(
            name, "python", "-c", TRAP.format(ending),
            terminationGracePeriodSeconds=2,
        ),
    )  # fmt: skip
    until(lambda: _log(cluster, name) == "ready\n", "the start")
    codes = []

    def gone() -> bool:
        try:
            found = core.read_namespaced_pod(name, namespace).status.container_statuses[0]
        except client.ApiException as error:
            return error.status == 404
        if found.state.terminated:
            codes.append(found.state.terminated.exit_code)
        return False

    core.delete_namespaced_pod(name, namespace)
    until(gone, "the pod's end")
    assert _log(cluster, name) == "ready\nasked\n"
    life = cluster.agent._find(name, namespace)
    assert life._containers[0].exit_code == code
    assert set(codes) <= {code}


def _log(cluster: Cluster, name: str) -> str:
    try:
        return cluster.agent.logs(name)
    except (LookupError, FileNotFoundError):
        return ""


def test_a_deadline_ends_a_pod(core: client.CoreV1Api, namespace: str, name: str) -> None:
    limits = {"activeDeadlineSeconds": 2, "terminationGracePeriodSeconds": 1}
    core.create_namespaced_pod(namespace, pod(name, "sleep", "100", **limits))
    found = ended(core, name, namespace)
    assert (found.status.phase, found.status.reason) == ("Failed", "DeadlineExceeded")


def test_a_failed_container_is_started_again(
    cluster: Cluster, core: client.CoreV1Api, namespace: str, name: str
) -> None:
    script = "echo found $(ls /state | wc -l); touch /state/$RANDOM; [ $(ls /state | wc -l) = 3 ]"
    core.create_namespaced_pod(
        namespace,
        pod(
            name,
            *("bash", "-c", script),
            restartPolicy="OnFailure",
            volumes=[{"name": "state", "emptyDir": {}}],
            container={"volumeMounts": [{"name": "state", "mountPath": "/state"}]},
        ),
    )
    found = ended(core, name, namespace)
    assert found.status.phase == "Succeeded"
    assert found.status.container_statuses[0].restart_count == 2
    assert core.read_namespaced_pod_log(name, namespace) == "found 2\n"
    assert core.read_namespaced_pod_log(name, namespace, previous=True) == "found 1\n"


@pytest.mark.parametrize("ending", ["kill", "force"])
def test_nothing_is_left_of_a_killed_pod(
    cluster: Cluster, core: client.CoreV1Api, namespace: str, name: str, ending: str
) -> None:
    folder = cluster.shared_folder(name)
    script = "while true; do date +%N > /beat/now; sleep 0.05; done"
    made = pod(
        name,
        *("bash", "-c", script),
        volumes=[{"name": "beat", "hostPath": {"path": str(folder)}}],
        container={"volumeMounts": [{"name": "beat", "mountPath": "/beat"}]},
    )
    core.create_namespaced_pod(namespace, made)
    until(lambda: (folder / "now").exists(), "the start")
    if ending == "kill":
        cluster.agent.kill(name)
        found = ended(core, name, namespace)
        assert found.status.container_statuses[0].state.terminated.exit_code == 137
    else:
        core.delete_namespaced_pod(name, namespace, grace_period_seconds=0)
        until(lambda: not cluster.agent.runs(name), "the end")
    before = (folder / "now").read_text()
    time.sleep(1)
    assert (folder / "now").read_text() == before


PROBED = """
import http.server, os, sys, time
again = os.path.exists("/state/started")
open("/state/started", "w").close()
class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Handler.asked += self.path == "/live"
        well = self.path == "/ready" or again or Handler.asked < 2
        self.send_response(200 if well else 500)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""


def test_probes_make_a_pod_ready_and_start_it_again(
    core: client.CoreV1Api, namespace: str, name: str
) -> None:
    def probe(path: str) -> dict[str, Any]:
        return {
            "httpGet": {"path": path, "port": "web"},
            "periodSeconds": 1,
            "failureThreshold": 30,
        }

    made = pod(
        name,
        *("python", "-c", PROBED),
        restartPolicy="Always",
        volumes=[{"name": "state", "emptyDir": {}}],
        container={
            "ports": [{"name": "web", "containerPort": 8080}],
            "startupProbe": probe("/ready"),
            "readinessProbe": probe("/ready"),
            "livenessProbe": probe("/live") | {"failureThreshold": 1},
            "volumeMounts": [{"name": "state", "mountPath": "/state"}],
        },
    )
    core.create_namespaced_pod(namespace, made)

    def ready_again() -> bool:
        status = core.read_namespaced_pod(name, namespace).status
        conditions = {each.type: each.status for each in status.conditions or ()}
        containers = status.container_statuses or []
        return conditions.get("Ready") == "True" and containers[0].restart_count == 1

    until(ready_again, "a restart by the liveness probe")
    core.delete_namespaced_pod(name, namespace, grace_period_seconds=0)


def test_a_pod_waits_for_its_image_its_secret_and_its_accelerator(
    cluster: Cluster, core: client.CoreV1Api, namespace: str, name: str
) -> None:
    missing = {"valueFrom": {"secretKeyRef": {"name": f"{name}-late", "key": "a"}}}
    waiting = {
        "image": {"container": {"image": "nowhere.invalid/x:1"}},
        "secret": {"container": {"env": [{"name": "A", **missing}]}},
        "tpu": {"container": {"resources": {"limits": {"google.com/tpu": "4"}}}},
    }
    for kind, more in waiting.items():
        core.create_namespaced_pod(
            namespace, pod(f"{name}-{kind}", "bash", "-c", "echo $A", **more)
        )

    def reason(kind: str) -> str | None:
        found = core.read_namespaced_pod(f"{name}-{kind}", namespace).status
        told = [each.message for each in found.conditions or () if each.status == "False"]
        states = [each.state.waiting for each in found.container_statuses or ()]
        return next((each.reason for each in states if each), told[0] if told else None)

    until(lambda: reason("image") == "ImagePullBackOff", "the wait for an image")
    until(lambda: reason("secret") == "CreateContainerConfigError", "the wait for a secret")
    until(
        lambda: reason("tpu") == "0/1 nodes are available: 1 Insufficient google.com/tpu.",
        "the wait for a TPU",
    )
    core.create_namespaced_secret(
        namespace, {"metadata": {"name": f"{name}-late"}, "stringData": {"a": "here"}}
    )
    cluster.agent.add_node(Node("tpus", capacity={"google.com/tpu": "4", "pods": "9"}))
    assert ended(core, f"{name}-secret", namespace).status.phase == "Succeeded"
    assert cluster.agent.logs(f"{name}-secret") == "here\n"
    assert ended(core, f"{name}-tpu", namespace).spec.node_name == "tpus"
    core.delete_namespaced_pod(f"{name}-image", namespace)
    cluster.agent.remove_node("tpus")


def test_a_pod_goes_with_its_owner(
    core: client.CoreV1Api, batch: client.BatchV1Api, namespace: str, name: str
) -> None:
    owner = core.create_namespaced_config_map(namespace, {"metadata": {"name": name}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": owner.metadata.uid}
    made = pod(name, "sleep", "100", terminationGracePeriodSeconds=0)
    made["metadata"]["ownerReferences"] = [reference]
    core.create_namespaced_pod(namespace, made)
    core.delete_namespaced_config_map(name, namespace)

    def gone() -> bool:
        found = core.list_namespaced_pod(namespace, label_selector=f"case={name}").items
        return not found

    until(gone, "garbage collection")


def test_what_the_node_does_not_do_fails_the_pod(
    core: client.CoreV1Api, namespace: str, name: str
) -> None:
    hooks = {"preStop": {"exec": {"command": ["true"]}}}
    core.create_namespaced_pod(namespace, pod(name, "true", container={"lifecycle": hooks}))
    found = ended(core, name, namespace)
    assert found.status.phase == "Failed"
    assert found.status.message == "the test's node: container main: hooks of its life"
