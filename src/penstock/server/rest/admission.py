"""A bound on how many requests are answered at once: those beyond get 429 before their body is read."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

_BODY = b'{"error":"The server is busy. Try again later."}'
_ALWAYS = ("/v2/health/", "/metrics", "/monitoring/")


class Admission:
    """ASGI middleware that sheds load.

    Args:
        app: What answers.
        limit: The most requests at once. Health and metrics do not count.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._current = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http" or scope["path"].startswith(_ALWAYS):
            await self._app(scope, receive, send)
            return
        if self._current >= self._limit:
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(_BODY)).encode()),
                (b"retry-after", b"1"),
            ]
            await send({"type": "http.response.start", "status": 429, "headers": headers})
            await send({"type": "http.response.body", "body": _BODY})
            return
        self._current += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._current -= 1
