"""A model's server as objects of Kubernetes: a Deployment and its Service, or an InferenceService."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from penstock.kubeflow.serving.pod import (
    config_map,
    container,
    labels,
    noted,
    pod_settings,
)
from penstock.kubeflow.serving.settings import GRPC_PORT, HTTP_PORT, Served, ServingSettings

Manifest = dict[str, Any]

_IN_USE = 70
"""Percent of the processors in use, at which more replicas are started."""


def deployment(model: Served, settings: ServingSettings) -> list[Manifest]:
    """Return a ConfigMap, a Deployment, a Service, and where there are several replicas an autoscaler and a
    disruption budget.

    Args:
        model: The model.
        settings: How it is served.

    Raises:
        ParameterError: If containers cannot reach the model, or the server cannot serve it so.
    """
    settings.check(model)
    name = settings.object_name(model)
    chosen = {"app.kubernetes.io/name": name, "app.kubernetes.io/component": "model-server"}
    least, most = settings.replicas
    pods = {
        "metadata": {
            "labels": labels(model, settings),
            "annotations": noted(model, settings),
        },
        "spec": {
            **pod_settings(model, settings),
            "containers": [container(model, settings, "model-server")],
        },
    }
    spec: dict[str, Any] = {
        "selector": {"matchLabels": chosen},
        "strategy": {
            "type": "RollingUpdate",
            # The old answers until the new can.
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        },
        "template": pods,
    }
    if least == most:
        spec["replicas"] = least  # else it is the autoscaler's
    service = {
        "selector": chosen,
        "ports": [
            {"name": "http", "port": HTTP_PORT, "targetPort": HTTP_PORT},
            {"name": "grpc", "port": GRPC_PORT, "targetPort": GRPC_PORT},
        ],
    }
    made = [
        config_map(model, settings),
        _object("apps/v1", "Deployment", model, settings, spec),
        _object("v1", "Service", model, settings, service),
    ]
    if most > least:
        made.append(_autoscaler(model, settings))
    if least > 1:
        budget = {"maxUnavailable": 1, "selector": {"matchLabels": chosen}}
        made.append(_object("policy/v1", "PodDisruptionBudget", model, settings, budget))
    return made


def inference_service(model: Served, settings: ServingSettings) -> list[Manifest]:
    """Return a ConfigMap and KServe's InferenceService, whose container is the chosen server.

    The server reads the versions where they were pushed, so that it follows an alias, and divides requests
    itself; KServe brings the address, the autoscaling and the revisions.

    Args:
        model: The model.
        settings: How it is served.

    Raises:
        ParameterError: As `deployment`.
    """
    settings.check(model)
    least, most = settings.replicas
    server = container(model, settings, "kserve-container")
    # KServe takes one port; of those two it is the one of HTTP.
    server["ports"] = server["ports"][:1]
    predictor = {
        **pod_settings(model, settings),
        "minReplicas": least,
        "maxReplicas": most,
        "scaleMetric": "cpu",
        "scaleTarget": _IN_USE,
        "labels": labels(model, settings),
        "annotations": noted(model, settings),
        "containers": [server],
    }
    made = _object(
        "serving.kserve.io/v1beta1", "InferenceService", model, settings, {"predictor": predictor}
    )
    # Its autoscaler by processors is that of Kubernetes, not Knative's by requests.
    made["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": "RawDeployment"}
    return [config_map(model, settings), made]


def to_yaml(manifests: Iterable[Mapping[str, Any]]) -> str:
    """Return manifests as a YAML file."""
    import yaml  # type: ignore[import-untyped]

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]
        """Writes the servers' files as they are."""

        def ignore_aliases(self, data: object) -> bool:
            """Write each value out: Kubernetes reads aliases, people do not."""
            return True

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return str(yaml.dump_all(manifests, Dumper=Dumper, sort_keys=False, explicit_start=True))


def _autoscaler(model: Served, settings: ServingSettings) -> Manifest:
    least, most = settings.replicas
    target = {"type": "Utilization", "averageUtilization": _IN_USE}
    spec = {
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": settings.object_name(model),
        },
        "minReplicas": least,
        "maxReplicas": most,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", model, settings, spec)


def _object(
    version: str, kind: str, model: Served, settings: ServingSettings, spec: Mapping[str, Any]
) -> Manifest:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {
            "name": settings.object_name(model),
            "namespace": settings.namespace,
            "labels": labels(model, settings),
        },
        "spec": dict(spec),
    }
