"""What a pod's container is given: its variables, its command, and files from the API server."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


class NotReady(Exception):
    """Something that the pod needs is not there (yet).

    Attributes:
        reason: The kubelet's word for it.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Unsupported(Exception):
    """The pod asks for what this agent does not do; it must not look as if it had been done."""


class PodSettings:
    """The settings of one pod, resolved through the API server.

    Args:
        core: A CoreV1Api.
        pod: The pod.
        address: Its address.
        node: Name of its node.
        host: The node's address.
        volumes: Folder for the pod's own volumes.
        shared: Folder for what outlives it: volumes that claims name.
    """

    def __init__(
        self,
        core: Any,
        pod: Any,
        *,
        address: str,
        node: str,
        host: str,
        volumes: Path,
        shared: Path,
    ) -> None:
        self._core = core
        self._pod = pod
        self._namespace = pod.metadata.namespace
        self._fields = {
            "metadata.name": pod.metadata.name,
            "metadata.namespace": pod.metadata.namespace,
            "metadata.uid": pod.metadata.uid,
            "spec.nodeName": node,
            "spec.serviceAccountName": pod.spec.service_account_name,
            "status.hostIP": host,
            "status.hostIPs": host,
            "status.podIP": address,
            "status.podIPs": address,
        }
        self._volumes = volumes
        self._shared = shared
        self._server = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "6443"}

    def environment(self, container: Any) -> dict[str, str]:
        """Return the variables of a container.

        Raises:
            NotReady: If a secret, a config map or a key of one is missing.
        """
        found = dict(self._server)
        for source in container.env_from or ():
            kind = "ConfigMap" if source.config_map_ref else "Secret"
            reference = source.config_map_ref or source.secret_ref
            data = self._data(kind, reference.name, bool(reference.optional))
            prefix = source.prefix or ""
            found.update({f"{prefix}{key}": each.decode() for key, each in data.items()})
        for each in container.env or ():
            value = self._value(each, container)
            if value is not None:
                found[each.name] = expanded(value, found)
        return found

    def command(self, container: Any, environment: Mapping[str, str]) -> list[str]:
        """Return what a container runs."""
        if not container.command:
            raise Unsupported(f"container {container.name} has no command: images have none here")
        words = [*container.command, *(container.args or ())]
        return [expanded(each, environment) for each in words]

    def mounts(self, container: Any) -> list[tuple[str, str, bool]]:
        """Return (source, target, read only) of a container's volumes, outer ones first.

        Raises:
            NotReady: If what a volume is made of is missing.
        """
        declared = {each.name: each for each in self._pod.spec.volumes or ()}
        found = []
        for each in sorted(container.volume_mounts or (), key=lambda each: each.mount_path):
            source = self._folder(declared[each.name])
            path = each.sub_path
            if each.sub_path_expr:
                path = expanded(each.sub_path_expr, self.environment(container))
            if path:
                source = source / path
                if not source.exists():
                    source.mkdir(parents=True)
                    source.chmod(0o777)
            found.append((str(source), each.mount_path, bool(each.read_only)))
        return found

    def _value(self, variable: Any, container: Any) -> str | None:
        source = variable.value_from
        if source is None:
            return variable.value or ""
        if source.field_ref:
            return self._field(source.field_ref.field_path)
        if source.resource_field_ref:
            wanted = source.resource_field_ref
            kind, _, name = wanted.resource.partition(".")
            amounts = getattr(container.resources, kind) or {}
            if name not in amounts:
                raise Unsupported(f"resourceFieldRef {wanted.resource} of an unset amount")
            return str(amounts[name])
        kind = "ConfigMap" if source.config_map_key_ref else "Secret"
        reference = source.config_map_key_ref or source.secret_key_ref
        data = self._data(kind, reference.name, bool(reference.optional))
        if reference.key in data:
            return data[reference.key].decode()
        if reference.optional:
            return None
        raise NotReady(
            "CreateContainerConfigError",
            f"couldn't find key {reference.key} in {kind} {self._namespace}/{reference.name}",
        )

    def _field(self, path: str) -> str:
        keyed = re.fullmatch(r"metadata\.(labels|annotations)\['(.*)'\]", path)
        if keyed:
            return str((getattr(self._pod.metadata, keyed[1]) or {}).get(keyed[2], ""))
        if path in ("metadata.labels", "metadata.annotations"):
            items = (getattr(self._pod.metadata, path.partition(".")[2]) or {}).items()
            return "\n".join(f'{key}="{each}"' for key, each in sorted(items))
        if path not in self._fields:
            raise Unsupported(f"field {path} of the downward API")
        return str(self._fields[path])

    def _data(self, kind: str, name: str, optional: bool) -> dict[str, bytes]:
        from kubernetes.client import ApiException

        try:
            if kind == "Secret":
                found = self._core.read_namespaced_secret(name, self._namespace)
                return {key: base64.b64decode(each) for key, each in (found.data or {}).items()}
            found = self._core.read_namespaced_config_map(name, self._namespace)
        except ApiException as error:
            if error.status != 404:
                raise
            if optional:
                return {}
            message = f'{kind.lower()} "{name}" not found'
            raise NotReady("CreateContainerConfigError", message) from None
        binary = {key: base64.b64decode(each) for key, each in (found.binary_data or {}).items()}
        return {key: each.encode() for key, each in (found.data or {}).items()} | binary

    def _folder(self, volume: Any) -> Path:
        if volume.host_path:
            return Path(volume.host_path.path)
        if volume.persistent_volume_claim:
            return self._claimed(volume.persistent_volume_claim.claim_name)
        memory = volume.empty_dir and volume.empty_dir.medium == "Memory"
        folder = (
            Path("/dev/shm") / self._pod.metadata.uid if memory else self._volumes
        ) / volume.name
        if folder.exists():
            return folder
        files = self._files(volume)
        folder.mkdir(parents=True)
        folder.chmod(0o777)
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder

    def _claimed(self, name: str) -> Path:
        from kubernetes.client import ApiException

        try:
            self._core.read_namespaced_persistent_volume_claim(name, self._namespace)
        except ApiException as error:
            if error.status != 404:
                raise
            message = f'persistentvolumeclaim "{name}" not found'
            raise NotReady("Unschedulable", message) from None
        return claimed(self._shared, self._namespace, name)

    def _files(self, volume: Any) -> dict[str, bytes]:
        if volume.empty_dir:
            return {}
        if volume.secret:
            data = self._data("Secret", volume.secret.secret_name, bool(volume.secret.optional))
            return _selected(data, volume.secret.items)
        if volume.config_map:
            data = self._data("ConfigMap", volume.config_map.name, bool(volume.config_map.optional))
            return _selected(data, volume.config_map.items)
        if volume.downward_api:
            return self._downward(volume.downward_api.items)
        if volume.projected:
            found: dict[str, bytes] = {}
            for each in volume.projected.sources:
                found.update(self._projected(each))
            return found
        raise Unsupported(f"the kind of volume {volume.name}")

    def _projected(self, source: Any) -> dict[str, bytes]:
        if source.service_account_token:
            told = source.service_account_token
            audiences = [told.audience] if told.audience else []
            wanted = {"audiences": audiences, "expirationSeconds": told.expiration_seconds or 3600}
            bound = {"apiVersion": "v1", "kind": "Pod", "name": self._pod.metadata.name}
            bound["uid"] = self._pod.metadata.uid
            made = self._core.create_namespaced_service_account_token(
                self._pod.spec.service_account_name,
                self._namespace,
                {"spec": {**wanted, "boundObjectRef": bound}},
            )
            return {told.path: made.status.token.encode()}
        if source.downward_api:
            return self._downward(source.downward_api.items)
        kind = "ConfigMap" if source.config_map else "Secret"
        wanted = source.config_map or source.secret
        if wanted is None:
            raise Unsupported("this kind of projected volume")
        return _selected(self._data(kind, wanted.name, bool(wanted.optional)), wanted.items)

    def _downward(self, items: Iterable[Any]) -> dict[str, bytes]:
        if any(each.field_ref is None for each in items):
            raise Unsupported("resourceFieldRef in a volume")
        return {each.path: self._field(each.field_ref.field_path).encode() for each in items}


def claimed(shared: Path, namespace: str, name: str) -> Path:
    """Return the folder of a persistent volume claim, made at its first use."""
    folder = shared / namespace / name
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(0o777)
    return folder


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """Return `text` with `$(NAME)` replaced where the variable is known, and `$$` by `$`."""

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return environment.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([^()]+)\)", value, text)


def _selected(data: Mapping[str, bytes], items: Iterable[Any] | None) -> dict[str, bytes]:
    if not items:
        return dict(data)
    return {each.path: data[each.key] for each in items if each.key in data}
