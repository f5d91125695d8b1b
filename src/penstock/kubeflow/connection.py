"""Where Kubeflow Pipelines' API server is, and how one says there who one is."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from penstock.installation import install_command
from penstock.kubeflow.errors import NotConfigured

_ENDPOINT = "KF_PIPELINES_ENDPOINT"
_TOKEN, _TOKEN_FILE = "PENSTOCK_KUBEFLOW_TOKEN", "PENSTOCK_KUBEFLOW_TOKEN_FILE"
_COOKIE = "PENSTOCK_KUBEFLOW_COOKIE"
_NAMESPACE = "PENSTOCK_KUBEFLOW_NAMESPACE"
_POD_TOKEN_FILE = "KF_PIPELINES_SA_TOKEN_PATH"
_POD_TOKEN = "/var/run/secrets/kubeflow/pipelines/token"
_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_PROXY = "/api/v1/namespaces/{}/services/ml-pipeline:http/proxy"
_PORT_FORWARD = (
    "To reach it from outside the cluster: kubectl port-forward -n kubeflow svc/ml-pipeline 8888, and "
    "--host http://127.0.0.1:8888"
)


@dataclasses.dataclass(slots=True)
class Access:
    """A server's address and the credentials for it. Neither is shown by `repr`.

    Attributes:
        url: Address without a slash at the end.
        credentials: Returns the headers that say who is asking; asked for each request, since tokens in
            files are renewed.
        tls: `ca_certs`, `cert_file`, `key_file`, `verify`.
        renewal: Fetches new credentials, or None where there is no way to.
        advice: What to do if the server is not reachable.
        login: What to do if it does not know who is asking.
    """

    url: str = dataclasses.field(repr=False)
    credentials: Callable[[], Mapping[str, str]] = dataclasses.field(repr=False, default=dict)
    tls: Mapping[str, Any] = dataclasses.field(repr=False, default_factory=dict)
    renewal: Callable[[], None] | None = dataclasses.field(repr=False, default=None)
    advice: str = ""
    login: str = ""

    @property
    def shown(self) -> str:
        """The address as messages name it: without a user's name or password."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def headers(self) -> Mapping[str, str]:
        """Return the headers of the next request."""
        return {"Accept": "application/json, */*", **self.credentials()}

    def renew(self) -> bool:
        """Fetch new credentials; return whether that can be done."""
        if self.renewal is None:
            return False
        self.renewal()
        return True


@dataclasses.dataclass(frozen=True, slots=True)
class Connection:
    """Kubeflow's API server and, where it can be reached, the cluster's own.

    Attributes:
        pipelines: Kubeflow Pipelines.
        cluster: The API server of Kubernetes; None if only an address of Kubeflow was given.
        namespace: The user's namespace, if one was named; of use where Kubeflow has several users.
        home: The namespace that Kubeflow itself runs in.
    """

    pipelines: Access
    cluster: Access | None = None
    namespace: str | None = None
    home: str = "kubeflow"


def find_connection(
    host: str | None = None,
    *,
    namespace: str | None = None,
    home: str = "kubeflow",
    context: str | None = None,
    token_file: str | None = None,
    ca_file: str | None = None,
) -> Connection:
    """Return how to reach Kubeflow, from what is given, the environment, the pod or the kubeconfig.

    In this order: `host` or `KF_PIPELINES_ENDPOINT`; in a pod, the service `ml-pipeline`; the cluster of
    the kubeconfig (`KUBECONFIG`, else `~/.kube/config`), through the proxy of its API server. A token
    comes from `token_file`, `PENSTOCK_KUBEFLOW_TOKEN_FILE` or `PENSTOCK_KUBEFLOW_TOKEN`, a cookie from
    `PENSTOCK_KUBEFLOW_COOKIE`, in a pod from Kubeflow's own token; else both from the kubeconfig.

    Args:
        host: Address of Kubeflow Pipelines, with its path if it is behind a dashboard.
        namespace: The user's namespace; by default `PENSTOCK_KUBEFLOW_NAMESPACE`, else the pod's or the
            kubeconfig's.
        home: The namespace that Kubeflow itself runs in.
        context: A context of the kubeconfig; its current one by default.
        token_file: A file with a token.
        ca_file: Certificates of the authorities that sign the server's, as PEM; by default
            `SSL_CERT_FILE`, else what Python ships.

    Raises:
        NotConfigured: If none of these says where it is.

    Example:
        find_connection("http://127.0.0.1:8888")
    """
    namespace = namespace or os.environ.get(_NAMESPACE)
    given = _given_credentials(token_file)
    tls = {"ca_certs": ca_file or os.environ.get("SSL_CERT_FILE") or _default_authorities()}
    host = host or os.environ.get(_ENDPOINT)
    if host:
        if context is not None:
            raise NotConfigured("Give --host or --context, not both: each says where Kubeflow is.")
        return Connection(
            Access(_address(host), given or _no_credentials, tls, None, _PORT_FORWARD, _login()),
            None,
            namespace,
            home,
        )
    if context is None and os.environ.get("KUBERNETES_SERVICE_HOST") and _in_pod():
        return _of_pod(given, tls, namespace, home)
    return _of_kubeconfig(context, given, namespace, home)


