"""One server of Kubeflow Pipelines: its experiments and its users' namespaces."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from penstock.kubeflow.connection import Connection
from penstock.kubeflow.errors import NotConfigured
from penstock.kubeflow.once import make_once
from penstock.kubeflow.predicates import equals, listed
from penstock.kubeflow.transport import Transport

API = "/apis/v2beta1"


@dataclasses.dataclass(slots=True)
class Server:
    """Kubeflow Pipelines behind a connection.

    Args:
        connection: Where it is.
        patience: Seconds within which a request that is safe to repeat is tried again.
        sleep: Waits; for tests.
    """

    connection: Connection
    patience: float = 60.0
    sleep: Callable[[float], None] | None = None
    transport: Transport = dataclasses.field(init=False)
    _namespace: str | None = dataclasses.field(init=False, default=None)
    _asked: bool = dataclasses.field(init=False, default=False)

    def __post_init__(self) -> None:
        settings: dict[str, Any] = {} if self.sleep is None else {"sleep": self.sleep}
        self.transport = Transport(self.connection.pipelines, self.patience, **settings)

    @property
    def namespace(self) -> str | None:
        """The user's namespace where Kubeflow has several users; None where it has one.

        Raises:
            NotConfigured: If it has several and none was named.
        """
        if not self._asked:
            health = self.transport.get(f"{API}/healthz")
            if health.get("multi_user"):
                if self.connection.namespace is None:
                    raise NotConfigured(
                        "This Kubeflow has several users: name your namespace with --namespace, or "
                        "PENSTOCK_KUBEFLOW_NAMESPACE."
                    )
                self._namespace = self.connection.namespace
            self._asked = True
        return self._namespace

    @property
    def pods_namespace(self) -> str:
        """Where the pods of runs are."""
        return self.namespace or self.connection.home

    def make(
        self,
        create: Callable[[], dict[str, Any]],
        find: Callable[[], list[dict[str, Any]]],
        remove: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Make something once; see `make_once`."""
        return make_once(create, find, remove, self.transport.sleep)

    def experiment(self, name: str) -> str:
        """Return the id of an experiment; it is made if there is none of that name."""
        path = f"{API}/experiments"

        def find() -> list[dict[str, Any]]:
            query = {"filter": equals(display_name=name), "namespace": self.namespace}
            return list(listed(self.transport, path, "experiments", query))

        found = find()
        if found:
            return str(found[0]["experiment_id"])
        body = {"display_name": name}
        if self.namespace is not None:
            body["namespace"] = self.namespace
        return str(self.make(lambda: self.transport.post(path, body), find)["experiment_id"])
