"""Where the store of a pipeline's root is and how it is entered, as Kubeflow's launcher finds that.

In this order: the query of the root (`minio://bucket/path?endpoint=host:9000&disableSSL=true`), the
environment, the config map `kfp-launcher` of the pod's namespace with the secret that it names, and for
`minio://` Kubeflow's own server with the secret `mlpipeline-minio-artifact`.

Source: `backend/src/v2/config/{env,s3,minio}.go` and `objectstore/` of Kubeflow Pipelines 2.16.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import tempfile
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from penstock.installation import install_command

_SERVERS = ("seaweedfs.kubeflow:9000", "minio-service.kubeflow:9000")
"""Kubeflow's own store: the server of 2.15 and later, and the one before."""

_SECRET = {
    "secretName": "mlpipeline-minio-artifact",
    "accessKeyKey": "accesskey",
    "secretKeyKey": "secretkey",
}
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_SECONDS = 20.0


class ObjectStoreError(ValueError):
    """It is not known where a root's store is, or how it is entered."""


def enter_object_store(root: str) -> str:
    """Make the store of a root known to fsspec in this process and its children.

    Args:
        root: The pipeline's root as Kubeflow gives it.

    Returns:
        The root without a query.

    Raises:
        ObjectStoreError: If no server is known for `minio://`, or what Kubeflow's configuration names
            cannot be read.
    """
    plain, _, query = root.partition("?")
    scheme = urlsplit(plain).scheme
    if scheme not in ("s3", "minio", "gs"):
        return root
    if query:
        _enter_by(scheme, _settings_of_query(query))
    elif scheme == "gs":
        _enter_google(plain)
    elif not _is_known(scheme):
        _enter_as_launcher(scheme, plain)
    return plain.rstrip("/")


def _is_known(scheme: str) -> bool:
    """Return whether the environment says where the store is, and take it over for `minio://`."""
    if f"FSSPEC_{scheme.upper()}_ENDPOINT_URL" in os.environ:
        return True
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        _tell_fsspec(scheme, endpoint_url=endpoint)
        return True
    # S3 itself needs no endpoint; its credentials may also come from the pod's service account.
    names = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    return scheme == "s3" and any(name in os.environ for name in names)


def _settings_of_query(query: str) -> dict[str, Any]:
    given = {name: values[-1] for name, values in parse_qs(query).items()}
    insecure = given.get("disableSSL") or given.get("disable_https") or "false"
    return {
        "endpoint": given.get("endpoint", ""),
        "region": given.get("region", ""),
        "disableSSL": insecure.lower() == "true",
        "credentials": {"fromEnv": True},
    }


def _enter_as_launcher(scheme: str, root: str) -> None:
    found = _provider(scheme, root)
    if found is not None:
        _enter_by(scheme, found)
    elif scheme == "minio":
        _enter_by(scheme, _own_server())


def _provider(scheme: str, root: str) -> dict[str, Any] | None:
    """Return what Kubeflow's configuration says of a store: the default, and what overrides it."""
    if not _is_in_cluster():
        return None
    providers = _providers()
    found = providers.get(scheme) or {}
    default, overrides = found.get("default"), found.get("overrides") or found.get("Overrides")
    if not default and not overrides:
        return None
    parts = urlsplit(root)
    path = parts.path.strip("/")
    for each in overrides or ():
        prefix = str(each.get("keyPrefix", "")).strip("/")
        if each.get("bucketName") == parts.netloc and f"{path}/".startswith(prefix):
            given = {name: value for name, value in each.items() if value not in (None, "")}
            return {**(default or {}), **given}
    return default


def _own_server() -> dict[str, Any]:
    if not _is_in_cluster():
        raise ObjectStoreError(
            "minio:// is Kubeflow's name for an S3 server of your own, and outside of a cluster it is not "
            "known where that is. Set FSSPEC_MINIO_ENDPOINT_URL, AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY."
        )
    for server in _SERVERS:
        host, _, port = server.partition(":")
        try:
            socket.getaddrinfo(host, int(port))
        except OSError:
            continue
        return {"endpoint": server, "disableSSL": True, "credentials": {"secretRef": _SECRET}}
    raise ObjectStoreError(
        f"None of {', '.join(_SERVERS)} is known here. Name the server of minio:// in the config map "
        "kfp-launcher (providers), or in FSSPEC_MINIO_ENDPOINT_URL."
    )