def _of_pod(
    given: Callable[[], Mapping[str, str]] | None,
    tls: Mapping[str, Any],
    namespace: str | None,
    home: str,
) -> Connection:
    token = os.environ.get(_POD_TOKEN_FILE, _POD_TOKEN)
    pipelines = Access(
        f"http://ml-pipeline.{home}.svc.cluster.local:8888",
        given or (_file_credentials(token) if os.path.exists(token) else _no_credentials),
        tls,
        None,
        f"Is Kubeflow in the namespace {home!r}? Name another with --kubeflow-namespace.",
        "In a pod of Kubeflow, mount its token (a PodDefault with access to Kubeflow Pipelines).",
    )
    own = Path(_SERVICE_ACCOUNT)
    server = (
        f"{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ.get('KUBERNETES_SERVICE_PORT', 443)}"
    )
    cluster = Access(
        f"https://{server}",
        _file_credentials(str(own / "token")),
        {"ca_certs": str(own / "ca.crt")},
        None,
        "",
        "The pod's service account may not do this.",
    )
    return Connection(pipelines, cluster, namespace or _text(own / "namespace") or None, home)


def _of_kubeconfig(
    context: str | None,
    given: Callable[[], Mapping[str, str]] | None,
    namespace: str | None,
    home: str,
) -> Connection:
    configuration, own = _load_kubeconfig(context)
    server = configuration.host.rstrip("/")
    tls = {
        "ca_certs": configuration.ssl_ca_cert or _default_authorities(),
        "cert_file": configuration.cert_file,
        "key_file": configuration.key_file,
        "verify": configuration.verify_ssl,
    }

    def credentials() -> Mapping[str, str]:
        text = configuration.get_api_key_with_prefix("authorization") or (
            configuration.get_basic_auth_token() if configuration.username else None
        )
        return {"Authorization": text} if text else {}

    def renewal() -> None:
        nonlocal configuration
        configuration, _ = _load_kubeconfig(context)

    login = "Log in to the cluster again, and see whether `kubectl get pods` works."
    advice = "Does `kubectl get pods` reach the cluster?"
    cluster = Access(server, credentials, tls, renewal, advice, login)
    pipelines = Access(
        f"{server}{_PROXY.format(home)}", given or credentials, tls, renewal, advice, login
    )
    return Connection(pipelines, cluster, namespace or own, home)


def _load_kubeconfig(context: str | None) -> tuple[Any, str | None]:
    """Return the client's configuration and the namespace of a context."""
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise ImportError(
            f"Reading the kubeconfig needs Kubernetes' client ({error}): {install_command('kubeflow')}"
        ) from None
    configuration = client.Configuration()
    # The client looks at KUBECONFIG only when it is imported.
    file = os.environ.get("KUBECONFIG") or os.path.expanduser("~/.kube/config")
    try:
        contexts, active = config.list_kube_config_contexts(file)
        config.load_kube_config(file, context, configuration)
    except (config.ConfigException, OSError) as error:
        raise NotConfigured(
            f"It is not known where Kubeflow is ({error}). Give its address (--host URL, or "
            f"{_ENDPOINT}), or a kubeconfig (KUBECONFIG). {_PORT_FORWARD}."
        ) from None
    chosen = active if context is None else next(c for c in contexts if c["name"] == context)
    return configuration, chosen["context"].get("namespace")


def _given_credentials(token_file: str | None) -> Callable[[], Mapping[str, str]] | None:
    file = token_file or os.environ.get(_TOKEN_FILE)
    token, cookie = os.environ.get(_TOKEN), os.environ.get(_COOKIE)
    if file:
        if not os.path.isfile(file):
            raise NotConfigured(f"There is no file {file!r} with a token.")
        return _file_credentials(file)
    if token:
        return lambda: {"Authorization": f"Bearer {token}"}
    if cookie:
        return lambda: {"Cookie": cookie}
    return None


def _file_credentials(path: str) -> Callable[[], Mapping[str, str]]:
    return lambda: {"Authorization": f"Bearer {_text(Path(path))}"}


def _no_credentials() -> Mapping[str, str]:
    return {}


def _in_pod() -> bool:
    return os.path.exists(f"{_SERVICE_ACCOUNT}/token")


def _login() -> str:
    return (
        f"Give a token (--token-file, {_TOKEN_FILE} or {_TOKEN}), or the cookie of a browser that has "
        f"logged in ({_COOKIE})."
    )


def _default_authorities() -> str | None:
    try:
        import certifi
    except ImportError:
        return None
    return str(certifi.where())


def _address(host: str) -> str:
    text = host if "://" in host else f"https://{host}"
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NotConfigured(
            f"The address of Kubeflow is a URL, as http://127.0.0.1:8888. Received: {host!r}"
        )
    return text.rstrip("/")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return ""
