"""Where a pod's environment variables and folders come from.

A secret is only named. Its value is read by Kubernetes when the pod starts, and is never in a graph, in
a compiled pipeline or in a store.
"""

from __future__ import annotations

import dataclasses

from penstock.dsl.exceptions import ParameterError
from penstock.dsl.pod.names import check_object_name, check_size
from penstock.spelling import names_its_arguments

_ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class SecretKey:
    """A key of a Kubernetes secret, as an environment variable.

    Args:
        secret: Name of the secret.
        key: Key in it.
        optional: Whether the pod starts without the variable if there is no such secret or key.

    Raises:
        ParameterError: If the secret's name is none.
    """

    secret: str
    key: str
    optional: bool = False

    def __post_init__(self) -> None:
        check_object_name("SecretKey.secret", self.secret)
        _check_key("SecretKey.key", self.key)


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class ConfigMapKey:
    """A key of a config map, as an environment variable.

    Args:
        config_map: Name of the config map.
        key: Key in it.
        optional: Whether the pod starts without the variable if there is no such config map or key.

    Raises:
        ParameterError: If the config map's name is none.
    """

    config_map: str
    key: str
    optional: bool = False

    def __post_init__(self) -> None:
        check_object_name("ConfigMapKey.config_map", self.config_map)
        _check_key("ConfigMapKey.key", self.key)


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class SecretFiles:
    """A secret as a folder: one file for each of its keys.

    Args:
        secret: Name of the secret.
        optional: Whether the pod starts with an empty folder if there is no such secret.

    Raises:
        ParameterError: If the secret's name is none.
    """

    secret: str
    optional: bool = False

    def __post_init__(self) -> None:
        check_object_name("SecretFiles.secret", self.secret)

    @property
    def volume(self) -> str:
        """Name of the pod's volume."""
        return self.secret


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class ConfigMapFiles:
    """A config map as a folder: one file for each of its keys.

    Args:
        config_map: Name of the config map.
        optional: Whether the pod starts with an empty folder if there is no such config map.

    Raises:
        ParameterError: If the config map's name is none.
    """

    config_map: str
    optional: bool = False

    def __post_init__(self) -> None:
        check_object_name("ConfigMapFiles.config_map", self.config_map)

    @property
    def volume(self) -> str:
        """Name of the pod's volume."""
        return self.config_map


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class VolumeClaim:
    """A persistent volume claim, which must exist in the namespace.

    Args:
        claim: Its name.
        sub_path: Folder in the volume that is mounted; empty for all of it.

    Raises:
        ParameterError: If the claim's name is none, or `sub_path` is absolute.
    """

    claim: str
    sub_path: str = ""

    def __post_init__(self) -> None:
        check_object_name("VolumeClaim.claim", self.claim)
        if self.sub_path.startswith("/") or ".." in self.sub_path.split("/"):
            raise ParameterError(
                "VolumeClaim.sub_path is a folder in the volume, without a slash before it. "
                f"Received: {self.sub_path!r}"
            )

    @property
    def volume(self) -> str:
        """Name of the pod's volume."""
        return self.claim


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class EmptyFolder:
    """A folder that is empty when the pod starts and is gone with it.

    Args:
        size: The most that it may hold, such as `"50Gi"`; None for no limit.
        memory: Whether it is in memory, which then counts to the pod's own.

    Raises:
        ParameterError: If the size is none.
    """

    size: str | None = None
    memory: bool = False

    def __post_init__(self) -> None:
        if self.size is not None:
            check_size("EmptyFolder.size", self.size)


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class EphemeralVolume:
    """A volume that is made for the pod from a storage class and removed with it.

    Args:
        size: Its size, such as `"500Gi"`.
        storage_class: Name of the storage class; None for the cluster's default.
        access_mode: `ReadWriteOnce`, or another mode of Kubernetes.

    Raises:
        ParameterError: If a value has another form.
    """

    size: str
    storage_class: str | None = None
    access_mode: str = "ReadWriteOnce"

    def __post_init__(self) -> None:
        check_size("EphemeralVolume.size", self.size)
        if self.storage_class is not None:
            check_object_name("EphemeralVolume.storage_class", self.storage_class)
        if self.access_mode not in _ACCESS_MODES:
            raise ParameterError(
                f"EphemeralVolume.access_mode is one of {', '.join(_ACCESS_MODES)}. "
                f"Received: {self.access_mode!r}"
            )


def _check_key(setting: str, key: str) -> None:
    if not isinstance(key, str) or not key or any(each.isspace() or each == "/" for each in key):
        raise ParameterError(f"{setting} is the name of one entry. Received: {key!r}")
