"""An API server that keeps objects in memory and runs the pods of Jobs as processes of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

SPEC = {
    "serviceAccountName": "pipeline-runner",
    "nodeSelector": {"pool": "train"},
    "tolerations": [
        {"key": "dedicated", "operator": "Exists"},
        {"key": "node.kubernetes.io/not-ready", "operator": "Exists"},
    ],
    "imagePullSecrets": [{"name": "registry"}],
    "restartPolicy": "Never",
    "nodeName": "machine-1",
    "initContainers": [{"name": "kfp-launcher", "image": "kfp"}],
    "volumes": [
        {"name": "var-run-argo", "emptyDir": {}},
        {"name": "claim", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "kube-api-access-x", "projected": {"sources": []}},
    ],
    "containers": [
        {"name": "wait", "image": "argoexec"},
        {
            "name": "main",
            "image": "penguin:1",
            "command": ["/var/run/argo/argoexec"],
            "env": [
                {"name": "ARGO_TEMPLATE", "value": "{}"},
                {"name": "KFP_POD_NAME", "value": "x"},
                {
                    "name": "PENSTOCK_STORE",
                    "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}},
                },
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "t"}}},
                {
                    "name": "PENSTOCK_POD_NAME",
                    "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
                },
            ],
            "resources": {"limits": {"cpu": "1"}},
            "volumeMounts": [
                {"name": "claim", "mountPath": "/data"},
                {"name": "var-run-argo", "mountPath": "/var/run/argo"},
            ],
        },
    ],
}
UID = "0a1b2c3d-0000-0000-0000-000000000000"


class ApiServer:
    """Objects by path; pods of Jobs are processes.

    Attributes:
        asked: (method, path) of each request.
        faults: Statuses that the next requests of a method are answered with.
        after: Whether a request with a fault is carried out before it is answered.
        starts: Whether pods run.
    """

    def __init__(self):
        self.objects, self.asked, self.faults, self.after = {}, [], {}, False
        self.starts = True
        self.processes = {}
        self.environment = {}
        self.lock = threading.RLock()
        server = self

        class Requests(BaseHTTPRequestHandler):
            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or "null")
                status, said = server.answer(self.command, self.path, body)
                data = said.encode() if isinstance(said, str) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        for process in self.processes.values():
            process.kill()
            process.wait()

    def answer(self, method, url, body):
        path = urlsplit(url).path
        with self.lock:
            self.asked.append((method, path))
            faults = self.faults.get(method, [])
            fault = faults.pop(0) if faults else None
            if fault and not self.after:
                return fault, {"message": "as the test says"}
            answer = self.carry_out(method, path, parse_qs(urlsplit(url).query), body)
            return (fault, {"message": "as the test says"}) if fault else answer

    def carry_out(self, method, path, query, body):
        if path.endswith("/log"):
            return 200, "the last line"
        if method == "POST":
            name = f"{path}/{body['metadata']['name']}"
            if name in self.objects:
                return 409, {"message": "already exists"}
            body["metadata"]["uid"] = str(uuid.uuid4())
            self.objects[name] = {"status": {}, **body}
            if path.endswith("/jobs") and not body["spec"].get("suspend"):
                for index in range(body["spec"]["completions"]):
                    self.start(self.objects[name], index)
            return 201, self.objects[name]
        if method == "DELETE":
            gone = self.objects.pop(path, None)
            for pod in [each for each in self.processes if gone and each.startswith(_name(gone))]:
                self.processes[pod].terminate()
            return (200, {}) if gone else (404, {"message": "not found"})
        if path in self.objects:
            return 200, self.objects[path]
        if query:
            name, _, text = query["labelSelector"][0].partition("=")
            found = [
                each
                for key, each in self.objects.items()
                if key.startswith(f"{path}/")
                and each["metadata"].get("labels", {}).get(name) == text
            ]
            return 200, {"items": found}
        return 404, {"message": "not found"}

    def pods(self):
        return [each for key, each in self.objects.items() if "/pods/" in key]

    def start(self, job, index):
        """Make the pod of an index, and run it."""
        template = job["spec"]["template"]
        name = f"{_name(job)}-{index}-{uuid.uuid4().hex[:5]}"
        variables = {
            each["name"]: each["value"]
            for each in template["spec"]["containers"][0]["env"]
            if "value" in each
        }
        metadata = {
            "name": name,
            "uid": str(uuid.uuid4()),
            "labels": template["metadata"]["labels"],
        }
        pod = {"metadata": metadata, "spec": template["spec"], "status": {"phase": "Pending"}}
        self.objects[f"/api/v1/namespaces/team/pods/{name}"] = pod
        if not self.starts:
            return
        pod["status"]["phase"] = "Running"
        self.processes[name] = subprocess.Popen(
            [sys.executable, *template["spec"]["containers"][0]["command"][1:]],
            env={
                **os.environ, **variables, **self.environment, "JOB_COMPLETION_INDEX": str(index),
                "PENSTOCK_POD_NAME": name,
            },
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def lose(self, name, status):
        """End a pod as the cluster does, and let its Job make another."""
        with self.lock:
            pod = self.objects[f"/api/v1/namespaces/team/pods/{name}"]
            pod["status"] = status
            self.processes[name].kill()
            self.processes.pop(name).wait()
            job = pod["metadata"]["labels"]["penstock/workload"]
            path = f"/apis/batch/v1/namespaces/team/jobs/{job}"
            self.start(self.objects[path], int(name.removeprefix(f"{job}-").partition("-")[0]))


def _name(thing):
    return thing["metadata"]["name"]


@pytest.fixture
def server(tmp_path, monkeypatch):
    """An API server that knows the pod of the test, and the environment in which it is found."""
    made = ApiServer()
    made.objects["/api/v1/namespaces/team/pods/trainer-pod"] = {
        "metadata": {
            "name": "trainer-pod",
            "uid": UID,
            "labels": {"pipeline/runid": "r", "a": "b"},
        },
        "spec": SPEC,
        "status": {"podIP": "127.0.0.1", "phase": "Running"},
    }
    config = tmp_path / "kubeconfig"
    config.write_text(
        json.dumps(
            {
                "current-context": "x",
                "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                "clusters": [{"name": "x", "cluster": {"server": made.url}}],
                "users": [{"name": "x", "user": {"token": "t"}}],
            }
        )
    )
    monkeypatch.setenv("KUBECONFIG", str(config))
    # The client read its variable when it was imported.
    with contextlib.suppress(ImportError):
        from kubernetes.config import kube_config

        monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(config))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    for name, text in (("NAME", "trainer-pod"), ("UID", UID), ("NAMESPACE", "team")):
        monkeypatch.setenv(f"PENSTOCK_POD_{name}", text)
    yield made
    made.close()
