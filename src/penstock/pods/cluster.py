"""The cluster's API server: objects as plain data, repeated where it is safe, told in words where not."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Self

from penstock.installation import install_command

Body = Mapping[str, Any]

_SECONDS = 90.0
"""For how long a request is repeated that was not answered."""

_TIMEOUT = (10.0, 30.0)
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)


class ClusterError(RuntimeError):
    """The API server refused a request, or did not answer.

    Attributes:
        status: HTTP status; 0 if there was no answer.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Cluster:
    """The namespace that this pod may change.

    Args:
        client: A `kubernetes.client.ApiClient`.
        namespace: The namespace.
        patience: For how many seconds a request is repeated that was not answered.
    """

    def __init__(self, client: Any, namespace: str, patience: float = _SECONDS) -> None:
        self._client = client
        self.namespace = namespace
        self._patience = patience

    @classmethod
    def here(cls, namespace: str) -> Self:
        """Return the cluster that this process runs in, or that its kubeconfig names.

        Raises:
            ImportError: If the client is not installed.
            ClusterError: If there is neither.
        """
        try:
            from kubernetes import client, config
        except ImportError as error:
            raise ImportError(
                f"Several replicas on Kubeflow need the client of Kubernetes in the image ({error}): "
                f"{install_command('replicas')}"
            ) from None
        settings = client.Configuration()
        try:
            config.load_incluster_config(settings)
        except config.ConfigException as outside:
            try:
                config.load_kube_config(client_configuration=settings)
            except config.ConfigException as error:
                raise ClusterError(
                    f"This process is neither in a pod of a cluster ({outside}) nor has a kubeconfig "
                    f"({error})."
                ) from None
        # Requests are repeated here, where it is known which may be.
        settings.retries = 0
        return cls(client.ApiClient(settings), namespace)

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """Return an object, or None if there is none.

        Args:
            kind: Its plural and, unless it is of the core, its group and version: "pods",
                "batch/v1/jobs".
            name: Its name.
        """
        try:
            found: dict[str, Any] = self._request("GET", f"{self._path(kind)}/{name}")
            return found
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    def find(self, kind: str, label: str) -> list[dict[str, Any]]:
        """Return the objects that have a label, written `name=value`."""
        found = self._request("GET", self._path(kind), query={"labelSelector": label})
        items: list[dict[str, Any]] = found["items"]
        return items

    def create(self, kind: str, body: Body) -> dict[str, Any]:
        """Make an object and return it; if a request whose answer was lost has made it, return that one.

        Raises:
            ClusterError: If it is refused, or another owner has one of the name.
        """
        try:
            made: dict[str, Any] = self._request("POST", self._path(kind), body)
            return made
        except ClusterError as error:
            if error.status != 409:
                raise
            there = self.get(kind, body["metadata"]["name"])
            if there is None or _owners(there) != _owners(body):
                raise
            return there

    def delete(self, kind: str, name: str) -> None:
        """Remove an object and all that belongs to it; nothing happens if it is gone."""
        body = {"propagationPolicy": "Background"}
        try:
            self._request("DELETE", f"{self._path(kind)}/{name}", body)
        except ClusterError as error:
            if error.status != 404:
                raise

    def log_tail(self, pod: str, lines: int = 20) -> str:
        """Return the last lines that a pod printed; empty if the cluster does not have them."""
        path = f"{self._path('pods')}/{pod}/log"
        try:
            found = self._request("GET", path, query={"tailLines": str(lines)}, text=True)
        except ClusterError:
            return ""
        return str(found).rstrip()

    def _path(self, kind: str) -> str:
        group, _, plural = kind.rpartition("/")
        root = f"/apis/{group}" if group else "/api/v1"
        return f"{root}/namespaces/{self.namespace}/{plural}"

    def _request(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        query: Mapping[str, str] | None = None,
        text: bool = False,
    ) -> Any:
        deadline = time.monotonic() + self._patience
        waits = iter(_WAITS)
        while True:
            status, answer = self._answer(method, path, body, query or {})
            if 200 <= status < 300:
                return answer if text else json.loads(answer or "{}")
            if status not in _PASSING and status != 0:
                raise ClusterError(self._said(method, path, status, answer), status)
            pause = next(waits, _WAITS[-1])
            if time.monotonic() + pause > deadline:
                raise ClusterError(self._said(method, path, status, answer), status)
            time.sleep(pause)

    def _answer(
        self, method: str, path: str, body: Body | None, query: Mapping[str, str]
    ) -> tuple[int, str]:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            response, status, _ = self._client.call_api(
                path,
                method,
                query_params=list(query.items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=_TIMEOUT,
            )
        except ApiException as error:
            answer = error.body or error.reason or ""
            return int(error.status or 0), answer if isinstance(answer, str) else answer.decode()
        except (HTTPError, OSError) as error:
            return 0, f"{type(error).__name__}: {error}"
        return int(status), response.data.decode("utf-8", "replace")

    def _said(self, method: str, path: str, status: int, answer: str) -> str:
        try:
            reason = str(json.loads(answer)["message"])
        except (ValueError, KeyError, TypeError):
            reason = answer.strip()[:500]
        if not status:
            return (
                f"The API server did not answer {method} {path} for {self._patience:g} s: {reason}"
            )
        hint = ""
        if status == 403:
            hint = (
                " The node's service account needs this right; `penstock kubeflow role nodes` prints the "
                "role."
            )
        elif status == 401:
            hint = " The pod's token is not valid; automountServiceAccountToken must not be false."
        elif status == 404 and method == "POST":
            hint = " The cluster does not know this kind of object."
        return f"The API server answered {method} {path} with {status}: {reason}{hint}"


def _owners(body: Body) -> list[str]:
    return [each["uid"] for each in body["metadata"].get("ownerReferences", ())]
