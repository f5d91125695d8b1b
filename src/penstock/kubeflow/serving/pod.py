"""The pod that serves a model: the same in a Deployment and in a KServe InferenceService."""

from __future__ import annotations

import hashlib
from typing import Any

from penstock.kubeflow.serving.server_files import (
    DRAIN_SECONDS,
    FOLDER,
    GRACE_SECONDS,
    TLS,
    TOKENS,
    paths_of_health,
    server_command,
    server_file,
)
from penstock.kubeflow.serving.settings import GRPC_PORT, HTTP_PORT, Served, ServingSettings
from penstock.runners.kubeflow.resources import accelerator_of

_USER = 10001
"""The image's; nothing in the pod needs another."""

_START_SECONDS = 600


def labels(model: Served, settings: ServingSettings) -> dict[str, str]:
    """Return the labels of everything that serves a model."""
    return {
        "app.kubernetes.io/name": settings.object_name(model),
        "app.kubernetes.io/component": "model-server",
        "app.kubernetes.io/managed-by": "penstock",
    }


def config_map(model: Served, settings: ServingSettings) -> dict[str, Any]:
    """Return the ConfigMap with the server's file."""
    name, text = server_file(model, settings)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{settings.object_name(model)}-server",
            "namespace": settings.namespace,
            "labels": labels(model, settings),
        },
        "data": {name: text},
    }


def noted(model: Served, settings: ServingSettings) -> dict[str, str]:
    """Return what is noted on the pods: they are replaced when the server's file changes."""
    text = server_file(model, settings)[1]
    found = {
        "penstock/model": model.destination,
        "penstock/config": hashlib.sha256(text.encode()).hexdigest()[:16],
    }
    if model.alias is not None:
        found["penstock/alias"] = model.alias
    return found


def container(model: Served, settings: ServingSettings, name: str) -> dict[str, Any]:
    """Return the server's container, by the name that is wanted."""
    live, ready = paths_of_health(model, settings)
    scheme = "HTTPS" if settings.tls_secret else "HTTP"

    def probe(path: str, **more: int) -> dict[str, Any]:
        return {"httpGet": {"path": path, "port": HTTP_PORT, "scheme": scheme}, **more}

    made: dict[str, Any] = {
        "name": name,
        "image": settings.image_used,
        "command": server_command(model, settings),
        "ports": [
            {"name": "http1", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "grpc", "containerPort": GRPC_PORT, "protocol": "TCP"},
        ],
        "resources": _resources(settings),
        "startupProbe": probe(live, periodSeconds=5, failureThreshold=_START_SECONDS // 5),
        "livenessProbe": probe(live, periodSeconds=10, failureThreshold=6),
        "readinessProbe": probe(ready, periodSeconds=5),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": each["name"], "mountPath": path, "readOnly": read_only}
            for each, path, read_only in _volumes(model, settings)
        ],
    }
    if settings.environment_secret is not None:
        made["envFrom"] = [{"secretRef": {"name": settings.environment_secret}}]
    return made


def pod_settings(model: Served, settings: ServingSettings) -> dict[str, Any]:
    """Return what a pod's specification holds besides its container."""
    made: dict[str, Any] = {
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": int(GRACE_SECONDS + DRAIN_SECONDS) + 5,
        "volumes": [each for each, _, _ in _volumes(model, settings)],
    }
    _, selector = accelerator_of(settings.resources)
    if selector:
        made["nodeSelector"] = selector
    if settings.service_account is not None:
        made["serviceAccountName"] = settings.service_account
    return made


def _volumes(model: Served, settings: ServingSettings) -> list[tuple[dict[str, Any], str, bool]]:
    """Return (volume, where it is mounted, whether for reading only)."""
    server: dict[str, Any] = {"name": f"{settings.object_name(model)}-server"}
    found: list[tuple[dict[str, Any], str, bool]] = [
        ({"name": "server", "configMap": server}, FOLDER, True),
        ({"name": "tmp", "emptyDir": {}}, "/tmp", False),
    ]
    for number, (claim, folder) in enumerate(settings.claims.items()):
        source = {"claimName": claim, "readOnly": True}
        found.append(({"name": f"models-{number}", "persistentVolumeClaim": source}, folder, True))
    if settings.token_secret is not None:
        secret = {"secretName": settings.token_secret[0]}
        found.append(({"name": "tokens", "secret": secret}, TOKENS, True))
    if settings.tls_secret is not None:
        secret = {"secretName": settings.tls_secret}
        found.append(({"name": "tls", "secret": secret}, TLS, True))
    return found


def _resources(settings: ServingSettings) -> dict[str, dict[str, str]]:
    """Return requests and limits; a server may use more processors than it asks for, not more memory."""
    asked = settings.resources
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    if asked.cpu is not None:
        requests["cpu"] = f"{round(asked.cpu * 1000)}m"
    if asked.memory is not None:
        requests["memory"] = limits["memory"] = asked.memory
    kind, _ = accelerator_of(asked)
    if kind is not None:
        limits[kind] = str(asked.accelerator_count)
    return {"requests": requests, "limits": limits}
