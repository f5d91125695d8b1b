"""Where Kubeflow is found: an address, a kubeconfig, a pod."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kubeflow_api import KubeflowApi

from penstock.kubeflow import Kubeflow, find_connection
from penstock.kubeflow.errors import NotAuthenticated, NotConfigured, NotReachable

PROXY = "/api/v1/namespaces/kubeflow/services/ml-pipeline:http/proxy"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KF_PIPELINES_ENDPOINT", "KUBERNETES_SERVICE_HOST", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate for 127.0.0.1, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubeflow")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


def _kubeconfig(path: Path, server: str, authority: str, token: str) -> None:
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "clusters": [
                    {
                        "name": "c",
                        "cluster": {"server": server, "certificate-authority": authority},
                    }
                ],
                "users": [{"name": "u", "user": {"token": token}}],
                "contexts": [
                    {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "ada"}}
                ],
            }
        )
    )


def test_a_kubeconfig_leads_through_the_clusters_api_server(
    make_api: Callable[..., KubeflowApi],
    certificate: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
) -> None:
    api = make_api(tls=certificate, token="mine", prefix=PROXY, multi_user=True)
    config = tmp_path / "config"
    _kubeconfig(config, api.address, certificate[0], "mine")
    monkeypatch.setenv("KUBECONFIG", str(config))

    connection = find_connection()
    kubeflow = Kubeflow(connection)
    version = kubeflow.upload(package)

    assert api.pipelines[version.pipeline_id]["namespace"] == "ada"
    assert connection.cluster is not None
    assert connection.pipelines.shown == api.url
    assert "mine" not in repr(connection)
    # A token that has run out is fetched again from where it came from.
    api.token = "renewed"
    _kubeconfig(config, api.address, certificate[0], "renewed")
    assert kubeflow.runs() == []
    api.token = "another"
    with pytest.raises(NotAuthenticated, match="Log in to the cluster again"):
        kubeflow.runs()
    with pytest.raises(NotConfigured, match="there"):
        find_connection(context="there")


def test_a_certificate_of_ones_own_authority_is_named(
    make_api: Callable[..., KubeflowApi], certificate: tuple[str, str]
) -> None:
    api = make_api(tls=certificate)

    with pytest.raises(NotReachable, match="name its file: --ca-file, or SSL_CERT_FILE"):
        Kubeflow.at(api.url).runs()
    assert Kubeflow(find_connection(api.url, ca_file=certificate[0])).runs() == []


def test_nothing_says_where_it_is() -> None:
    with pytest.raises(
        NotConfigured, match=r"Give its address \(--host URL, or KF_PIPELINES_ENDPOINT\)"
    ):
        find_connection()
    with pytest.raises(NotConfigured, match="is a URL, as http://127.0.0.1:8888"):
        find_connection("ftp://a")
    with pytest.raises(NotConfigured, match="--host or --context, not both"):
        find_connection("http://a", context="b")
    with pytest.raises(NotConfigured, match="There is no file 'nowhere' with a token"):
        find_connection("http://a", token_file="nowhere")


def test_the_environment_says_where_it_is(
    api: KubeflowApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", f"{api.url}/")
    monkeypatch.setenv("PENSTOCK_KUBEFLOW_COOKIE", "authservice_session=abc")

    connection = find_connection(namespace="ada")

    assert connection.pipelines.url == api.url
    assert connection.pipelines.headers()["Cookie"] == "authservice_session=abc"
    assert Kubeflow(connection).runs() == []


def test_in_a_pod_it_is_the_clusters_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from penstock.kubeflow import connection

    own = tmp_path / "serviceaccount"
    own.mkdir()
    for name, text in {"token": "pod\n", "namespace": "ada\n", "ca.crt": ""}.items():
        (own / name).write_text(text)
    (tmp_path / "pipelines").write_text("audience\n")
    monkeypatch.setattr(connection, "_SERVICE_ACCOUNT", str(own))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "pipelines"))

    found = find_connection()

    assert found.pipelines.url == "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
    assert found.pipelines.headers()["Authorization"] == "Bearer audience"
    assert found.cluster is not None
    assert found.cluster.headers()["Authorization"] == "Bearer pod"
    assert found.namespace == "ada"
