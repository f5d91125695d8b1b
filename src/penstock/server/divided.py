"""Servables whose requests are divided, shadowed, logged and counted, whichever door they come by."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.io.examples.messages import example_class
from penstock.server.config import Batching, ModelSource, ServerConfig
from penstock.server.errors import (
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from penstock.server.measures import Measures
from penstock.server.request_context import REQUEST, RequestContext
from penstock.server.request_log.log import RequestLog
from penstock.server.request_log.records import Answered
from penstock.server.safety.limits import Limits
from penstock.server.safety.pending_bytes import PendingBytes
from penstock.server.servables.servable import Servable
from penstock.server.servables.servables import Servables
from penstock.server.servables.served_model import Use
from penstock.server.shadows import Shadows
from penstock.server.traffic import Target, Traffic

LOG = logging.getLogger("penstock.server")

Arrays = Mapping[str, npt.NDArray[Any]]

_NO_TRAFFIC = Traffic()
_LIMITS = Limits()


class DividedServables(Servables):
    """The models of a server, of which each request is divided, shadowed, logged and counted.

    A request that names a version or a label gets that one. Others go where the model's traffic says; if
    that version is not served, the default version answers.

    Args:
        sources: The models.
        batching: How requests are computed together.
        watch_seconds: How often the folders are looked at.
        traffic: The division of each model's requests.
        logs: The request log of each model that has one; closed with the servables.
        measures: What counts.
        limits: The most rows of a request, and the most bytes of all in progress.

    Example:
        >>> traffic = Traffic.from_config("taxi", {"split": {"champion": 0.9, "canary": 0.1}})
        >>> servables = DividedServables([ModelSource("taxi", "serving/taxi")], traffic={"taxi": traffic})
    """

    def __init__(
        self,
        sources: Sequence[ModelSource],
        batching: Batching = Batching(),  # noqa: B008
        watch_seconds: float = 1.0,
        *,
        traffic: Mapping[str, Traffic] | None = None,
        logs: Mapping[str, RequestLog] | None = None,
        measures: Measures | None = None,
        limits: Limits = _LIMITS,
    ) -> None:
        super().__init__(sources, batching, watch_seconds)
        self.traffic = dict(traffic or {})
        self.logs = dict(logs or {})
        self.measures = measures or Measures()
        self.most_rows = limits.rows
        self.pending = PendingBytes(limits.pending_bytes)
        self.measures.watch(self, self.logs.values())
        self._shadows = Shadows(self)

    @classmethod
    def of(cls, config: ServerConfig) -> DividedServables:
        """Return the models of a server's config.

        Raises:
            OSError: If the folder of a request log cannot be written to, or a schema cannot be read.
            ValueError: If a schema is none.
        """
        logs = {
            source.name: RequestLog(source.name, source.request_log)
            for source in config.models
            if source.request_log is not None
        }
        return cls(
            config.models,
            config.batching,
            config.watch_seconds,
            traffic={source.name: source.traffic for source in config.models},
            logs=logs,
            limits=config.limits,
        )

    def get(self, name: str, version: int | None = None, label: str | None = None) -> Use:
        """Return a version of a model, for a `with` block during which it is not unloaded.

        Args:
            name: The model's name.
            version: The version; by default the one that the model's traffic chooses.
            label: The label of the version, instead.

        Raises:
            NotFoundError: If there is no such model, version or label.
            UnavailableError: If no version is loaded; the message says why.
        """
        model = self.model(name)
        request = REQUEST.get()
        if request is None:
            return super().get(name, version, label)
        request.model = name
        traffic = self.traffic.get(name, _NO_TRAFFIC)
        if version is not None or label is not None:
            return _Asking(super().get(name, version, label), self, request, label, None)
        if traffic.key.source == "feature" and traffic.split:
            return _Asking(super().get(name), self, request, None, traffic)
        target = traffic.target(_request_key(traffic, request))
        use, label = self.use_of(name, target)
        return _Asking(use, self, request, label or model.source.default_label, None)

    def use_of(self, name: str, target: Target | None) -> tuple[Use, str | None]:
        """Return the version of a target and its label; the default version if it is not served."""
        if target is None:
            return super().get(name), None
        try:
            return super().get(name, target.version, target.label), target.label
        except (NotFoundError, UnavailableError):
            self.measures.fallbacks.labels(name, str(target)).inc()
            return super().get(name), None

    def shadow(self, asked: Asked, signature: str, inputs: Arrays, outputs: Arrays) -> None:
        """Send a copy of an answered request to the shadows of its model."""
        traffic = self.traffic.get(asked.name, _NO_TRAFFIC)
        if not traffic.shadows:
            return
        targets = traffic.shadows_of(_request_key(traffic, asked.request))
        self._shadows.ask(asked, targets, signature, inputs, outputs)

    def log(
        self,
        asked: Asked,
        servable: Servable,
        signature: str,
        inputs: Arrays,
        outputs: Arrays,
        *,
        label: str | None,
        rows: tuple[int, ...] | None = None,
        shadow: bool = False,
    ) -> None:
        """Write an answered request to the model's request log, if it has one and wants it."""
        log = self.logs.get(asked.name)
        request = asked.request
        if log is None or not log.wants(request.id):
            return
        described = servable.signature(signature)
        log.put(
            Answered(
                request.id,
                servable.name,
                servable.version,
                described.name,
                request.time,
                inputs,
                outputs,
                described.takes_examples,
                label,
                rows,
                self._bucket(asked),
            ),
            shadow=shadow,
        )

    def _bucket(self, asked: Asked) -> int | None:
        """Return the part of the keys that a request belongs to, where a header divides the traffic."""
        traffic = self.traffic.get(asked.name, _NO_TRAFFIC)
        if traffic.key.source != "header":
            return None
        return traffic.bucket(_request_key(traffic, asked.request))

    def _load(self, source: ModelSource, version: int, folder: str) -> Servable:
        servable = super()._load(source, version, folder)
        name = source.name
        _check_names(servable, self.traffic.get(name, _NO_TRAFFIC), self.logs.get(name))
        servable.watch_batches(self.measures.batches.labels(name, version).observe)
        return servable

    async def close(self) -> None:
        """Stop watching, wait for shadows, unload all models and complete the request logs."""
        await self._shadows.close()
        await super().close()
        for log in self.logs.values():
            await asyncio.to_thread(log.close)


