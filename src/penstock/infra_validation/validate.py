"""Trying a model: a server loads it, and it answers requests."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from penstock.infra_validation.asking import Client, NoAnswer, WrongAnswer, check_answer
from penstock.infra_validation.memory_watch import MemoryWatch, free_memory_bound
from penstock.infra_validation.requests import ModelRequests
from penstock.infra_validation.servers import (
    BinaryServer,
    ContainerServer,
    PenstockServer,
    Server,
    ServerFailed,
    version_folder,
)
from penstock.infra_validation.specs import DEFAULT_MODEL_NAME, ServingSpec, ValidationSpec
from penstock.progress import report
from penstock.quantities import size

_SECONDS_BETWEEN = 0.1
_SECONDS_TO_END = 2.0
_OUTSIDE_TRIES = 5
_MIB = 1 << 20


@dataclass(frozen=True)
class InfraValidation:
    """What came of trying a model.

    Args:
        reasons: Why it does not pass; empty if it does.
        requests: How many requests were answered.
        loading_seconds: From the start of the server until the model was loaded.
        latency_p50_ms: The median of the requests of single rows.
        latency_p99_ms: The time that 99 % of them took at most.
        memory_mb: The most memory that the server was seen to use, in MiB.
    """

    reasons: tuple[str, ...] = ()
    requests: int = 0
    loading_seconds: float | None = None
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    memory_mb: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the model passes."""
        return not self.reasons

    def figures(self) -> dict[str, float]:
        """Return what was measured, by name."""
        names = ("loading_seconds", "latency_p50_ms", "latency_p99_ms", "memory_mb")
        found = {name: getattr(self, name) for name in names}
        return {name: round(value, 3) for name, value in found.items() if value is not None}


def validate_model(
    model: str,
    requests: ModelRequests | None = None,
    *,
    serving_spec: ServingSpec | None = None,
    validation_spec: ValidationSpec | None = None,
    folder: str,
    log: logging.Logger | None = None,
) -> InfraValidation:
    """Load a model in a server of its own and let it answer requests.

    Args:
        model: The model's folder, on this machine.
        requests: What it must answer; without them it is only loaded.
        serving_spec: What serves it.
        validation_spec: What it must hold to.
        folder: A scratch folder.
        log: Gets what happens, and the server's lines at DEBUG.

    Returns:
        What came of it; of several servers, the worst of each figure and all reasons.

    Raises:
        ImportError: If Penstock's server is not installed.

    Example:
        >>> validate_model("Trainer/model/7/Format-Serving", folder="/tmp/scratch").reasons
        ()
    """
    serving = serving_spec or ServingSpec()
    bounds = validation_spec or ValidationSpec()
    log = log or logging.getLogger("penstock.infra_validation")
    name = serving.model_name or DEFAULT_MODEL_NAME
    found: InfraValidation | None = None
    with version_folder(model, folder) as versions:
        for start in _servers(serving, bounds, versions, name, log):
            one = _try(start, name, requests, bounds, _tries(serving, bounds), log)
            found = one if found is None else _worst(found, one)
    assert found is not None
    return found


def _tries(serving: ServingSpec, bounds: ValidationSpec) -> int:
    outside = serving.local_docker is not None or serving.local_binary is not None
    return bounds.num_tries or (_OUTSIDE_TRIES if outside else 1)


def _servers(
    serving: ServingSpec, bounds: ValidationSpec, versions: str, name: str, log: logging.Logger
) -> list[Callable[[], Server]]:
    if serving.tensorflow_serving is not None and serving.local_docker is not None:
        docker = serving.local_docker
        most = int(bounds.max_memory_mb * _MIB) or None
        return [
            lambda image=image: ContainerServer(  # type: ignore[misc]
                image, docker, versions, name, log, most_memory=most
            )
            for image in serving.tensorflow_serving.images
        ]
    if serving.local_binary is not None:
        binary = serving.local_binary
        return [lambda: BinaryServer(binary, versions, name, log)]
    return [lambda: PenstockServer(versions, name, log)]


def _try(
    start: Callable[[], Server],
    name: str,
    requests: ModelRequests | None,
    bounds: ValidationSpec,
    tries: int,
    log: logging.Logger,
) -> InfraValidation:
    for number in range(1, tries + 1):
        found = _once(start, name, requests, bounds)
        if found.ok:
            return found
        log.warning("Try %d of %d: %s", number, tries, "; ".join(found.reasons))
    return found


def _once(
    start: Callable[[], Server],
    name: str,
    requests: ModelRequests | None,
    bounds: ValidationSpec,
) -> InfraValidation:
    try:
        server = start()
    except ServerFailed as error:
        return InfraValidation((f"The server {error}",))
    most = bounds.max_memory_mb * _MIB or free_memory_bound()
    with server, contextlib.ExitStack() as stack:
        watch = None
        if server.pid is not None:
            watch = stack.enter_context(MemoryWatch(server.pid, most, server.kill))
        trial = _Trial(server, watch, name, bounds)
        found = trial.run(requests)
        used = watch.peak if watch is not None else server.memory()
        if used:
            found = replace(found, memory_mb=used / _MIB)
        return found if found.reasons else replace(found, reasons=tuple(_beyond(found, bounds)))


