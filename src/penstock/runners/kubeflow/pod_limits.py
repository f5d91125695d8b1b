"""What Kubeflow cannot do as the settings of a node's pod ask for it."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.graph import GraphNode
from penstock.runners.kubeflow.config import WAIVABLE, KubeflowConfig
from penstock.runners.kubeflow.pods import POD_IDENTITY, pod_of, volumes_of
from penstock.runners.protocol import Limit

_LAUNCHER_FOLDERS = ("/gcs", "/s3", "/minio", "/kfp-launcher", "/.local", "/.cache", "/.config")
"""Folders that Kubeflow mounts into every container (`container.go` of its compiler)."""

_WHY = {
    "priority_class": "Kubeflow's tasks have no priority class of their own. With Kueue, use the label "
    "kueue.x-k8s.io/priority-class (labels={...}).",
    "service_account": "Kubeflow runs all tasks of a run under the run's service account: give it when "
    "the run is created (penstock kubeflow run --service-account NAME).",
}


def pod_limits(node: GraphNode, config: KubeflowConfig) -> Iterator[Limit]:
    """Yield the settings of a node's pod that Kubeflow cannot honour.

    Args:
        node: The node.
        config: How the pipeline is compiled.
    """
    pod = pod_of(node, config)
    for setting in WAIVABLE:
        value = getattr(pod, setting)
        if value is not None:
            allowed = config.allows(node.id, setting)
            how = (
                "It is left out."
                if allowed
                else f"Leave it out, or allow it: KubeflowConfig(allow=[{setting!r}]), "
                f"or --allow {setting}."
            )
            yield Limit(
                node.id, f"PodSettings.{setting}={value!r}", f"{_WHY[setting]} {how}", not allowed
            )
    yield from _of_volumes(node, config)
    for setting in ("environment", "annotations"):
        for name, value in getattr(pod, setting).items():
            if isinstance(value, str) and "{{" in value:
                yield Limit(
                    node.id,
                    f"PodSettings.{setting}[{name!r}]",
                    "Argo would replace what stands in '{{'. Take the value from a config map.",
                    fatal=True,
                )
    reserved = {*POD_IDENTITY, *(["PENSTOCK_STORE"] if config.store is not None else [])}
    for name in pod.environment:
        if name in reserved or name.startswith("KFP_"):
            yield Limit(
                node.id,
                f"PodSettings.environment[{name!r}]",
                "this variable is set for every container. Choose another name.",
                fatal=True,
            )


def _of_volumes(node: GraphNode, config: KubeflowConfig) -> Iterator[Limit]:
    pod = pod_of(node, config)
    seen: dict[str, str] = {}
    for volume, path in volumes_of(pod, config):
        if volume in seen:
            yield Limit(
                node.id,
                f"PodSettings.mounts[{path!r}]",
                f"Kubeflow names a volume after its claim, secret or config map, so {volume!r} cannot be "
                f"mounted at {seen[volume]} and at {path}. Mount it once, or give the other one another "
                "name in the cluster.",
                fatal=True,
            )
        seen.setdefault(volume, path)
    for path in pod.mounts:
        plain = path.rstrip("/")
        if plain in _LAUNCHER_FOLDERS:
            text = "Kubeflow mounts a folder of its own there. Choose another one."
        elif plain in (each.rstrip("/") for each in config.volumes.values()):
            text = "KubeflowConfig.volumes mounts a claim there. Choose another folder."
        else:
            continue
        yield Limit(node.id, f"PodSettings.mounts[{path!r}]", text, fatal=True)
