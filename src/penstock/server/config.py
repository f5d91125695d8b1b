"""What a server serves, and how: plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from penstock.machine import cores
from penstock.server.request_log.config import RequestLogConfig
from penstock.server.safety.access import Access
from penstock.server.safety.limits import Limits
from penstock.server.traffic import Traffic

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")


@dataclass(frozen=True)
class VersionPolicy:
    """Which of the versions in a folder are served.

    Args:
        latest: So many of the highest versions. Versions that cannot be loaded do not count.
        specific: These versions only.
        all: Every version.

    Raises:
        ValueError: If not exactly one is given.

    Example:
        >>> VersionPolicy(latest=2)
    """

    latest: int | None = None
    specific: tuple[int, ...] = ()
    all: bool = False

    def __post_init__(self) -> None:
        if [self.latest is not None, bool(self.specific), self.all].count(True) != 1:
            raise ValueError(
                "A version policy is one of latest=N, specific=(1, 2) and all=True. Received: "
                f"latest={self.latest}, specific={self.specific}, all={self.all}"
            )
        if self.latest is not None and self.latest < 1:
            raise ValueError(f"latest must be 1 or more. Received: latest={self.latest}")

    def chosen(self, versions: list[int]) -> set[int]:
        """Return which of some versions are served."""
        if self.latest is not None:
            return set(sorted(versions)[-self.latest :])
        return set(versions) if self.all else set(versions) & set(self.specific)


LATEST = VersionPolicy(latest=1)


@dataclass(frozen=True)
class ModelSource:
    """A model to serve: the folder of its versions, and which of them.

    Args:
        name: Its name in requests.
        folder: The folder that models are pushed to: `<folder>/<version>/`.
        policy: Which versions are served; the highest by default.
        labels: Versions by label, besides those in the folder's `penstock_aliases.json`. A version with
            a label is served whatever the policy says.
        default_label: The label whose version answers requests that name none; without it the highest
            version answers.
        max_memory: The most bytes that a version of it may need, by the estimate that is made before it
            is loaded; None for what the machine has.
        traffic: How requests that name no version and no label are divided, and which are shadowed.
        request_log: What of its requests is logged; None for nothing.

    Raises:
        ValueError: If the name cannot be part of a URL.
    """

    name: str
    folder: str
    policy: VersionPolicy = LATEST
    labels: Mapping[str, int] = field(default_factory=dict)
    default_label: str | None = None
    max_memory: int | None = None
    traffic: Traffic = field(default_factory=Traffic)
    request_log: RequestLogConfig | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                "A model's name has letters, digits, '_', '-' and '.', since it is part of the URL. "
                f"Received: {self.name!r}"
            )


@dataclass(frozen=True)
class Batching:
    """How requests that arrive together are computed together.

    Args:
        max_rows: The most rows of a batch. A request with more is computed in parts.
        max_wait: The seconds that a batch waits for more rows while a thread is free. 0 never waits:
            what arrives while the threads are busy is the next batch.
        threads: How many batches of a model version are computed at once.
        max_queued_rows: The most rows that wait for a model version; requests beyond are refused.
        max_queue_time: The seconds after which a waiting request is refused. When those that wait have
            waited a quarter of it, new ones are refused at once.
        op_threads: In how many threads one operation of a model is computed. By default the cores are
            divided between the batches that are computed at once, which serves the most requests; a
            large model that is asked rarely answers sooner with more.
    """

    max_rows: int = 256
    max_wait: float = 0.0
    threads: int = field(default_factory=lambda: max(1, min(4, cores())))
    max_queued_rows: int = 16_384
    max_queue_time: float = 1.0
    op_threads: int | None = None

    def __post_init__(self) -> None:
        if self.op_threads is None:
            object.__setattr__(self, "op_threads", max(1, cores() // self.threads))


@dataclass(frozen=True)
class ServerConfig:
    """A server.

    Args:
        models: What it serves.
        host: The address it listens on.
        port: The port of its HTTP interface; 0 for a free one.
        batching: How requests are computed together.
        max_concurrent: The most requests that are answered at once; others get 429.
        watch_seconds: How often the folders are looked at.
        grace_seconds: How long a server that is told to stop still answers new requests, while it says
            that it is not ready and closes the connections behind its answers.
        drain_seconds: How long requests in progress may then take.
        grpc_port: The port of its gRPC interface; 0 for a free one, None for no such interface.
        access: Who may ask.
        limits: How much a request may ask for.
        processes: How many processes serve; each loads the models. The bounds on requests, threads and
            connections are for all of them together.

    Raises:
        ValueError: If others could reach it without token and TLS, or there is no process.
    """

    models: tuple[ModelSource, ...]
    host: str = "127.0.0.1"
    port: int = 8501
    batching: Batching = Batching()
    max_concurrent: int = 256
    watch_seconds: float = 1.0
    grace_seconds: float = 1.0
    drain_seconds: float = 30.0
    grpc_port: int | None = None
    access: Access = field(default_factory=Access)
    limits: Limits = field(default_factory=Limits)
    processes: int = 1

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise ValueError(f"processes must be 1 or more. Received: {self.processes}")
        self.access.check_host(self.host)