def _enter_by(scheme: str, settings: Mapping[str, Any]) -> None:
    told: dict[str, str] = {}
    credentials = settings.get("credentials") or {}
    secret = credentials.get("secretRef")
    if not credentials.get("fromEnv") and secret:
        values = _secret(secret["secretName"])
        told["key"] = _value(values, secret, "accessKeyKey")
        told["secret"] = _value(values, secret, "secretKeyKey")
    endpoint = str(settings.get("endpoint") or "")
    if endpoint and not endpoint.removeprefix("https://").startswith("s3.amazonaws.com"):
        if "://" not in endpoint:
            endpoint = f"{'http' if settings.get('disableSSL') else 'https'}://{endpoint}"
        told["endpoint_url"] = endpoint
    if settings.get("region"):
        os.environ.setdefault("AWS_DEFAULT_REGION", str(settings["region"]))
    _tell_fsspec(scheme, **told)


def _enter_google(root: str) -> None:
    """Take the key of a service account from the secret that Kubeflow's configuration names, if any."""
    if "GOOGLE_APPLICATION_CREDENTIALS" in os.environ or "STORAGE_EMULATOR_HOST" in os.environ:
        return
    credentials = (_provider("gs", root) or {}).get("credentials") or {}
    secret = credentials.get("secretRef")
    if credentials.get("fromEnv") or not secret:
        return  # the pod's own identity
    key = _value(_secret(secret["secretName"]), secret, "tokenKey")
    with tempfile.NamedTemporaryFile("w", prefix="penstock-", suffix=".json", delete=False) as file:
        file.write(key)
    os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = file.name


def _tell_fsspec(scheme: str, **settings: str) -> None:
    """Set arguments of a file system: for children in the environment, for this process in fsspec."""
    from fsspec.config import conf

    for name, value in settings.items():
        os.environ[f"FSSPEC_{scheme.upper()}_{name.upper()}"] = value
        conf.setdefault(scheme, {})[name] = value


def _is_in_cluster() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ and os.path.exists(f"{_ACCOUNT}/token")


def _providers() -> dict[str, Any]:
    found = _get("configmaps/kfp-launcher")
    text = ((found or {}).get("data") or {}).get("providers")
    if not text:
        return {}
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        raise ObjectStoreError(
            f"Reading the config map kfp-launcher needs PyYAML in the image: {install_command('s3')}"
        ) from None
    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ObjectStoreError(
            f"`providers` in the config map kfp-launcher is not YAML: {error}"
        ) from None
    return parsed if isinstance(parsed, dict) else {}


def _secret(name: str) -> dict[str, str]:
    found = _get(f"secrets/{name}")
    if found is None:
        raise ObjectStoreError(
            f"There is no secret {name!r} in the namespace {_namespace()!r}, which holds the credentials "
            "of the pipeline root's store."
        )
    return {
        key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()
    }


def _value(values: Mapping[str, str], names: Mapping[str, str], field: str) -> str:
    key = names.get(field, "")
    if not values.get(key):
        raise ObjectStoreError(
            f"The secret {names.get('secretName')!r} has no key {key!r} ({field}). "
            f"It has {', '.join(sorted(values)) or 'none'}."
        )
    return values[key]


def _namespace() -> str:
    with open(f"{_ACCOUNT}/namespace", encoding="utf-8") as file:
        return file.read().strip()


def _get(path: str) -> dict[str, Any] | None:
    """Return an object of the pod's namespace from Kubernetes' API; None if there is none."""
    import ssl
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    host, port = (
        os.environ["KUBERNETES_SERVICE_HOST"],
        os.environ.get("KUBERNETES_SERVICE_PORT", "443"),
    )
    host = f"[{host}]" if ":" in host else host
    url = f"https://{host}:{port}/api/v1/namespaces/{_namespace()}/{path}"
    with open(f"{_ACCOUNT}/token", encoding="utf-8") as file:
        request = Request(url, headers={"Authorization": f"Bearer {file.read().strip()}"})
    context = ssl.create_default_context(cafile=f"{_ACCOUNT}/ca.crt")
    try:
        with urlopen(request, timeout=_SECONDS, context=context) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except HTTPError as error:
        if error.code == 404:
            return None
        raise ObjectStoreError(
            f"Kubernetes refuses to read {path} in {_namespace()!r} ({error.code} {error.reason}). The "
            "pod's service account needs the right to get it, as Kubeflow's pipeline-runner has."
        ) from None
    except URLError as error:
        raise ObjectStoreError(
            f"Kubernetes' API cannot be reached at {url}: {error.reason}"
        ) from None
