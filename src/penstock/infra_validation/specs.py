"""How a model is tried before it is pushed: TFX's messages of `infra_validator.proto` as dataclasses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.spelling import names_its_arguments

DEFAULT_MODEL_NAME = "infra-validation-model"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
_SERVE = ("serve",)


def _names(owner: str, given: Any) -> tuple[str, ...]:
    listed = isinstance(given, list | tuple)
    if not listed or any(not each or isinstance(each, int | float) for each in given):
        raise TypeError(f"{owner} is a list of names. Received: {given!r}")
    return tuple(given)


def _at_least(owner: str, given: Any, least: float) -> None:
    if isinstance(given, int | float) and (isinstance(given, bool) or given < least):
        raise ValueError(f"{owner} must be {least} or more. Received: {given!r}")


@names_its_arguments
@dataclass(frozen=True)
class TensorFlowServing:
    """TensorFlow Serving's image, in one or more versions; the model must pass each of them.

    Args:
        image_name: The image; `tensorflow/serving` by default.
        tags: Its tags, such as "2.19.1".
        digests: Its digests, such as "sha256:...".
    """

    image_name: str = ""
    tags: Sequence[str] = ()
    digests: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("tags", "digests"):
            object.__setattr__(self, name, _names(f"TensorFlowServing.{name}", getattr(self, name)))
        if not self.tags and not self.digests:
            raise ValueError("TensorFlowServing needs tags or digests. Received: neither")

    @property
    def images(self) -> tuple[str, ...]:
        """The images in full."""
        name = self.image_name or "tensorflow/serving"
        return (
            *(f"{name}:{tag}" for tag in self.tags),
            *(f"{name}@{digest}" for digest in self.digests),
        )


@names_its_arguments
@dataclass(frozen=True)
class LocalDockerConfig:
    """Docker on this machine, or Podman under its name.

    Args:
        client_base_url: Where its daemon is, such as "unix:///var/run/docker.sock".
        client_api_version: The version of its interface.
        client_timeout_seconds: How long a command may take; 60 by default.
        host_ip_address: Where the container's port is; 127.0.0.1 by default.
    """

    client_base_url: str = ""
    client_api_version: str = ""
    client_timeout_seconds: int = 0
    host_ip_address: str = ""

    def __post_init__(self) -> None:
        _at_least("client_timeout_seconds", self.client_timeout_seconds, 0)


@names_its_arguments
@dataclass(frozen=True)
class KubernetesConfig:
    """A pod of the cluster that the pipeline runs in, which Penstock does not start.

    On Kubeflow the InfraValidator runs in a pod itself; by default it starts Penstock's server there.
    """

    def __post_init__(self) -> None:
        raise ValueError(
            "Penstock starts no pods for an InfraValidator (nor does TFX on Kubeflow Pipelines v2). Leave "
            "kubernetes and tensorflow_serving out: the model is then tried with Penstock's server, in the "
            "node's own pod."
        )


@names_its_arguments
@dataclass(frozen=True)
class LocalBinary:
    """A model server installed on this machine; it must take the flags of TensorFlow Serving.

    Args:
        path: The program, such as "tensorflow_model_server"; looked for on the PATH if it has no slash.
        flags: Further flags.
    """

    path: str
    flags: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.path:
            raise ValueError("LocalBinary needs the path of a program. Received: path=''")
        object.__setattr__(self, "flags", _names("LocalBinary.flags", self.flags))


@names_its_arguments
@dataclass(frozen=True)
class ServingSpec:
    """What serves the model while it is tried: Penstock's server by default.

    Args:
        tensorflow_serving: TensorFlow Serving's image; needs `local_docker`.
        local_docker: Where containers run.
        kubernetes: Refused; see `KubernetesConfig`.
        model_name: The model's name in requests.
        local_binary: A model server on this machine, in place of a container.

    Example:
        >>> ServingSpec(
        ...     tensorflow_serving=TensorFlowServing(tags=["2.19.1"]), local_docker=LocalDockerConfig()
        ... )
    """

    tensorflow_serving: TensorFlowServing | None = None
    local_docker: LocalDockerConfig | None = None
    kubernetes: KubernetesConfig | None = None
    model_name: str = ""
    local_binary: LocalBinary | None = None

    def __post_init__(self) -> None:
        if (self.tensorflow_serving is None) != (self.local_docker is None):
            raise ValueError(
                "tensorflow_serving and local_docker go together: the image, and where it runs. Received: "
                f"tensorflow_serving={self.tensorflow_serving!r}, local_docker={self.local_docker!r}. "
                "Without both, the model is tried with Penstock's server."
            )
        if self.local_binary is not None and self.local_docker is not None:
            raise ValueError("ServingSpec takes local_docker or local_binary. Received: both")
        if self.model_name and not _NAME.fullmatch(self.model_name):
            raise ValueError(
                "A model's name has letters, digits, '_', '-' and '.', since it is part of the URL. "
                f"Received: model_name={self.model_name!r}"
            )


@names_its_arguments
@dataclass(frozen=True)
class ValidationSpec:
    """What a model must hold to.

    Args:
        max_loading_time_seconds: The longest that it may load; 300 by default.
        num_tries: How often it is tried until it passes; by default 5 times with a container or a binary,
            as in TFX, and once with Penstock's server.
        max_request_seconds: The longest that it may work on a request.
        max_memory_mb: The most memory that the server may use, in MiB; 0 for four fifths of what is free
            when it starts.
        max_latency_p50_ms: The most that half of the requests may take; 0 for any.
        max_latency_p99_ms: The most that 99 % of the requests may take; 0 for any.

    Example:
        >>> ValidationSpec(max_latency_p99_ms=20, max_memory_mb=1024)
    """

    max_loading_time_seconds: int = 0
    num_tries: int = 0
    max_request_seconds: float = 60.0
    max_memory_mb: float = 0
    max_latency_p50_ms: float = 0
    max_latency_p99_ms: float = 0

    def __post_init__(self) -> None:
        for name in (
            "max_loading_time_seconds",
            "num_tries",
            "max_memory_mb",
            "max_latency_p50_ms",
            "max_latency_p99_ms",
        ):
            _at_least(f"ValidationSpec.{name}", getattr(self, name), 0)
        seconds = self.max_request_seconds
        if isinstance(seconds, int | float) and (isinstance(seconds, bool) or seconds <= 0):
            raise ValueError(f"max_request_seconds must be above 0. Received: {seconds!r}")

    @property
    def loading_seconds(self) -> int:
        """The longest that the model may load."""
        return self.max_loading_time_seconds or 300


@names_its_arguments
@dataclass(frozen=True)
class TensorFlowServingRequestSpec:
    """Which signatures are asked.

    Args:
        tag_set: The tags of the graph; servers load the one of `serve`, so nothing else is taken.
        signature_names: The signatures; `serving_default` when empty.
    """

    tag_set: Sequence[str] = ()
    signature_names: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("tag_set", "signature_names"):
            value = _names(f"TensorFlowServingRequestSpec.{name}", getattr(self, name))
            object.__setattr__(self, name, value)
        if self.tag_set and self.tag_set != _SERVE:
            raise ValueError(
                "Servers load the graph with the tag 'serve'. Received: "
                f"tag_set={list(self.tag_set)}. Leave it out."
            )


@names_its_arguments
@dataclass(frozen=True)
class RequestSpec:
    """The requests that are made of the examples.

    Args:
        tensorflow_serving: Which signatures are asked.
        split_name: The split that the examples are taken from; by default the first.
        num_examples: How many examples; each is a request to each signature. 100 by default.
        make_warmup: Whether the requests are written into a copy of the model, in the blessing, for servers
            to warm up with; the Pusher pushes that copy. The examples are then in the model for all who
            can read it.

    Example:
        >>> RequestSpec(num_examples=20, make_warmup=True)
    """

    tensorflow_serving: TensorFlowServingRequestSpec | None = None
    split_name: str = ""
    num_examples: int = 0
    make_warmup: bool = False

    def __post_init__(self) -> None:
        _at_least("RequestSpec.num_examples", self.num_examples, 0)

    @property
    def signatures(self) -> tuple[str, ...]:
        """The signatures that are asked."""
        given = self.tensorflow_serving and tuple(self.tensorflow_serving.signature_names)
        return given or ("serving_default",)

    @property
    def count(self) -> int:
        """How many examples are taken."""
        return self.num_examples or 100
