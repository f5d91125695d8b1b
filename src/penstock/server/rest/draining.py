"""The last moments of a server: it still answers, says that it is not ready, and closes connections."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Draining:
    """ASGI middleware that, once `app.state.draining` is set, closes each connection behind its answer.

    A client on a kept connection so learns that it must open another one, elsewhere, from an answer, not
    from a connection that breaks under its next request.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http" or not scope["app"].state.draining:
            await self._app(scope, receive, send)
            return

        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, send_last)
