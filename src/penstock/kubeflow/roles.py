"""Rights on a cluster that Kubeflow's own roles may lack, as manifests: for pods and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Manifest = dict[str, Any]

RBAC = "rbac.authorization.k8s.io"

_Rule = tuple[str, Sequence[str], Sequence[str]]

_OF_NODES: tuple[_Rule, ...] = (
    ("", ["pods"], ["get", "list"]),
    ("", ["pods/log"], ["get"]),
    ("", ["services"], ["get", "create", "delete"]),
    ("batch", ["jobs"], ["get", "create", "delete"]),
)
"""Nodes with several replicas make a service and a Job, and look after their pods."""

_OF_NODES_WITH_TRAINER: _Rule = (
    "trainer.kubeflow.org",
    ["trainjobs", "trainingruntimes"],
    ["get", "create", "delete"],
)

_OF_PEOPLE: tuple[_Rule, ...] = (("", ["pods"], ["list"]), ("", ["pods/log"], ["get"]))
"""`penstock kubeflow logs` reads them from the pods."""

_PROXY = "ml-pipeline:http"


def roles_of_nodes(
    namespace: str, account: str = "pipeline-runner", *, trainer: bool = False
) -> list[Manifest]:
    """Return the role of pods whose nodes have several replicas, and its binding.

    Args:
        namespace: The namespace of the runs.
        account: The service account of the pods.
        trainer: Whether replicas run as TrainJobs of Kubeflow Trainer.

    Example:
        >>> [each["kind"] for each in roles_of_nodes("team-a")]
        ['Role', 'RoleBinding']
    """
    rules = (*_OF_NODES, _OF_NODES_WITH_TRAINER) if trainer else _OF_NODES
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    return _bound("penstock-nodes", namespace, [_rule(*each) for each in rules], subject)


def roles_of_people(
    namespace: str, home: str = "kubeflow", *, user: str | None = None, group: str | None = None
) -> list[Manifest]:
    """Return the roles of those who use `penstock kubeflow` with nothing but a kubeconfig.

    They reach Kubeflow through the API server's proxy, as `kubectl proxy` does, and read logs of pods.

    Args:
        namespace: The namespace of the runs.
        home: The namespace of Kubeflow.
        user: The name of one person, or
        group: the name of a group.

    Raises:
        ValueError: Unless just one of the two is given.
    """
    if (user is None) == (group is None):
        raise ValueError("give the name of a user or of a group")
    kind, name = ("User", user) if user is not None else ("Group", group)
    subject = {"kind": kind, "name": name, "apiGroup": RBAC}
    proxy = _rule("", ["services/proxy"], ["get", "create", "delete"])
    proxy["resourceNames"] = [_PROXY]
    logs = [_rule(*each) for each in _OF_PEOPLE]
    if namespace == home:
        return _bound("penstock-people", home, [proxy, *logs], subject)
    return [
        *_bound("penstock-people", home, [proxy], subject),
        *_bound("penstock-people", namespace, logs, subject),
    ]


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


def _bound(
    name: str, namespace: str, rules: list[dict[str, Any]], subject: Mapping[str, Any]
) -> list[Manifest]:
    metadata = {"name": name, "namespace": namespace}
    return [
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": dict(metadata),
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
            "subjects": [dict(subject)],
        },
    ]
