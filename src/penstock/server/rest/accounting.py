"""Every HTTP request with an id, in the measures, and with the version that answered in its headers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from penstock.server.measures import Measures
from penstock.server.request_context import REQUEST, new_request

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
        request = new_request(_door(scope["path"]), _Headers(scope))
        REQUEST.set(request)
        status = 0

        async def send_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                found = (
                    (b"x-request-id", request.id),
                    (b"x-penstock-version", request.versions),
                    (b"x-penstock-label", request.labels),
                )
                added = [(name, value.encode("latin-1")) for name, value in found if value]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        try:
            await self._app(scope, receive, send_headers)
        except BaseException:
            status = status or 500
            raise
        finally:
            code = str(status) if status else "disconnected"
            self._measures.finished(request.model, request.door, code, time.monotonic() - began)


class _Headers(Mapping[str, str]):
    """The headers of a request, decoded when they are asked for."""

    def __init__(self, scope: Scope) -> None:
        self._raw: list[tuple[bytes, bytes]] = scope["headers"]

    def __getitem__(self, name: str) -> str:
        wanted = name.encode("latin-1", "replace")
        for key, value in self._raw:
            if key == wanted:
                return value.decode("latin-1")
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (key.decode("latin-1") for key, _ in self._raw)

    def __len__(self) -> int:
        return len(self._raw)


def _door(path: str) -> str:
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
