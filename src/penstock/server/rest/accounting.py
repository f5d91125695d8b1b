"""Every HTTP request with an id, in the measures, and with the version that answered in its headers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from penstock.server.measures import Measures
from penstock.server.request_context import REQUEST, RequestContext, new_request

METRICS_PATHS = ("/metrics", "/monitoring/prometheus/metrics")
_DOORS = (("/v1/models/", "rest"), ("/v2/", "v2"))


class Accounting:
    """ASGI middleware that gives each request an id, and counts it.

    Args:
        app: What answers.
        measures: What counts.
    """

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self._app = app
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        request = new_request(door_of(scope["path"]), DecodedHeaders(scope["headers"]))
        REQUEST.set(request)
        status = 0

        async def send_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *accounted(request)]
            await send(message)

        try:
            await self._app(scope, receive, send_headers)
        except BaseException:
            status = status or 500
            raise
        finally:
            code = str(status) if status else "disconnected"
            self._measures.finished(request.model, request.door, code, time.monotonic() - began)


def accounted(request: RequestContext) -> list[tuple[bytes, bytes]]:
    """Return the headers that say which request was answered, and by whom."""
    found = (
        (b"x-request-id", request.id),
        (b"x-penstock-version", request.versions),
        (b"x-penstock-label", request.labels),
    )
    return [(name, value.encode("latin-1")) for name, value in found if value]


class DecodedHeaders(Mapping[str, str]):
    """The headers of a request, decoded when they are asked for.

    Args:
        raw: Their names in lower case, and values.
    """

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._raw = raw

    def __getitem__(self, name: str) -> str:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return str(found)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a header, without the error that a missing one raises."""
        wanted = name.encode("latin-1", "replace")
        for key, value in self._raw:
            if key == wanted:
                return value.decode("latin-1")
        return default

    def __iter__(self) -> Iterator[str]:
        return (key.decode("latin-1") for key, _ in self._raw)

    def __len__(self) -> int:
        return len(self._raw)


def door_of(path: str) -> str:
    """Return the interface that a path belongs to."""
    if path.endswith(":rows"):
        return "rows"
    for start, door in _DOORS:
        if path.startswith(start):
            return door
    return "other"


async def metrics(request: Request) -> Response:
    """Answer with all measures, for Prometheus."""
    measures: Measures = request.app.state.measures
    text, content_type = measures.text(request.headers.get("accept", ""))
    return Response(text, headers={"content-type": content_type})
