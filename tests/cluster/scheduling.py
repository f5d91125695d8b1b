"""Whether a pod fits on a node: labels, affinity, taints and amounts, as Kubernetes' scheduler says it.

Rules between pods (affinity to other pods, topology spread) are not looked at: the nodes are one machine.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """A node that pods may be put on.

    Attributes:
        name: Its name.
        labels: Its labels.
        capacity: Amounts by resource; what is not there cannot be asked for.
        taints: As in a node's `spec.taints`.
    """

    name: str
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    capacity: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: {"cpu": "64", "memory": "256Gi", "pods": "250"}
    )
    taints: tuple[Mapping[str, str], ...] = ()

    def manifest(self) -> dict[str, Any]:
        """Return the node for the API server."""
        labels = {"kubernetes.io/hostname": self.name, "kubernetes.io/os": "linux", **self.labels}
        return {
            "metadata": {"name": self.name, "labels": labels},
            "spec": {"taints": [dict(each) for each in self.taints]},
        }


def choose(pod: Any, nodes: Iterable[Node], running: Iterable[Any]) -> tuple[Node | None, str]:
    """Return (a node that a pod fits on or None, why not).

    Args:
        pod: The pod.
        nodes: All nodes.
        running: Pods that are on nodes and have not ended.
    """
    used: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for each in running:
        used[each.spec.node_name].update(requests(each))
    reasons: collections.Counter[str] = collections.Counter()
    for node in nodes:
        reason = _misfit(pod, node, used[node.name])
        if reason is None:
            return node, ""
        reasons[reason] += 1
    told = ", ".join(f"{number} {reason}" for reason, number in reasons.items())
    return None, f"0/{sum(reasons.values())} nodes are available: {told}."


def requests(pod: Any) -> dict[str, Decimal]:
    """Return what a pod's containers ask for together."""
    from kubernetes.utils.quantity import parse_quantity

    found: dict[str, Decimal] = {"pods": Decimal(1)}
    for container in pod.spec.containers:
        asked = (container.resources and container.resources.requests) or {}
        for name, amount in asked.items():
            found[name] = found.get(name, Decimal(0)) + parse_quantity(amount)
    return found


def _misfit(pod: Any, node: Node, used: Mapping[str, Any]) -> str | None:
    from kubernetes.utils.quantity import parse_quantity

    labels = node.manifest()["metadata"]["labels"]
    selector = pod.spec.node_selector or {}
    affinity = pod.spec.affinity and pod.spec.affinity.node_affinity
    required = affinity and affinity.required_during_scheduling_ignored_during_execution
    if any(labels.get(key) != each for key, each in selector.items()) or (
        required and not any(_matches(each, labels) for each in required.node_selector_terms)
    ):
        return "node(s) didn't match Pod's node affinity/selector"
    for taint in node.taints:
        if taint["effect"] != "PreferNoSchedule" and not any(
            _tolerates(each, taint) for each in pod.spec.tolerations or ()
        ):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    for name, amount in requests(pod).items():
        if used.get(name, 0) + amount > parse_quantity(node.capacity.get(name, "0")):
            return f"Insufficient {name}"
    return None


def _matches(term: Any, labels: Mapping[str, str]) -> bool:
    return bool(term.match_expressions) and all(
        _holds(each, labels) for each in term.match_expressions
    )


def _holds(expression: Any, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression.key)
    match expression.operator:
        case "In":
            return value in expression.values
        case "NotIn":
            return value not in expression.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return value is not None and int(value) > int(expression.values[0])
        case _:
            return value is not None and int(value) < int(expression.values[0])


def _tolerates(toleration: Any, taint: Mapping[str, str]) -> bool:
    if toleration.effect and toleration.effect != taint["effect"]:
        return False
    if toleration.operator == "Exists":
        return toleration.key in (None, "", taint["key"])
    return toleration.key == taint["key"] and (toleration.value or "") == taint.get("value", "")
