"""Tasks of Kubeflow's IR as pods of a cluster, with the settings that Kubeflow's driver gives them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from control_plane import Cluster

MAIN = "main"
_GONE = 137


def pod_spec(
    container: Mapping[str, Any],
    platform: Mapping[str, Any],
    command: Sequence[str],
    account: str,
) -> dict[str, Any]:
    """Return the pod of a task.

    Args:
        container: The executor's container in the IR, placeholders replaced.
        platform: Its settings in the IR's Kubernetes platform, parameters replaced by
            `{"runtimeValue": {"constant": ...}}`.
        command: What it runs.
        account: Its service account.

    Raises:
        ValueError: If a setting has no translation here.
    """
    unknown = set(platform) - set(_VOLUMES) - _OTHERS
    if unknown:
        raise ValueError(f"settings of the Kubernetes platform that are not known here: {unknown}")
    main: dict[str, Any] = {
        "name": MAIN,
        "image": container["image"],
        "command": list(command),
        "env": [dict(each) for each in container.get("env", ())],
        "resources": _resources(container.get("resources", {})),
    }
    volumes: dict[str, dict[str, Any]] = {}
    mounts: list[dict[str, Any]] = []
    for kind, translate in _VOLUMES.items():
        told = platform.get(kind, ())
        for each in [told] if isinstance(told, Mapping) else told:
            name, volume, path, more = translate(each)
            volumes[name] = {"name": name, **volume}
            mounts.append({"name": name, "mountPath": path, **more})
    main["env"] += list(_environment(platform))
    main["volumeMounts"] = mounts
    policy = platform.get("imagePullPolicy")
    if policy:
        main["imagePullPolicy"] = policy
    spec: dict[str, Any] = {
        "containers": [main],
        "restartPolicy": "Never",
        "serviceAccountName": account,
        "volumes": list(volumes.values()),
        "tolerations": [
            _numbers(each.get("tolerationJson", each), "tolerationSeconds")
            for each in platform.get("tolerations", ())
        ],
        "imagePullSecrets": [
            {"name": _value(each, "secretName")} for each in platform.get("imagePullSecret", ())
        ],
    }
    selector = platform.get("nodeSelector", {})
    spec["nodeSelector"] = selector.get("nodeSelectorJson") or selector.get("labels") or {}
    if "securityContext" in platform:
        told = dict(platform["securityContext"])
        main["securityContext"] = _numbers(told, "runAsUser", "runAsGroup")
    if "activeDeadlineSeconds" in platform:
        spec["activeDeadlineSeconds"] = int(platform["activeDeadlineSeconds"])
    spec["affinity"] = {"nodeAffinity": _affinity(platform.get("nodeAffinity", ()))}
    return spec


class PodContainers:
    """Containers that are pods; the `Containers` of Kubeflow's stand-in.

    Args:
        cluster: Where.
        namespace: In which namespace.
        shared: Folder at the same path in each pod: where the launcher keeps references.
        account: The pods' service account.
    """

    def __init__(
        self, cluster: Cluster, namespace: str, shared: str, account: str = "pipeline-runner"
    ) -> None:
        from kubernetes import client

        self._agent = cluster.agent
        self._core = client.CoreV1Api(cluster.api())
        self._namespace, self._shared, self._account = namespace, shared, account
        self.pods: dict[str, str] = {}

    def start(self, call: Any, pod: str, labels: Mapping[str, str], node: str) -> PodContainer:
        """Make a pod."""
        spec = pod_spec(call.container, call.platform, call.command, self._account)
        place = {"name": "references", "hostPath": {"path": self._shared}}
        spec["volumes"].append(place)
        mount = {"name": "references", "mountPath": self._shared}
        spec["containers"][0]["volumeMounts"].append(mount)
        told = call.platform.get("podMetadata", {})
        metadata = {
            "name": pod,
            "labels": {**labels, **told.get("labels", {})},
            "annotations": {"workflows.argoproj.io/node-name": node, **told.get("annotations", {})},
        }
        self._core.create_namespaced_pod(self._namespace, {"metadata": metadata, "spec": spec})
        self.pods[node] = pod
        return PodContainer(self._core, pod, self._namespace)

    def log(self, pod: str) -> str:
        """Return what a pod printed so far."""
        try:
            return self._agent.logs(pod, namespace=self._namespace)
        except LookupError as error:
            raise FileNotFoundError(str(error)) from None


class PodContainer:
    """The container of a task's pod."""

    def __init__(self, core: Any, pod: str, namespace: str) -> None:
        self._core, self._pod, self._namespace = core, pod, namespace

    def wait(self) -> int:
        """Return the exit code; 137 if the pod was deleted or its deadline came."""
        from kubernetes import watch

        while True:
            changes = watch.Watch().stream(
                self._core.list_namespaced_pod,
                self._namespace,
                field_selector=f"metadata.name={self._pod}",
                timeout_seconds=60,
            )
            for change in changes:
                status = change["object"].status
                if change["type"] == "DELETED":
                    return _GONE
                if status.phase in ("Succeeded", "Failed"):
                    ended = [each.state.terminated for each in status.container_statuses or ()]
                    codes = [each.exit_code for each in ended if each]
                    return codes[0] if codes else _GONE
            if not self._there():
                return _GONE

    def stop(self) -> None:
        """Delete the pod: SIGTERM, and SIGKILL after the grace period."""
        from kubernetes.client import ApiException

        with contextlib.suppress(ApiException):
            self._core.delete_namespaced_pod(self._pod, self._namespace, _preload_content=False)

    def _there(self) -> bool:
        from kubernetes.client import ApiException

        try:
            self._core.read_namespaced_pod(self._pod, self._namespace)
        except ApiException as error:
            if error.status == 404:
                return False
            raise
        return True


