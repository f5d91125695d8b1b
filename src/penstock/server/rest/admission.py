"""A bound on how many requests are answered at once: those beyond get 429 before their body is read."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

BUSY = b'{"error":"The server is busy. Try again later."}'
_ALWAYS = ("/v2/health/", "/metrics", "/monitoring/")


class Places:
    """Counts the requests that are answered now.

    Args:
        limit: The most at once.

    Attributes:
        taken: How many there are.
    """

    def __init__(self, limit: int) -> None:
        self.taken = 0
        self._limit = limit

    @property
    def full(self) -> bool:
        """Whether there are as many as there may be."""
        return self.taken >= self._limit


class Admission:
    """ASGI middleware that sheds load.

    Args:
        app: What answers.
        places: Counts the requests. Those for health and metrics do not count.
    """

    def __init__(self, app: ASGIApp, places: Places) -> None:
        self._app = app
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http" or scope["path"].startswith(_ALWAYS):
            await self._app(scope, receive, send)
            return
        if self._places.full:
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(BUSY)).encode()),
                (b"retry-after", b"1"),
            ]
            await send({"type": "http.response.start", "status": 429, "headers": headers})
            await send({"type": "http.response.body", "body": BUSY})
            return
        self._places.taken += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._places.taken -= 1
