"""`PodSettings` on a Kubeflow task, in Kubeflow's own words for the pods of Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.dsl.pod import (
    ConfigMapFiles,
    ConfigMapKey,
    EmptyFolder,
    EphemeralVolume,
    PodSettings,
    SecretFiles,
    SecretKey,
    VolumeClaim,
)
from penstock.graph import GraphNode
from penstock.runners.kubeflow.config import KubeflowConfig

SHARED_MEMORY = "/dev/shm"

POD_IDENTITY = {
    "PENSTOCK_POD_NAME": "metadata.name",
    "PENSTOCK_POD_UID": "metadata.uid",
    "PENSTOCK_POD_NAMESPACE": "metadata.namespace",
}
"""Environment variables that tell a container which pod it is in: variable to field of the pod."""


def pod_of(node: GraphNode, config: KubeflowConfig) -> PodSettings:
    """Return the settings of a node's pod over those of the configuration, without the image."""
    own = {name: each for name, each in node.pod.items() if name != "image"}
    return PodSettings.from_json(own).over(config.pod)


def image_of(node: GraphNode, config: KubeflowConfig) -> Any:
    """Return the image of a node: its name, or `{"$runtime_parameter": name}`."""
    own = node.pod.get("image")
    return own if own is not None else config.pod.to_json().get("image") or _plain(config.image)


def _plain(image: Any) -> Any:
    return image if isinstance(image, str) else {"$runtime_parameter": image.name}


def set_pod(task: Any, pod: PodSettings, config: KubeflowConfig) -> None:
    """Give a `kfp.dsl.PipelineTask` what its pod is to have.

    Args:
        task: The task.
        pod: As `pod_of` returns it; what Kubeflow cannot honour has been refused or allowed before.
        config: How the pipeline is compiled.
    """
    from kfp import kubernetes

    for name, field in POD_IDENTITY.items():
        kubernetes.use_field_path_as_env(task, name, field)
    if config.store is not None:
        kubernetes.use_secret_as_env(
            task, config.store.secret, {config.store.key: "PENSTOCK_STORE"}
        )
    for claim, folder in config.volumes.items():
        kubernetes.mount_pvc(task, pvc_name=claim, mount_path=folder)
    if pod.image_pull_policy is not None:
        kubernetes.set_image_pull_policy(task, pod.image_pull_policy)
    if pod.image_pull_secrets:
        kubernetes.set_image_pull_secrets(task, list(pod.image_pull_secrets))
    _set_environment(task, pod)
    _set_mounts(task, pod)
    _set_placement(task, pod)
    for key, value in pod.labels.items():
        kubernetes.add_pod_label(task, key, value)
    for key, value in pod.annotations.items():
        kubernetes.add_pod_annotation(task, key, value)
    if pod.run_as_user is not None or pod.run_as_group is not None:
        kubernetes.set_security_context(
            task, run_as_user=pod.run_as_user, run_as_group=pod.run_as_group
        )


def _set_environment(task: Any, pod: PodSettings) -> None:
    from kfp import kubernetes

    for name, source in pod.environment.items():
        if isinstance(source, SecretKey):
            kubernetes.use_secret_as_env(
                task, source.secret, {source.key: name}, optional=source.optional
            )
        elif isinstance(source, ConfigMapKey):
            kubernetes.use_config_map_as_env(
                task, source.config_map, {source.key: name}, optional=source.optional
            )
        else:
            task.set_env_variable(name, source)


def _set_mounts(task: Any, pod: PodSettings) -> None:
    from kfp import kubernetes

    mounts: dict[str, Any] = dict(pod.mounts)
    if pod.shared_memory is not None:
        # Kubeflow's message has a field of its own for it, which its driver passes over.
        mounts[SHARED_MEMORY] = EmptyFolder(pod.shared_memory, memory=True)
    for number, (path, source) in enumerate(mounts.items()):
        if isinstance(source, VolumeClaim):
            kubernetes.mount_pvc(task, source.claim, path, sub_path=source.sub_path)
        elif isinstance(source, SecretFiles):
            kubernetes.use_secret_as_volume(task, source.secret, path, optional=source.optional)
        elif isinstance(source, ConfigMapFiles):
            kubernetes.use_config_map_as_volume(
                task, source.config_map, path, optional=source.optional
            )
        elif isinstance(source, EmptyFolder):
            kubernetes.empty_dir_mount(
                task,
                volume_name=f"penstock-{number}",
                mount_path=path,
                medium="Memory" if source.memory else None,
                size_limit=source.size,
            )
        elif isinstance(source, EphemeralVolume):
            kubernetes.add_ephemeral_volume(
                task,
                volume_name=f"penstock-{number}",
                mount_path=path,
                access_modes=[source.access_mode],
                size=source.size,
                storage_class_name=source.storage_class,
            )


def _set_placement(task: Any, pod: PodSettings) -> None:
    from kfp import kubernetes

    for label, value in pod.node_selector.items():
        kubernetes.add_node_selector(task, label_key=label, label_value=value)
    for each in pod.tolerations:
        kubernetes.add_toleration(
            task,
            key=each.key,
            operator=each.operator,
            value=each.value,
            effect=each.effect,
            toleration_seconds=each.seconds,
        )
    for affinity in pod.affinity:
        rules = [
            {"key": rule.key, "operator": rule.operator, "values": list(rule.values)}
            for rule in affinity.rules
        ]
        kubernetes.add_node_affinity(task, match_expressions=rules, weight=affinity.weight)


def volumes_of(pod: PodSettings, config: KubeflowConfig) -> list[tuple[str, str]]:
    """Return (name of the volume, folder) of what is mounted by a name that the user gave."""
    named: Mapping[str, Any] = pod.mounts
    found = [(claim, folder) for claim, folder in config.volumes.items()]
    return found + [
        (source.volume, path) for path, source in named.items() if hasattr(source, "volume")
    ]