class _Trial:
    """One server, from its start to its last answer."""

    def __init__(
        self, server: Server, watch: MemoryWatch | None, name: str, bounds: ValidationSpec
    ) -> None:
        self._server = server
        self._watch = watch
        self._name = name
        self._bounds = bounds
        self._started = time.monotonic()
        self._client: Client | None = None

    def run(self, requests: ModelRequests | None) -> InfraValidation:
        """Wait until the model is loaded, and send the requests."""
        found = InfraValidation()
        try:
            client = self._wait()
            found = replace(found, loading_seconds=time.monotonic() - self._started)
            if requests is not None:
                found = self._ask_all(client, requests, found)
        except ServerFailed as error:
            found = replace(found, reasons=(str(error),))
        finally:
            if self._client is not None:
                self._client.close()
        return found

    def _wait(self) -> Client:
        """Return a client once the model is loaded."""
        seconds = self._bounds.loading_seconds
        deadline = self._started + seconds
        late = (
            f"The model was not loaded within {seconds} s (max_loading_time_seconds): it hangs, or needs "
            "longer"
        )
        try:
            self._client = client = Client(*self._server.address(deadline), self._name)
        except ServerFailed as error:
            raise ServerFailed(self._end("while it started") or late) from error
        while True:
            state, message = client.state()
            if state == "AVAILABLE":
                return client
            if state == "END":
                raise ServerFailed(f"The model cannot be loaded: {message}")
            if end := self._end("while it loaded the model", wait=0):
                raise ServerFailed(end)
            if time.monotonic() > deadline:
                raise ServerFailed(f"{late}. {message}".rstrip(" .") if message else late)
            time.sleep(_SECONDS_BETWEEN)

    def _ask_all(
        self, client: Client, requests: ModelRequests, found: InfraValidation
    ) -> InfraValidation:
        outputs = {signature.name: signature.outputs for signature in requests.signatures}
        sizes = {signature.name: signature.batch_size or 1 for signature in requests.signatures}
        times: list[float] = []
        answered = 0
        for request in requests.requests:
            try:
                answer, elapsed = client.ask(request, self._bounds.max_request_seconds)
                check_answer(answer, outputs[request.signature], request.rows)
            except (NoAnswer, TimeoutError, WrongAnswer) as error:
                reason = self._explained(error, request.name)
                return replace(_timed(found, answered, times), reasons=(reason,))
            answered += 1
            if request.rows == sizes[request.signature]:
                times.append(elapsed)
            report(answered, len(requests.requests), "requests")
        return _timed(found, answered, times)

    def _explained(self, error: Exception, request: str) -> str:
        if isinstance(error, WrongAnswer):
            return f"{request[0].upper()}{request[1:]} {error}"
        if end := self._end(f"while it answered {request}"):
            return end
        if isinstance(error, TimeoutError):
            return (
                f"{request[0].upper()}{request[1:]} got no answer within "
                f"{self._bounds.max_request_seconds:g} s (max_request_seconds): the model hangs"
            )
        return f"{request[0].upper()}{request[1:]} got no answer: {error}"

    def _end(self, when: str, wait: float = _SECONDS_TO_END) -> str | None:
        """Return how the server ended, if it did; a broken connection may be known before."""
        until = time.monotonic() + wait
        while True:
            if self._watch is not None and self._watch.exceeded:
                bound = (
                    "max_memory_mb"
                    if self._bounds.max_memory_mb
                    else "four fifths of what was free; max_memory_mb sets another bound"
                )
                return f"The server needed more than {size(self._watch.most)} of memory {when} ({bound})"
            if (how := self._server.ended()) is not None:
                return f"The server {how} {when}"
            if time.monotonic() >= until:
                return None
            time.sleep(_SECONDS_BETWEEN)


def _timed(found: InfraValidation, answered: int, times: Sequence[float]) -> InfraValidation:
    """Return what was found, with percentiles by the nearest rank."""
    ordered = sorted(times)
    if not ordered:
        return replace(found, requests=answered)
    p50, p99 = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.99))
    return replace(found, requests=answered, latency_p50_ms=p50, latency_p99_ms=p99)


def _beyond(found: InfraValidation, bounds: ValidationSpec) -> list[str]:
    """Return which bounds a model that answers does not hold to."""
    reasons = []
    for figure, bound, unit in (
        ("latency_p50_ms", bounds.max_latency_p50_ms, "ms"),
        ("latency_p99_ms", bounds.max_latency_p99_ms, "ms"),
        ("memory_mb", bounds.max_memory_mb, "MiB"),
    ):
        value = getattr(found, figure)
        if bound and value is not None and value > bound:
            reasons.append(f"{figure} {value:.1f} {unit} is above {bound:g} {unit} (max_{figure})")
    return reasons


def _worst(first: InfraValidation, second: InfraValidation) -> InfraValidation:
    """Return all reasons and the worst figures of two servers."""

    def most(name: str) -> float | None:
        both = [getattr(each, name) for each in (first, second)]
        return max((each for each in both if each is not None), default=None)

    return InfraValidation(
        (*first.reasons, *second.reasons),
        min(first.requests, second.requests),
        most("loading_seconds"),
        most("latency_p50_ms"),
        most("latency_p99_ms"),
        most("memory_mb"),
    )
