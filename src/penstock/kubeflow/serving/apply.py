"""Objects of Kubernetes, made or changed at the API server by server-side apply."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from penstock.kubeflow.errors import KubeflowError, NotConfigured, UnknownOnServer
from penstock.kubeflow.server import Server
from penstock.kubeflow.transport import Transport

_MANAGER = "penstock"
_PLURALS = {
    "ConfigMap": "configmaps",
    "Deployment": "deployments",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "InferenceService": "inferenceservices",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "Service": "services",
}
_LOOK_SECONDS = 2.0
_PODS = 3
"""Pods of which is told what holds them up: the newest."""

_TAIL = 5
"""Lines that are told of what a pod printed."""


class NotReady(KubeflowError):
    """What was applied does not work in time."""


def apply(server: Server, manifests: list[dict[str, Any]], *, dry_run: bool = False) -> list[str]:
    """Make or change objects, and return their names.

    Args:
        server: The server; its cluster must be known (a kubeconfig, or in a pod).
        manifests: The objects.
        dry_run: Whether the API server only checks them, with all its admission controllers.

    Raises:
        NotConfigured: If only an address of Kubeflow was given.
        UnknownOnServer: If the cluster does not know a kind, such as KServe's.
        KubeflowError: If it refuses an object; the message says why.
    """
    cluster = _cluster(server)
    done = []
    for each in manifests:
        kind, name = each["kind"], each["metadata"]["name"]
        try:
            cluster.patch(
                path_of(each),
                each,
                {
                    "fieldManager": _MANAGER,
                    "force": "true",
                    "fieldValidation": "Strict",
                    "dryRun": "All" if dry_run else None,
                },
            )
        except UnknownOnServer as error:
            group = each["apiVersion"].partition("/")[0]
            raise UnknownOnServer(
                f"This cluster has no {kind} ({each['apiVersion']}), or no namespace "
                f"{each['metadata']['namespace']!r}. Is {group} installed? ({error})"
            ) from None
        done.append(f"{kind} {name}")
    return done


def wait_until_ready(server: Server, manifests: list[dict[str, Any]], seconds: float) -> None:
    """Wait until the Deployment or InferenceService of manifests answers.

    Raises:
        NotReady: If it does not within so many seconds; the message says what it waits for.
    """
    cluster = _cluster(server)
    waited = [each for each in manifests if each["kind"] in ("Deployment", "InferenceService")]
    end = time.monotonic() + seconds
    for each in waited:
        while (missing := _missing(cluster.get(path_of(each)))) is not None:
            if time.monotonic() > end:
                raise NotReady(
                    f"{each['kind']} {each['metadata']['name']} is not ready after {seconds:g} s: "
                    f"{missing}{_words_of_pods(cluster, each)}"
                )
            server.transport.sleep(_LOOK_SECONDS)


def path_of(manifest: Mapping[str, Any]) -> str:
    """Return the path of an object at the API server.

    Example:
        >>> path_of({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "b"}})
        '/api/v1/namespaces/b/services/a'
    """
    version, metadata = manifest["apiVersion"], manifest["metadata"]
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    plural = _PLURALS[manifest["kind"]]
    return f"{base}/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}"


def _cluster(server: Server) -> Transport:
    if server.connection.cluster is None:
        raise NotConfigured(
            "To apply manifests, the cluster itself must be known: leave --host out, and give a kubeconfig "
            "(KUBECONFIG, --context). Or write them with -o, and apply them with kubectl."
        )
    return Transport(server.connection.cluster, server.patience, server.transport.sleep)


def _words_of_pods(cluster: Transport, manifest: Mapping[str, Any]) -> str:
    """Return what holds up the pods of an object, and the end of what they print."""
    metadata = manifest["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods"
    name = metadata["labels"]["app.kubernetes.io/name"]
    words = []
    pods = cluster.get(path, {"labelSelector": f"app.kubernetes.io/name={name}"})["items"]
    pods.sort(key=lambda pod: pod["metadata"].get("creationTimestamp") or "")
    for pod in pods[-_PODS:]:
        status = pod.get("status", {})
        reasons = [status["message"]] if status.get("message") else []
        reasons += [
            each["message"]
            for each in status.get("conditions", ())
            if each.get("status") == "False" and each.get("message")
        ]
        for each in status.get("containerStatuses", ()):
            for kind, state in each.get("state", {}).items():
                said = [state.get(field) for field in ("reason", "message") if state.get(field)]
                reasons += [": ".join(said)] if said and kind != "running" else []
        words.append(f"{pod['metadata']['name']}: {'; '.join(reasons) or status.get('phase')}")
        with contextlib.suppress(KubeflowError):
            printed = cluster.text(f"{path}/{pod['metadata']['name']}/log", {"tailLines": _TAIL})
            words += [f"  {line}" for line in printed.splitlines()]
    return "".join(f"\n{line}" for line in words)


def _missing(found: Mapping[str, Any]) -> str | None:
    """Return what an object still waits for, or None."""
    status = found.get("status", {})
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    if found["kind"] == "InferenceService":
        ready = conditions.get("Ready", {})
        if ready.get("status") == "True":
            return None
        return str(ready.get("message") or ready.get("reason") or "KServe has not begun")
    if status.get("observedGeneration", 0) < found["metadata"]["generation"]:
        return "its controller has not seen it"
    wanted = found["spec"].get("replicas", 1)
    new, usable = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if new >= wanted and usable >= wanted and status.get("replicas", 0) == new:
        return None
    failed = conditions.get("ReplicaFailure", {}).get("message")
    return str(failed or f"{new} of {wanted} new replicas made, {usable} answer")
