"""Answers to requests for predictions without the layers of the ASGI application.

A small model answers a batch in less time than those layers take for one request. So requests of the
usual form go from the connection to the model at once: a POST of a body whose length is known and small,
which who asks may ask. All others go through the application, which gives the same answers.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from penstock.server.config import ServerConfig
from penstock.server.divided import DividedServables
from penstock.server.errors import InvalidArgumentError, ServingError
from penstock.server.request_context import REQUEST, RequestContext, new_request
from penstock.server.rest.accounting import DecodedHeaders, accounted, door_of
from penstock.server.rest.admission import BUSY, Places
from penstock.server.rest.inference_protocol import LENGTH, infer
from penstock.server.rest.json_tensors import write_json
from penstock.server.rest.models import LARGE, Target, answer_verb, parse_target
from penstock.server.safety.access import is_loopback
from penstock.server.safety.requests import RequestRules

LOG = logging.getLogger("penstock.server")

_V1 = "/v1/models/"
_V2 = re.compile(r"/v2/models/(?P<name>[^/]+)(?:/versions/(?P<version>[^/]+))?/infer")
_LENGTH = LENGTH.encode()
_NOT_PLAIN = frozenset(
    (b"transfer-encoding", b"content-encoding", b"expect", b"upgrade", b"trailer")
)
_JSON = b"application/json"

Headers = Sequence[tuple[bytes, bytes]]


class Stopping(Protocol):
    """Says whether the server is told to stop."""

    draining: bool


@dataclass(slots=True)
class DirectRequest:
    """A request that is answered directly.

    Args:
        door: The interface that it came by.
        target: The model, version and verb of TensorFlow Serving's API, or the model and version of the
            open inference protocol.
        length: The bytes of its body.
        headers: Its headers, their names in lower case.
        json_length: Its `Inference-Header-Content-Length`, if it has one.
        began: When its headers were there.
    """

    door: str
    target: Target | tuple[str, str | None]
    length: int
    headers: Headers
    json_length: str | None
    began: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class DirectAnswer:
    """An answer.

    Args:
        status: Its status.
        body: Its body.
        headers: Its headers, but for the length.
        last: Whether the connection is closed behind it.
    """

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]]
    last: bool


class DirectDoor:
    """Answers requests of the usual form; used on the event loop.

    Args:
        servables: The models.
        config: Who may ask, and how much.
        places: Counts the requests, together with those that the application answers.
        stopping: Whether connections are closed behind their answers.

    Example:
        >>> asked = door.plan(b"POST", b"/v1/models/taxi:predict", headers)
        >>> answer = await door.answer(asked, body)
    """

    def __init__(
        self, servables: DividedServables, config: ServerConfig, places: Places, stopping: Stopping
    ) -> None:
        self._servables = servables
        self._rules = RequestRules(config.access, config.limits, is_loopback(config.host))
        self._most_bytes = min(LARGE, config.limits.body_bytes)
        self._places = places
        self._stopping = stopping

    def plan(self, method: bytes, url: bytes, headers: Headers) -> DirectRequest | None:
        """Return a request that is answered here; None if the application answers it.

        Args:
            method: Its method.
            url: Its path as it was sent.
            headers: Its headers, their names in lower case.
        """
        named = _named(url) if method == b"POST" else None
        if named is None:
            return None
        given = dict(headers)
        length = given.get(b"content-length", b"")
        if not length.isdigit() or len(length) > 9 or int(length) > self._most_bytes:
            return None
        if not _NOT_PLAIN.isdisjoint(given) or self._rules.refusal("", given) is not None:
            return None
        json_length = given.get(_LENGTH)
        return DirectRequest(
            *named,
            int(length),
            headers,
            None if json_length is None else json_length.decode("latin-1"),
        )

    def refuse(self, asked: DirectRequest) -> DirectAnswer | None:
        """Return the answer to a request if there are too many of them; it costs next to nothing."""
        if not self._places.full:
            return None
        request = new_request(asked.door, DecodedHeaders(asked.headers))
        return self._answered(asked, request, 429, BUSY)

    def late(self, asked: DirectRequest, seconds: float) -> DirectAnswer:
        """Return the answer to a request whose body did not arrive in time."""
        request = new_request(asked.door, DecodedHeaders(asked.headers))
        message = f"The request's body did not arrive within {seconds:g} s."
        answer = self._answered(asked, request, 408, write_json({"error": message}))
        answer.last = True
        return answer

    async def answer(self, asked: DirectRequest, body: bytes) -> DirectAnswer:
        """Answer a request.

        Args:
            asked: The request.
            body: Its body.
        """
        request = new_request(asked.door, DecodedHeaders(asked.headers))
        REQUEST.set(request)
        pending = self._servables.pending
        size = 0
        self._places.taken += 1
        try:
            pending.add(len(body))
            size = len(body)
            target = asked.target
            if isinstance(target, Target):
                return self._answered(
                    asked, request, 200, await answer_verb(self._servables, target, body)
                )
            written = await infer(self._servables, *target, body, asked.json_length)
            answer = self._answered(asked, request, 200, written.body)
            if written.json_length is not None:
                answer.headers[0] = (b"content-type", b"application/octet-stream")
                answer.headers.append((_LENGTH, b"%d" % written.json_length))
            return answer
        except ServingError as error:
            content = write_json({"error": str(error)})
            return self._answered(asked, request, error.http_status, content)
        except Exception:
            LOG.exception("A request of %r failed", request.model)
            content = write_json({"error": "The server failed; see its log."})
            return self._answered(asked, request, 500, content)
        finally:
            self._places.taken -= 1
            pending.remove(size)

    def _answered(
        self, asked: DirectRequest, request: RequestContext, status: int, body: bytes
    ) -> DirectAnswer:
        """Return an answer, and count it."""
        headers = [(b"content-type", _JSON), *accounted(request)]
        if status in (429, 503):
            headers.append((b"retry-after", b"1"))
        self._servables.measures.finished(
            request.model, request.door, str(status), time.monotonic() - asked.began
        )
        return DirectAnswer(status, body, headers, self._stopping.draining)


@lru_cache(maxsize=256)
def _named(url: bytes) -> tuple[str, Target | tuple[str, str | None]] | None:
    """Return the interface and the model that a path names; None if it needs the application."""
    if b"%" in url or not url.isascii():
        return None
    path = url.decode("ascii")
    if path.startswith(_V1):
        try:
            return door_of(path), parse_target(path[len(_V1) :], "POST")
        except InvalidArgumentError:
            return None
    found = _V2.fullmatch(path)
    return None if found is None else ("v2", (found["name"], found["version"]))
