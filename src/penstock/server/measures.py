"""What a server counts and times, for Prometheus."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from penstock.server.processes import MEASURES_FOLDER
from penstock.server.request_log.log import RequestLog
from penstock.server.servables.servables import Servables

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)
_SHED = ("429", "RESOURCE_EXHAUSTED")


class Measures:
    """What a server counts and times. Names of models that are not served never become labels.

    Attributes:
        requests: Requests by model, door and status.
        seconds: How long they took, by model and door.
        answers: Rows answered, by model, version and the label that led there.
        batches: Rows in what is computed at once, by model and version.
        fallbacks: Requests whose share of the traffic goes to a version that is not served.
        shadow_rows: Rows that a shadow answered, by whether it agreed.
        shadow_seconds: How long shadows took.
        shadow_failures: Requests that a shadow did not answer, by reason.

    Example:
        >>> measures = Measures()
        >>> measures.finished("taxi", "rest", "200", 0.004)
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        known: dict[str, Any] = {"namespace": "penstock", "registry": self.registry}
        self.requests = Counter(
            "requests",
            "Requests that were answered or refused.",
            ["model", "door", "code"],
            **known,
        )
        self.seconds = Histogram(
            "request_seconds",
            "From a request's headers to the end of its answer.",
            ["model", "door"],
            buckets=_SECONDS,
            **known,
        )
        self.shed = Counter("shed", "Requests refused because of load.", ["model", "door"], **known)
        self.answers = Counter(
            "answered_rows", "Rows that a version answered.", ["model", "version", "label"], **known
        )
        self.batches = Histogram(
            "batch_rows",
            "Rows that were computed at once.",
            ["model", "version"],
            buckets=_ROWS,
            **known,
        )
        self.fallbacks = Counter(
            "traffic_fallbacks",
            "Requests whose version by the traffic split is not served; the default version answered.",
            ["model", "target"],
            **known,
        )
        self.shadow_rows = Counter(
            "shadow_rows",
            "Rows that a shadow answered, by whether it agreed with the answer that was given.",
            ["model", "shadow", "agrees"],
            **known,
        )
        self.shadow_seconds = Histogram(
            "shadow_seconds",
            "How long a shadow took.",
            ["model", "shadow"],
            buckets=_SECONDS,
            **known,
        )
        self.shadow_failures = Counter(
            "shadow_failures",
            "Requests that a shadow did not answer.",
            ["model", "shadow", "reason"],
            **known,
        )
        # Looking a child up by its labels takes as long as a small model.
        self._finished: dict[tuple[str, str, str], tuple[Counter, Histogram, Counter | None]] = {}
        self._answers: dict[tuple[str, int, str], Counter] = {}
        self._state: _State | None = None
        # Where several processes count together, those of one alone would be misleading.
        self._together = os.environ.get(MEASURES_FOLDER)
        if self._together is None:
            ProcessCollector(registry=self.registry)
            PlatformCollector(registry=self.registry)
            GCCollector(registry=self.registry)

    def finished(self, model: str, door: str, code: str, seconds: float) -> None:
        """Count a request that is over."""
        key = (model, door, code)
        found = self._finished.get(key)
        if found is None:
            shed = self.shed.labels(model, door) if code in _SHED else None
            found = self.requests.labels(*key), self.seconds.labels(model, door), shed
            self._finished[key] = found
        requests, histogram, shed = found
        requests.inc()
        histogram.observe(seconds)
        if shed is not None:
            shed.inc()

    def answered(self, model: str, version: int, label: str, rows: int) -> None:
        """Count rows that a version answered."""
        key = (model, version, label)
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = self.answers.labels(*key)
        found.inc(rows)

    def watch(self, servables: Servables, logs: Iterable[RequestLog]) -> None:
        """Report the state of models and request logs with each reading."""
        together = None if self._together is None else StateOfSeveral(self.registry)
        self._state = _State(servables, tuple(logs), together)
        self.registry.register(self._state)

    def refresh(self) -> None:
        """Tell the other processes of a server what only this one sees."""
        if self._state is not None:
            self._state.refresh()

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """Return all measures in Prometheus's or OpenMetrics' format, and its content type.

        Args:
            accept: The request's `Accept` header.
        """
        encode, content_type = choose_encoder(accept)
        registry = self.registry
        if self._together is not None:
            self.refresh()
            registry = CollectorRegistry()
            MultiProcessCollector(registry, self._together)  # type: ignore[no-untyped-call]
            if self._state is not None:
                registry.register(self._state)
        return encode(registry), content_type


