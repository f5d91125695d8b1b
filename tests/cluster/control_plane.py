"""A Kubernetes control plane of its own: etcd, the API server and the controllers, as processes.

`python tests/cluster/control_plane.py` runs one, with the node agent, until it is interrupted, and prints
its kubeconfig.
"""

from __future__ import annotations

import base64
import compileall
import contextlib
import json
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import binaries
from binaries import Absent, Binaries
from certificates import Certificates, make_certificates
from node_agent import NodeAgent
from pod_network import NoNetwork, PodNetwork, pod_network

import penstock

START_SECONDS = 120.0

Unavailable = (Absent, NoNetwork)
"""What `running_cluster` raises where a cluster cannot be had."""


class Cluster:
    """A cluster: a control plane, and this machine as its node.

    Attributes:
        kubeconfig: File of the administrator's access.
        server: URL of the API server.
        token: The administrator's token.
        host: Address at which pods reach servers of the test, which must listen there (or on 0.0.0.0).
        folder: What the cluster keeps; removed at its end.
        agent: The node.
    """

    def __init__(self, folder: Path, network: PodNetwork, built: Binaries) -> None:
        self.folder = folder
        self.host = network.host
        self.server = f"https://{network.host}:6443"
        self.token = secrets.token_urlsafe(24)
        self.kubeconfig = folder / "kubeconfig"
        self._built = built
        self._clients: list[Any] = []
        self._files: Certificates = make_certificates(folder / "certificates", network.host)
        self._write_kubeconfig(self.kubeconfig, self.token, "default")
        self.agent = NodeAgent(folder / "node", self.api, network, self._files)

    def api(self, retries: bool | None = None) -> Any:
        """Return an ApiClient of the administrator.

        Args:
            retries: False: a request that no server takes is not repeated.
        """
        from kubernetes import client, config

        settings = client.Configuration()
        config.load_kube_config(str(self.kubeconfig), client_configuration=settings)
        settings.connection_pool_maxsize = 64
        settings.retries = retries
        made = client.ApiClient(settings)
        self._clients.append(made)
        return made

    def namespace(self, name: str) -> str:
        """Make a namespace, wait until pods can be made in it, and return its name."""
        from kubernetes import client

        api = self.api()
        core = client.CoreV1Api(api)
        core.create_namespace({"metadata": {"name": name}})

        def usable() -> object:
            core.read_namespaced_config_map("kube-root-ca.crt", name)
            return core.read_namespaced_service_account("default", name)

        _wait(usable, f"namespace {name}", client.ApiException)
        return name

    def kubeconfig_of(self, account: str, namespace: str) -> Path:
        """Return a kubeconfig with the rights of a service account, valid for two hours."""
        from kubernetes import client

        made = client.CoreV1Api(self.api()).create_namespaced_service_account_token(
            account, namespace, {"spec": {"audiences": [], "expirationSeconds": 7200}}
        )
        path = self.folder / f"kubeconfig-{namespace}-{account}"
        self._write_kubeconfig(path, made.status.token, namespace)
        return path

    def shared_folder(self, name: str) -> Path:
        """Make a folder that every user of this machine may write to, for volumes of the host."""
        folder = self.folder / "shared" / name
        folder.mkdir(parents=True)
        folder.chmod(0o777)
        return folder

    def wait(self, done: Callable[[], object], *errors: type[Exception]) -> None:
        """Wait until `done` returns something true; some errors mean that it is not yet.

        Raises:
            RuntimeError: If it takes two minutes.
        """

        def look() -> None:
            if not done():
                raise LookupError("not yet")

        _wait(look, "what the test waits for", LookupError, *errors)

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Create objects of any kind, custom resource definitions included (waits until served)."""
        from kubernetes.client import ApiException
        from kubernetes.dynamic.exceptions import ResourceNotFoundError

        for each in manifests:
            self._create(each)
            if each["kind"] == "CustomResourceDefinition":
                names, group = each["spec"]["names"], each["spec"]["group"]
                version = next(one["name"] for one in each["spec"]["versions"] if one["served"])

                def listed(served: str = f"{group}/{version}", kind: str = names["kind"]) -> object:
                    return self._kind(served, kind).get() is not None

                self.wait(listed, ApiException, ResourceNotFoundError)

    def check(self, *manifests: Mapping[str, Any]) -> None:
        """Let the API server judge objects of any kind without making them.

        Raises:
            DynamicApiError: If it refuses one: a field that the schema does not know, a wrong value.
        """
        for each in manifests:
            self._create(each, dryRun="All", fieldValidation="Strict")

    def _create(self, manifest: Mapping[str, Any], **query: str) -> None:
        kind = self._kind(manifest["apiVersion"], manifest["kind"])
        namespace = manifest["metadata"].get("namespace", "default") if kind.namespaced else None
        kind.create(body=manifest, namespace=namespace, query_params=list(query.items()))

    def _kind(self, version: str, kind: str) -> Any:
        from kubernetes import dynamic

        found = dynamic.DynamicClient(self.api(), cache_file=str(self.folder / "kinds.json"))
        found.resources.invalidate_cache()
        return found.resources.get(api_version=version, kind=kind)

    def _write_kubeconfig(self, path: Path, token: str, namespace: str) -> None:
        authority = base64.b64encode(self._files.authority.read_bytes()).decode()
        here = {"server": self.server, "certificate-authority-data": authority}
        context = {"cluster": "penstock", "user": "penstock", "namespace": namespace}
        told = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "penstock", "cluster": here}],
            "users": [{"name": "penstock", "user": {"token": token}}],
            "contexts": [{"name": "penstock", "context": context}],
            "current-context": "penstock",
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(told), encoding="utf-8")

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for name, command in self._commands().items():
                log = self.folder / f"{name}.log"
                process = stack.enter_context(_process(command, log))
                if name == "apiserver":
                    self._wait_for_server(process, log)
            stack.enter_context(self.agent.running())
            stack.callback(self._close)
            yield

    def _close(self) -> None:
        for each in self._clients:
            each.rest_client.pool_manager.clear()

    def _commands(self) -> dict[str, list[str]]:
        files = self._files
        tokens = self.folder / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text(f'{self.token},admin,admin,"system:masters"\n', encoding="utf-8")
        etcd, peers = f"http://{self.host}:2379", f"http://{self.host}:2380"
        return {
            "etcd": [
                str(self._built.etcd),
                f"--data-dir={self.folder / 'etcd'}",
                "--unsafe-no-fsync",
                f"--listen-client-urls={etcd}",
                f"--advertise-client-urls={etcd}",
                f"--listen-peer-urls={peers}",
                f"--initial-advertise-peer-urls={peers}",
                f"--initial-cluster=default={peers}",
            ],
            "apiserver": [
                str(self._built.apiserver),
                f"--etcd-servers={etcd}",
                f"--bind-address={self.host}",
                f"--advertise-address={self.host}",
                "--secure-port=6443",
                f"--tls-cert-file={files.certificate}",
                f"--tls-private-key-file={files.key}",
                f"--kubelet-certificate-authority={files.authority}",
                "--kubelet-preferred-address-types=InternalIP",
                f"--service-account-key-file={files.accounts.with_suffix('.crt')}",
                f"--service-account-signing-key-file={files.accounts}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--token-auth-file={tokens}",
                "--authorization-mode=RBAC",
                "--service-cluster-ip-range=10.96.0.0/16",
                "--endpoint-reconciler-type=none",
            ],
            # A node's lease is not renewed here, so the controller that looks for lost nodes is off.
            "controllers": [
                str(self._built.controllers),
                f"--kubeconfig={self.kubeconfig}",
                f"--service-account-private-key-file={files.accounts}",
                f"--root-ca-file={files.authority}",
                "--leader-elect=false",
                "--bind-address=127.0.0.1",
                "--secure-port=0",
                "--controllers=*,-node-lifecycle-controller",
            ],
        }

    def _wait_for_server(self, process: subprocess.Popen[bytes], log: Path) -> None:
        from kubernetes import client
        from urllib3.exceptions import HTTPError

        api = self.api(retries=False)

        def ready() -> None:
            if process.poll() is not None:
                said = log.read_text(errors="replace")[-3000:]
                raise RuntimeError(f"the API server ended with {process.returncode}:\n{said}")
            api.call_api("/readyz", "GET", auth_settings=["BearerToken"])

        _wait(ready, "the API server", client.ApiException, HTTPError)


@contextlib.contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Run a cluster.

    Raises:
        Absent: If its programs have not been built.
        NoNetwork: If pods cannot have addresses here.
    """
    built = binaries.binaries()
    # As in an image: pods write no byte code that would stay.
    compileall.compile_dir(str(Path(penstock.__file__).parent), quiet=2)
    folder = Path(tempfile.mkdtemp(prefix="penstock-cluster-"))
    folder.chmod(0o755)
    try:
        with pod_network(folder) as network:
            cluster = Cluster(folder, network, built)
            with cluster._running():
                yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with open(log, "wb") as output:
        started = subprocess.Popen(
            ["setpriv", "--pdeathsig=KILL", *command],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the tests
        )
    try:
        yield started
    finally:
        started.kill()  # nothing of it is kept, and the API server would wait for those who watch
        started.wait()


def _wait(done: Callable[[], object], what: str, *errors: type[Exception]) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            done()
            return
        except errors as error:
            if time.monotonic() > end:
                raise RuntimeError(f"{what} was not ready after {START_SECONDS:.0f} s") from error
            time.sleep(0.2)


if __name__ == "__main__":
    try:
        with running_cluster() as made:
            print(f"KUBECONFIG={made.kubeconfig}", flush=True)
            stopped = threading.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: stopped.set())
            stopped.wait()
    except Unavailable as reason:
        sys.exit(str(reason))
