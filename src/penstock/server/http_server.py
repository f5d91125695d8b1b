"""uvicorn's server, as this one needs it: which connections it takes, and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import uvicorn

_AT_ONCE = 256
"""Connections that are taken before those that are there are heard again."""

_PAUSE_SECONDS = 0.05

_LAST_SECONDS = 0.3
_MOST_SECONDS = 3.0
"""Seconds that it waits at most for connections on which nothing was asked yet."""


class HttpServer(uvicorn.Server):
    """uvicorn's server, whose signals are ours, and which takes all connections that wait."""

    _accepting: socket.socket | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen.

        uvloop takes one connection in each turn of its loop, which are long under load: of a thousand that
        come at once the last would wait for seconds. So all are taken, by another descriptor of the socket.
        """
        await super().startup(sockets)
        self._connecting: set[asyncio.Task[Any]] = set()
        for listener in sockets or ():
            self._accepting = accepting = listener.dup()
            accepting.setblocking(False)
            self._accept_later(accepting)

    def _accept_later(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        accepted = _accepted(listener, _AT_ONCE)
        if not accepted:  # another took them, or there are too many open files
            loop.remove_reader(listener)
            loop.call_later(_PAUSE_SECONDS, self._accept_later, listener)
        for each in accepted:
            task = loop.create_task(self._connect(each))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # it has gone already, or speaks no TLS
            await loop.connect_accepted_socket(self._protocol, connection, ssl=self.config.ssl)

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """Leave the signals alone."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening; who has just connected may still ask once.

        Closing a socket that listens would reset the connections that wait in it, so they are taken
        first.
        """
        loop = asyncio.get_running_loop()
        if self._accepting is not None:
            loop.remove_reader(self._accepting)
            self._accepting.close()
        waiting = [each for listener in sockets or [] for each in _accepted(listener)]
        for listening in self.servers:
            listening.close()
        for each in sockets or []:
            each.close()
        for each in waiting:
            await loop.connect_accepted_socket(self._protocol, each, ssl=self.config.ssl)
        deadline = loop.time() + _MOST_SECONDS
        if not self.force_exit:
            await asyncio.sleep(_LAST_SECONDS)
        while not self.force_exit and loop.time() < deadline and self._has_not_asked():
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)

    def _has_not_asked(self) -> bool:
        """Return whether there is a connection on which nothing was asked yet."""
        connections = self.server_state.connections
        return any(getattr(each, "cycle", self) is None for each in connections)

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


def _accepted(listener: socket.socket, most: int = 1 << 16) -> list[socket.socket]:
    """Return the connections that wait for a listener, which does not block."""
    accepted: list[socket.socket] = []
    with contextlib.suppress(OSError):
        while len(accepted) < most:
            accepted.append(listener.accept()[0])
    return accepted