def _affinity(told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    required, preferred = [], []
    for each in told:
        term = {key: each[key] for key in ("matchExpressions", "matchFields") if key in each}
        if "weight" in each:
            preferred.append({"weight": int(each["weight"]), "preference": term})
        else:
            required.append(term)
    found: dict[str, Any] = {}
    if required:
        found["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": required}
    if preferred:
        found["preferredDuringSchedulingIgnoredDuringExecution"] = preferred
    return found


def _resources(told: Mapping[str, Any]) -> dict[str, Any]:
    limits: dict[str, str] = {}
    requests: dict[str, str] = {}
    for name, kind, amounts in (
        ("resourceCpuLimit", "cpu", limits),
        ("resourceMemoryLimit", "memory", limits),
        ("resourceCpuRequest", "cpu", requests),
        ("resourceMemoryRequest", "memory", requests),
    ):
        if told.get(name):
            amounts[kind] = str(told[name])
    accelerator = told.get("accelerator", {})
    if accelerator.get("resourceType"):
        limits[accelerator["resourceType"]] = str(accelerator["resourceCount"])
    return {"limits": limits, "requests": requests}


def _environment(platform: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for kind, key, reference in (
        ("secretAsEnv", "secretKey", "secretKeyRef"),
        ("configMapAsEnv", "configMapKey", "configMapKeyRef"),
    ):
        for told in platform.get(kind, ()):
            name = _value(told, "secretName" if kind == "secretAsEnv" else "configMapName")
            for each in told["keyToEnv"]:
                source = {"name": name, "key": each[key], "optional": told.get("optional", False)}
                yield {"name": each["envVar"], "valueFrom": {reference: source}}
    for each in platform.get("fieldPathAsEnv", ()):
        source = {"fieldRef": {"fieldPath": each["fieldPath"]}}
        yield {"name": each["name"], "valueFrom": source}


def _value(told: Mapping[str, Any], name: str) -> str:
    """Return a name that older compilers write as text and newer ones as a parameter too."""
    parameter = told.get(f"{name}Parameter", {})
    return str(parameter.get("runtimeValue", {}).get("constant") or told[name])


def _numbers(told: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: int(each) if key in names else each for key, each in told.items()}


_Volume = tuple[str, dict[str, Any], str, dict[str, Any]]


def _secret(told: Mapping[str, Any]) -> _Volume:
    name = _value(told, "secretName")
    source = {"secretName": name, "optional": told.get("optional", False)}
    return name, {"secret": source}, told["mountPath"], {}


def _config_map(told: Mapping[str, Any]) -> _Volume:
    name = _value(told, "configMapName")
    source = {"name": name, "optional": told.get("optional", False)}
    return name, {"configMap": source}, told["mountPath"], {}


def _claim(told: Mapping[str, Any]) -> _Volume:
    parameter = told.get("pvcNameParameter", {}).get("runtimeValue", {})
    name = str(parameter.get("constant") or told["constant"])
    more = {"subPath": told["subPath"]} if told.get("subPath") else {}
    return name, {"persistentVolumeClaim": {"claimName": name}}, told["mountPath"], more


def _empty_folder(told: Mapping[str, Any]) -> _Volume:
    source = {key: told[key] for key in ("medium", "sizeLimit") if told.get(key)}
    return told["volumeName"], {"emptyDir": source}, told["mountPath"], {}


def _shared_memory(told: Mapping[str, Any]) -> _Volume:
    source = {"medium": "Memory", **({"sizeLimit": told["size"]} if told.get("size") else {})}
    return told.get("volumeName") or "shm", {"emptyDir": source}, "/dev/shm", {}


def _ephemeral(told: Mapping[str, Any]) -> _Volume:
    claim: dict[str, Any] = {
        "accessModes": told["accessModes"],
        "resources": {"requests": {"storage": told["size"]}},
    }
    if not told.get("defaultStorageClass"):
        claim["storageClassName"] = told.get("storageClassName", "")
    source = {"ephemeral": {"volumeClaimTemplate": {"spec": claim}}}
    return told["volumeName"], source, told["mountPath"], {}


_VOLUMES = {
    "secretAsVolume": _secret,
    "configMapAsVolume": _config_map,
    "pvcMount": _claim,
    "emptyDirMounts": _empty_folder,
    "genericEphemeralVolume": _ephemeral,
    "enabledSharedMemory": _shared_memory,
}

_OTHERS = {
    *("secretAsEnv", "configMapAsEnv", "fieldPathAsEnv", "imagePullPolicy", "imagePullSecret"),
    *("nodeSelector", "nodeAffinity", "tolerations", "podMetadata", "securityContext"),
    "activeDeadlineSeconds",
}
