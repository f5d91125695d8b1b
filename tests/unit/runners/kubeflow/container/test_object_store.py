"""Where a root's store is found: the query, the environment, Kubeflow's configuration in the cluster."""

from __future__ import annotations

import base64
import datetime
import http.server
import ipaddress
import json
import os
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("yaml")
pytest.importorskip("cryptography")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fsspec.config import conf

from penstock.runners.kubeflow.container import object_store
from penstock.runners.kubeflow.container.object_store import ObjectStoreError, enter_object_store

PROVIDERS = """
s3:
  default:
    endpoint: s3.example.org
    region: eu-west-1
    credentials: {secretRef: {secretName: team, accessKeyKey: id, secretKeyKey: word}}
  overrides:
  - bucketName: other
    keyPrefix: pipelines/a
    endpoint: minio.other:9000
    disableSSL: true
    credentials: {fromEnv: true}
gs:
  default:
    credentials: {secretRef: {secretName: google, tokenKey: key.json}}
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the environment and fsspec's configuration as they were."""
    before, known = dict(os.environ), json.loads(json.dumps(conf))
    for name in list(os.environ):
        if name.startswith(("AWS_", "FSSPEC_", "KUBERNETES_", "GOOGLE_", "STORAGE_")):
            del os.environ[name]
    conf.clear()
    yield
    os.environ.clear()
    os.environ.update(before)
    conf.clear()
    conf.update(known)


