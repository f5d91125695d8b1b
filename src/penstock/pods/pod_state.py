"""What the cluster says of a pod or a workload, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]


def condition(thing: Object, kind: str) -> Mapping[str, Any] | None:
    """Return a condition of an object that is true, or None."""
    for each in thing.get("status", {}).get("conditions", ()):
        if each["type"] == kind and each["status"] == "True":
            found: Mapping[str, Any] = each
            return found
    return None


def is_suspended(workload: Object) -> bool:
    """Return whether a Job or TrainJob waits to be admitted."""
    return bool(workload["spec"].get("suspend"))


def failure(workload: Object) -> str:
    """Return why a Job or TrainJob has failed; empty if it has not."""
    failed = condition(workload, "Failed") or condition(workload, "FailureTarget")
    return _joined(failed) if failed else ""


def why_waiting(pod: Object) -> str:
    """Return what keeps a pod from running; empty if nothing does."""
    status = pod.get("status", {})
    for each in status.get("conditions", ()):
        if each["type"] == "PodScheduled" and each["status"] == "False":
            return _joined(each)
    for container in [*status.get("initContainerStatuses", ()), *_containers(pod)]:
        waiting = container.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in ("ContainerCreating", "PodInitializing"):
            return _joined(waiting)
    return "" if status.get("phase") == "Running" else str(status.get("phase", "Pending"))


def why_ended(pod: Object | None) -> str:
    """Return how a pod ended; empty if it has not, as far as the cluster knows.

    Example:
        >>> why_ended({"status": {"phase": "Failed", "reason": "Evicted", "message": "node was low"}})
        'Evicted: node was low'
    """
    if pod is None:
        return "it was deleted"
    disrupted = condition(pod, "DisruptionTarget")
    status = pod.get("status", {})
    parts = [_joined(disrupted)] if disrupted else []
    if status.get("reason"):
        parts.append(_joined(status))
    for container in _containers(pod):
        ended = container.get("state", {}).get("terminated")
        if ended:
            parts.append(_told_exit(ended))
    if not parts and pod["metadata"].get("deletionTimestamp"):
        parts.append("it was deleted")
    return "; ".join(dict.fromkeys(parts))


def _told_exit(ended: Mapping[str, Any]) -> str:
    status, reason = ended.get("exitCode"), ended.get("reason", "")
    hint = " (it used more memory than its limit)" if reason == "OOMKilled" else ""
    return f"{reason or 'ended'}, exit status {status}{hint}"


def _containers(pod: Object) -> list[Mapping[str, Any]]:
    return list(pod.get("status", {}).get("containerStatuses", ()))


def _joined(said: Mapping[str, Any]) -> str:
    return ": ".join(str(said[name]) for name in ("reason", "message") if said.get(name))