class Asked(Servable):
    """A version as one request asks it: what is answered is divided, shadowed, logged and counted."""

    def __init__(
        self,
        servable: Servable,
        servables: DividedServables,
        request: RequestContext,
        label: str | None,
        traffic: Traffic | None,
    ) -> None:
        # The model, its labels and its batcher are those of the version.
        vars(self).update(vars(servable))
        self.request = request
        self._servable = servable
        self._servables = servables
        self._label = label
        self._traffic = traffic

    async def predict(self, signature: str, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs of a signature; see `Servable.predict`."""
        described = self.signature(signature)
        count = max([len(array) for array in inputs.values() if array.ndim], default=1)
        if count > self._servables.most_rows:
            raise InvalidArgumentError(
                f"The request has {count:,} rows; at most {self._servables.most_rows:,} are served at once."
            )
        keys = None
        if self._traffic is not None:
            keys = _row_keys(self._traffic.key.name, described.takes_examples, inputs, count)
        if keys is None:
            label = self._label
            outputs = await self._servable.predict(signature, inputs)
            self._answered(self._servable, signature, inputs, outputs, label, None, count)
        else:
            assert self._traffic is not None
            targets = [self._traffic.target(key or self.request.id.encode()) for key in keys]
            outputs = await self._divided(signature, inputs, targets)
        self.request.rows += count
        self._servables.shadow(self, signature, inputs, outputs)
        return outputs

    async def _divided(
        self, signature: str, inputs: Arrays, targets: Sequence[Target | None]
    ) -> dict[str, npt.NDArray[Any]]:
        """Ask each target for its rows, and join the answers in the order of the request."""
        distinct = list(dict.fromkeys(targets))
        before = len(self.request.answered_by)
        parts = await asyncio.gather(
            *(
                self._part(
                    signature,
                    inputs,
                    target,
                    [row for row, each in enumerate(targets) if each == target],
                )
                for target in distinct
            )
        )
        if len(parts) == 1:
            # What doors give back as the version; of several only the header tells.
            self.version = self.request.answered_by[before][0]
            return parts[0][1]
        return _joined(parts, len(targets))

    async def _part(
        self, signature: str, inputs: Arrays, target: Target | None, rows: list[int]
    ) -> tuple[list[int], dict[str, npt.NDArray[Any]]]:
        use, label = self._servables.use_of(self.name, target)
        with use as servable:
            part = {name: array[rows] for name, array in inputs.items()}
            outputs = await servable.predict(signature, part)
            self._answered(servable, signature, part, outputs, label, tuple(rows), len(rows))
        return rows, outputs

    def _answered(
        self,
        servable: Servable,
        signature: str,
        inputs: Arrays,
        outputs: Arrays,
        label: str | None,
        rows: tuple[int, ...] | None,
        count: int,
    ) -> None:
        self.request.answered_by.append((servable.version, label))
        self._servables.measures.answered(self.name, servable.version, label or "", count)
        self._servables.log(self, servable, signature, inputs, outputs, label=label, rows=rows)


class _Asking(Use):
    """A version in use by a request that is accounted for."""

    def __init__(
        self,
        use: Use,
        servables: DividedServables,
        request: RequestContext,
        label: str | None,
        traffic: Traffic | None,
    ) -> None:
        super().__init__(use._slot)
        self._with = (servables, request, label, traffic)

    def __enter__(self) -> Servable:
        return Asked(super().__enter__(), *self._with)


def _request_key(traffic: Traffic, request: RequestContext) -> bytes:
    key = ""
    if traffic.key.source == "header":
        key = request.headers.get(traffic.key.name, "")
    return (key or request.id).encode("utf-8", "surrogateescape")


def _row_keys(name: str, takes_examples: bool, inputs: Arrays, count: int) -> list[bytes] | None:
    """Return each row's value of a feature, b"" where it has none; None if no row can have one."""
    if not inputs or any(array.shape[:1] != (count,) for array in inputs.values()):
        return None  # the model says what is wrong with it
    if takes_examples:
        (serialized, *others) = inputs.values()
        if others or serialized.ndim > 1 or serialized.dtype != object:
            return None
        return [_example_key(each, name) for each in serialized.tolist()]
    array = inputs.get(name)
    if array is None:
        return None
    return [_key_of(row.tolist() if row.ndim else row.item()) for row in map(np.asarray, array)]


def _example_key(serialized: bytes, name: str) -> bytes:
    try:
        feature = example_class().FromString(serialized).features.feature.get(name)
    except Exception:  # the model says what is wrong with it
        return b""
    kind = feature.WhichOneof("kind") if feature is not None else None
    values = list(getattr(feature, kind).value) if kind else []
    return _key_of(values)


def _key_of(value: Any) -> bytes:
    """Return a value as a key: the same for 7 and [7] and, as text, for "7"."""
    while isinstance(value, list):
        value = value[0] if value else b""
    return value if isinstance(value, bytes) else str(value).encode()


def _joined(
    parts: Sequence[tuple[list[int], dict[str, npt.NDArray[Any]]]], count: int
) -> dict[str, npt.NDArray[Any]]:
    first = parts[0][1]
    joined = {}
    for name, array in first.items():
        whole = np.empty((count, *array.shape[1:]), array.dtype)
        for rows, outputs in parts:
            other = outputs.get(name)
            if other is None or other.shape[1:] != array.shape[1:] or other.dtype != array.dtype:
                raise InternalError(
                    f"The versions that the traffic is divided between differ in the output {name!r}."
                )
            whole[rows] = other
        joined[name] = whole
    return joined


def _check_names(servable: Servable, traffic: Traffic, log: RequestLog | None) -> None:
    """Warn of masked names and of a key that a version does not have."""
    known: set[str] = set()
    for each in servable.signatures.values():
        if each.takes_examples and each.features is None:
            return  # it may have any
        known |= {*each.inputs, *each.outputs, *(each.features or ())}
    if log is not None:
        log.check_names(frozenset(known))
    if traffic.key.source == "feature" and traffic.key.name not in known:
        LOG.warning(
            "%s: version %d has no feature %r, by which the traffic is divided: each request is divided "
            "by its own id",
            servable.name,
            servable.version,
            traffic.key.name,
        )
