"""`PodSettings`: what a node's pod is given on a cluster, in addition to its resources."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

from penstock.dsl.exceptions import ParameterError
from penstock.dsl.pod import names
from penstock.dsl.pod.placement import NodeAffinity, NodeRule, Toleration
from penstock.dsl.pod.sources import (
    ConfigMapFiles,
    ConfigMapKey,
    EmptyFolder,
    EphemeralVolume,
    SecretFiles,
    SecretKey,
    VolumeClaim,
)
from penstock.dsl.runtime_parameter import RuntimeParameter
from penstock.spelling import names_its_arguments

VariableSource = str | SecretKey | ConfigMapKey
FolderSource = VolumeClaim | EmptyFolder | EphemeralVolume | SecretFiles | ConfigMapFiles

_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        SecretKey, ConfigMapKey, SecretFiles, ConfigMapFiles, VolumeClaim, EmptyFolder,
        EphemeralVolume, Toleration, NodeRule, NodeAffinity,
    )
}  # fmt: skip
_KIND = "$kind"


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class PodSettings:
    """How the pod of a node is made on a cluster.

    It describes the cluster, so it changes neither what a node computes nor its cache key. On one
    machine only `environment` and `mounts` mean something: before a run you are told which variables
    are not set and which folders do not exist here. A runner that cannot honour a setting refuses it.

    Args:
        image: Image of this node; may be a `RuntimeParameter`. None for the runner's.
        image_pull_policy: `Always`, `IfNotPresent` or `Never`; None for Kubernetes's default.
        image_pull_secrets: Names of the secrets for private registries.
        environment: Environment variable to its value, or to where it comes from.
        mounts: Folder in the container to what is mounted there.
        shared_memory: Size of `/dev/shm`, such as `"4Gi"`: processes that train together on one machine
            exchange data there, and containers have only 64 MiB of it.
        node_selector: Labels that a machine must have.
        tolerations: Taints of machines that the pod puts up with.
        affinity: Machines that the pod needs or prefers.
        labels: Labels of the pod.
        annotations: Annotations of the pod.
        service_account: Kubernetes service account of the pod.
        priority_class: Priority class of the pod.
        run_as_user: Number of the user in the container.
        run_as_group: Number of the group in the container.

    Raises:
        ParameterError: If a value does not have the form that Kubernetes takes.

    Example:
        >>> PodSettings(
        ...     node_selector={"pool": "gpu"},
        ...     tolerations=[Toleration("nvidia.com/gpu", effect="NoSchedule")],
        ...     environment={"HF_TOKEN": SecretKey("hugging-face", "token")},
        ...     shared_memory="4Gi",
        ... ).node_selector
        {'pool': 'gpu'}
    """

    image: str | None = None
    image_pull_policy: str | None = None
    image_pull_secrets: Sequence[str] = ()
    environment: Mapping[str, VariableSource] = dataclasses.field(default_factory=dict)
    mounts: Mapping[str, FolderSource] = dataclasses.field(default_factory=dict)
    shared_memory: str | None = None
    node_selector: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tolerations: Sequence[Toleration] = ()
    affinity: Sequence[NodeAffinity] = ()
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    service_account: str | None = None
    priority_class: str | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None

    def __post_init__(self) -> None:
        self._check_image()
        for field, kind in (("tolerations", Toleration), ("affinity", NodeAffinity)):
            self._check_sequence(field, kind)
        self._check_environment()
        self._check_mounts()
        for field in ("node_selector", "labels"):
            for key, value in self._mapping(field).items():
                names.check_label(f"PodSettings.{field}", key, value)
        for key, value in self._mapping("annotations").items():
            names.check_key("PodSettings.annotations", key)
            if not isinstance(value, str):
                raise ParameterError(
                    f"PodSettings.annotations[{key!r}] is a text. Received: {value!r}"
                )
        for field in ("service_account", "priority_class"):
            if getattr(self, field) is not None:
                names.check_object_name(f"PodSettings.{field}", getattr(self, field))
        for field in ("run_as_user", "run_as_group"):
            number = getattr(self, field)
            if number is not None and not (type(number) is int and number >= 0):
                raise ParameterError(
                    f"PodSettings.{field} is a whole number of 0 or more. Received: {number!r}"
                )

    def _check_image(self) -> None:
        image: Any = self.image
        if isinstance(image, RuntimeParameter):
            if image.ptype is not str:
                raise ParameterError(
                    f"PodSettings.image takes a runtime parameter of type str. Received: {image!r}"
                )
        elif image is not None and not is_image(image):
            raise ParameterError(f"PodSettings.image is the name of an image. Received: {image!r}")
        if self.image_pull_policy not in (None, *_PULL_POLICIES):
            raise ParameterError(
                f"PodSettings.image_pull_policy is one of {', '.join(_PULL_POLICIES)}. "
                f"Received: {self.image_pull_policy!r}"
            )
        self._check_sequence("image_pull_secrets", str)
        for each in self.image_pull_secrets:
            names.check_object_name("PodSettings.image_pull_secrets", each)

    def _check_environment(self) -> None:
        for name, source in self._mapping("environment").items():
            names.check_variable("PodSettings.environment", name)
            if not isinstance(source, (str, SecretKey, ConfigMapKey)):
                raise ParameterError(
                    f"PodSettings.environment[{name!r}] is a text, SecretKey(...) or ConfigMapKey(...). "
                    f"Received: {source!r}"
                )

    def _check_mounts(self) -> None:
        for path, source in self._mapping("mounts").items():
            names.check_folder("PodSettings.mounts", path)
            if not isinstance(source, FolderSource):
                raise ParameterError(
                    f"PodSettings.mounts[{path!r}] is VolumeClaim(...), EmptyFolder(...), "
                    f"EphemeralVolume(...), SecretFiles(...) or ConfigMapFiles(...). Received: {source!r}"
                )
        if self.shared_memory is not None:
            names.check_size("PodSettings.shared_memory", self.shared_memory)
            if any(path.rstrip("/") == "/dev/shm" for path in self.mounts):
                raise ParameterError(
                    "PodSettings.shared_memory is mounted at /dev/shm; leave it out of mounts."
                )

    def _mapping(self, field: str) -> Mapping[Any, Any]:
        given = getattr(self, field)
        if not isinstance(given, Mapping):
            raise ParameterError(f"PodSettings.{field} is a dict. Received: {given!r}")
        return given

    def _check_sequence(self, field: str, kind: type) -> None:
        given = getattr(self, field)
        several = list(given) if isinstance(given, (list, tuple)) else None
        if several is None or not all(isinstance(each, kind) for each in several):
            wanted = "texts" if kind is str else f"{kind.__name__}(...)"
            raise ParameterError(f"PodSettings.{field} is a list of {wanted}. Received: {given!r}")
        object.__setattr__(self, field, tuple(several))

    def items(self) -> dict[str, Any]:
        """Return the settings that were given."""
        default = _DEFAULT
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if isinstance(getattr(self, field.name), RuntimeParameter)
            or getattr(self, field.name) != getattr(default, field.name)
        }

    def over(self, base: Self) -> Self:
        """Return these settings with those of `base` below them.

        Dicts and lists hold the entries of both; of two entries with one key this one's counts. Of
        `affinity` only this one counts if it has any: several requirements are alternatives.

        Example:
            >>> PodSettings(labels={"b": "2"}).over(PodSettings(labels={"a": "1"})).labels
            {'a': '1', 'b': '2'}
        """
        merged: dict[str, Any] = base.items()
        for name, value in self.items().items():
            below = merged.get(name)
            if isinstance(value, Mapping) and below:
                merged[name] = {**below, **value}
            elif isinstance(value, tuple) and below and name != "affinity":
                merged[name] = (*below, *(each for each in value if each not in below))
            else:
                merged[name] = value
        return type(self)(**merged)

    def to_json(self) -> dict[str, Any]:
        """Return the settings that were given as plain values."""
        return {name: _plain(value) for name, value in self.items().items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the settings of which `to_json` made `value`, without runtime parameters."""
        return cls(**{name: _from_plain(each) for name, each in value.items()})


_DEFAULT = PodSettings()


def is_image(name: Any) -> bool:
    """Return whether a text can be the name of an image."""
    return isinstance(name, str) and bool(name) and not any(each.isspace() for each in name)


def _plain(value: Any) -> Any:
    if isinstance(value, RuntimeParameter):
        return {"$runtime_parameter": value.name}
    if type(value).__name__ in _KINDS and dataclasses.is_dataclass(value):
        fields = {
            field.name: _plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if getattr(value, field.name) != field.default
        }
        return {_KIND: type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value


def _from_plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        fields = {key: _from_plain(each) for key, each in value.items() if key != _KIND}
        return _KINDS[value[_KIND]](**fields) if _KIND in value else fields
    if isinstance(value, list):
        return [_from_plain(each) for each in value]
    return value