class _State(Collector):
    """What is read when it is asked for."""

    def __init__(
        self, servables: Servables, logs: tuple[RequestLog, ...], together: StateOfSeveral | None
    ) -> None:
        self._servables = servables
        self._logs = logs
        self._together = together

    def refresh(self) -> None:
        """Tell the other processes of a server how many rows wait here, and were logged here."""
        if self._together is not None:
            self._together.set(self._queued(), self._logs)

    def _queued(self) -> dict[tuple[str, str], int]:
        """Return the rows that wait, by model and version."""
        queued = {}
        for name in self._servables.names:
            model = self._servables.model(name)
            for version in model.available:
                with model.use(version) as servable:
                    queued[name, str(version)] = servable.queued_rows
        return queued

    def collect(self) -> Iterator[Metric]:
        """Yield the measures."""
        states = GaugeMetricFamily(
            "penstock_version_state",
            "1 for the state of each version.",
            labels=["model", "version", "state"],
        )
        queued = GaugeMetricFamily(
            "penstock_queued_rows", "Rows that wait to be computed.", labels=["model", "version"]
        )
        for name in self._servables.names:
            model = self._servables.model(name)
            for each in model.statuses():
                states.add_metric([name, str(each.version), each.state.value], 1)
        yield states
        yield GaugeMetricFamily(
            "penstock_ready",
            "Whether every model has a version that answers.",
            value=float(self._servables.ready),
        )
        if self._together is not None:
            return  # what is of all processes is with what they count
        for key, rows in self._queued().items():
            queued.add_metric(key, rows)
        yield queued
        written = CounterMetricFamily(
            "penstock_logged_rows", "Rows that were written to the request log.", labels=["model"]
        )
        dropped = CounterMetricFamily(
            "penstock_unlogged_requests",
            "Sampled requests that were not written to the request log.",
            labels=["model"],
        )
        for log in self._logs:
            written.add_metric([log.model], log.written)
            dropped.add_metric([log.model], log.dropped)
        yield written
        yield dropped


class StateOfSeveral:
    """What each process of a server sees of its own, summed over them.

    Args:
        registry: Where it is registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        known: dict[str, Any] = {"namespace": "penstock", "registry": registry}
        self._queued = Gauge(
            "queued_rows",
            "Rows that wait to be computed.",
            ["model", "version"],
            multiprocess_mode="livesum",
            **known,
        )
        self._written = Counter(
            "logged_rows", "Rows that were written to the request log.", ["model"], **known
        )
        self._dropped = Counter(
            "unlogged_requests",
            "Sampled requests that were not written to the request log.",
            ["model"],
            **known,
        )
        self._versions: set[tuple[str, str]] = set()
        self._counted: dict[tuple[str, str], int] = {}

    def set(self, queued: Mapping[tuple[str, str], int], logs: Iterable[RequestLog]) -> None:
        """Take what this process sees now."""
        for key in self._versions - queued.keys():
            self._queued.labels(*key).set(0)  # a version that is dropped
        self._versions |= queued.keys()
        for key, rows in queued.items():
            self._queued.labels(*key).set(rows)
        for log in logs:
            self._add(self._written, "written", log.model, log.written)
            self._add(self._dropped, "dropped", log.model, log.dropped)

    def _add(self, counter: Counter, what: str, model: str, count: int) -> None:
        before = self._counted.get((what, model), 0)
        counter.labels(model).inc(count - before)
        self._counted[what, model] = count