class Cluster:
    """Kubernetes' API over TLS, with some objects of the namespace `team`."""

    def __init__(self, account: Path) -> None:
        self.objects: dict[str, Any] = {}
        self.asked: list[tuple[str, str]] = []
        account.mkdir()
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
        now = datetime.datetime.now(datetime.UTC)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), 1)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        (account / "ca.crt").write_bytes(pem)
        (account / "token").write_text("t0ken")
        (account / "namespace").write_text("team")
        both = account / "server.pem"
        both.write_bytes(
            pem
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        cluster = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                cluster.asked.append((self.path, self.headers["Authorization"]))
                found = cluster.objects.get(self.path.removeprefix("/api/v1/namespaces/team/"))
                code = 404 if found is None else found.get("code", 200)
                self.send_response(code)
                self.end_headers()
                self.wfile.write(json.dumps(found or {}).encode())

            def log_message(self, *args: object) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(both)
        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def secret(self, name: str, **values: str) -> None:
        data = {
            key.replace("_", "."): base64.b64encode(value.encode()).decode()
            for key, value in values.items()
        }
        self.objects[f"secrets/{name}"] = {"data": data}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    account = tmp_path / "account"
    found = Cluster(account)
    monkeypatch.setattr(object_store, "_ACCOUNT", str(account))
    os.environ["KUBERNETES_SERVICE_HOST"] = "127.0.0.1"
    os.environ["KUBERNETES_SERVICE_PORT"] = str(found.server.server_port)
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_a_root_that_is_no_object_store_is_left_alone() -> None:
    assert enter_object_store("/mnt/artifacts/p") == "/mnt/artifacts/p"
    assert conf == {}


def test_the_query_of_a_root_names_its_server() -> None:
    root = "minio://bucket/p?endpoint=store.local:9000&disableSSL=true&region=here"
    assert enter_object_store(root) == "minio://bucket/p"
    assert os.environ["FSSPEC_MINIO_ENDPOINT_URL"] == "http://store.local:9000"
    assert conf["minio"] == {"endpoint_url": "http://store.local:9000"}
    assert os.environ["AWS_DEFAULT_REGION"] == "here"


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_the_environment_names_the_server_of_minio(name: str) -> None:
    os.environ[name] = "http://store.local:9000"
    assert enter_object_store("minio://bucket/p/") == "minio://bucket/p"
    assert conf["minio"] == {"endpoint_url": "http://store.local:9000"}


def test_the_launcher_s_config_map_names_server_and_secret(cluster: Cluster) -> None:
    cluster.objects["configmaps/kfp-launcher"] = {"data": {"providers": PROVIDERS}}
    cluster.secret("team", id="me", word="open")
    enter_object_store("s3://bucket/p")
    assert conf["s3"] == {"endpoint_url": "https://s3.example.org", "key": "me", "secret": "open"}
    assert os.environ["FSSPEC_S3_SECRET"] == "open"
    assert os.environ["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert {token for _, token in cluster.asked} == {"Bearer t0ken"}


@pytest.mark.parametrize(
    ("root", "endpoint"),
    [
        ("s3://other/pipelines/a/p", "http://minio.other:9000"),
        ("s3://other/pipelines/b", "https://s3.example.org"),
    ],
)
def test_a_bucket_may_have_a_server_of_its_own(cluster: Cluster, root: str, endpoint: str) -> None:
    cluster.objects["configmaps/kfp-launcher"] = {"data": {"providers": PROVIDERS}}
    cluster.secret("team", id="me", word="open")
    enter_object_store(root)
    assert conf["s3"]["endpoint_url"] == endpoint


def test_kubeflow_s_own_store_needs_no_configuration(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "_SERVERS", ("nowhere.invalid:9000", "localhost:9000"))
    cluster.secret("mlpipeline-minio-artifact", accesskey="minio", secretkey="minio123")
    enter_object_store("minio://mlpipeline/v2/artifacts")
    assert conf["minio"] == {
        "endpoint_url": "http://localhost:9000",
        "key": "minio",
        "secret": "minio123",
    }


def test_a_service_account_of_google_comes_from_its_secret(cluster: Cluster) -> None:
    cluster.objects["configmaps/kfp-launcher"] = {"data": {"providers": PROVIDERS}}
    cluster.secret("google", key_json="{}")
    enter_object_store("gs://bucket/p")
    path = Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"])
    assert path.read_text() == "{}"
    assert path.stat().st_mode & 0o077 == 0
    path.unlink()


def test_what_is_missing_is_said(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.objects["configmaps/kfp-launcher"] = {"data": {"providers": PROVIDERS}}
    with pytest.raises(ObjectStoreError, match="no secret 'team' in the namespace 'team'"):
        enter_object_store("s3://bucket/p")
    cluster.secret("team", id="me")
    with pytest.raises(ObjectStoreError, match=r"no key 'word' \(secretKeyKey\). It has id"):
        enter_object_store("s3://bucket/p")
    cluster.objects["configmaps/kfp-launcher"] = {"code": 403}
    with pytest.raises(ObjectStoreError, match="refuses to read configmaps/kfp-launcher"):
        enter_object_store("s3://bucket/p")
    del cluster.objects["configmaps/kfp-launcher"]
    monkeypatch.setattr(object_store, "_SERVERS", ("nowhere.invalid:9000",))
    with pytest.raises(ObjectStoreError, match=r"nowhere.invalid:9000 is known here"):
        enter_object_store("minio://mlpipeline/p")
    enter_object_store("s3://bucket/p")  # AWS's own ways


def test_outside_of_a_cluster_minio_has_no_place() -> None:
    with pytest.raises(ObjectStoreError, match="Set FSSPEC_MINIO_ENDPOINT_URL"):
        enter_object_store("minio://mlpipeline/p")


def test_fsspec_opens_minio_at_the_server_that_was_told() -> None:
    pytest.importorskip("s3fs", reason="s3fs is not installed (extra s3)")
    import fsspec

    from penstock.artifacts import location

    enter_object_store("minio://bucket/p?endpoint=store.local:9000&disableSSL=true")
    location.know_minio()
    system, path = fsspec.core.url_to_fs("minio://bucket/p/x")
    assert (system.endpoint_url, path) == ("http://store.local:9000", "bucket/p/x")
    system.clear_instance_cache()
