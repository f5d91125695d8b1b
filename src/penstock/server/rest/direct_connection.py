"""Connections whose usual requests are answered without the ASGI application: see `rest/direct.py`."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from penstock.server.rest.direct import DirectAnswer, DirectDoor, DirectRequest
from penstock.server.safety.connections import BoundedProtocol
from penstock.server.safety.limits import Limits

_REFUSED_SECONDS = 0.25
"""How long a connection is not read from after its request was refused for load.

Who asks again at once, whatever `Retry-After` says, would take the time of those who are answered.
"""


class _NoEvent:
    """In the place of the event that wakes an ASGI application."""

    def set(self) -> None:
        """Wake nobody."""


class DirectCycle:
    """A request and its answer: what uvicorn's protocol looks at of its own `RequestResponseCycle`.

    Args:
        asked: The request.
        keep_alive: Whether its client wants to ask again.
    """

    message_event = _NoEvent()
    response_started = False
    response_complete = False
    disconnected = False
    more_body = True

    def __init__(self, asked: DirectRequest, keep_alive: bool) -> None:
        self.asked = asked
        self.keep_alive = keep_alive
        self.body = bytearray()


class DirectProtocol(BoundedProtocol):
    """uvicorn's HTTP protocol with bounds, and with a way past the application."""

    _door: DirectDoor
    _body_since = 0.0
    cycle: Any

    def on_headers_complete(self) -> None:
        """Choose the way of a request."""
        parser = self.parser
        asked = None
        # Behind a request that is not answered yet, the application keeps the order.
        if (self.cycle is None or self.cycle.response_complete) and not parser.should_upgrade():
            asked = self._door.plan(parser.get_method(), self.url, self.headers)
        if asked is None:
            super().on_headers_complete()
            return
        self._head_is_complete()
        self._body_since = self.loop.time()
        keep_alive = parser.get_http_version() == "1.1" and parser.should_keep_alive()
        self.cycle = DirectCycle(asked, keep_alive)
        self._unanswered.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        """Take a part of a body; its size was checked by its headers."""
        cycle = self.cycle
        if isinstance(cycle, DirectCycle):
            cycle.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Answer."""
        cycle = self.cycle
        if not isinstance(cycle, DirectCycle):
            super().on_message_complete()
            return
        self._message_is_complete()
        cycle.more_body = False
        if cycle.response_complete:
            return
        refused = self._door.refuse(cycle.asked)
        if refused is not None:
            self._write(cycle, refused)
            return
        task = self.loop.create_task(self._answer(cycle))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer(self, cycle: DirectCycle) -> None:
        answer = await self._door.answer(cycle.asked, bytes(cycle.body))
        while self.flow.write_paused and not cycle.disconnected:
            await self.flow.drain()
        self._write(cycle, answer)

    def _write(self, cycle: DirectCycle, answer: DirectAnswer) -> None:
        """Write an answer, and go on to the next request of the connection."""
        if cycle.disconnected or cycle.response_complete:
            return
        cycle.keep_alive = cycle.keep_alive and not answer.last
        self.transport.write(self._message(answer, cycle.keep_alive))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self._is_answered()
        if answer.status == 429 and cycle.keep_alive:
            self.flow.pause_reading()
            self.loop.call_later(_REFUSED_SECONDS, self._read_on)

    def _message(self, answer: DirectAnswer, keep_alive: bool) -> bytes:
        parts = [STATUS_LINE[answer.status]]
        for name, value in (*self.server_state.default_headers, *answer.headers):
            parts += (name, b": ", value, b"\r\n")
        parts += (b"content-length: %d\r\n" % len(answer.body),)
        parts.append(b"\r\n" if keep_alive else b"connection: close\r\n\r\n")
        parts.append(answer.body)
        return b"".join(parts)

    def _is_answered(self) -> None:
        if self.pipeline or self.flow.read_paused:
            self.on_response_complete()
            return
        # As uvicorn does it, but for a timer: the bounds close connections that wait.
        if self._unanswered:
            self._unanswered.popleft()
        self.server_state.total_requests += 1
        self._waits_since = self.loop.time()

    def _read_on(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def _is_overdue(self, now: float) -> bool:
        cycle = self.cycle
        if isinstance(cycle, DirectCycle) and cycle.more_body and not cycle.disconnected:
            seconds = self._limits.body_seconds
            if now - self._body_since > seconds:
                self._write(cycle, self._door.late(cycle.asked, seconds))
        return super()._is_overdue(now)


def direct_settings(limits: Limits, door: DirectDoor) -> dict[str, Any]:
    """Return the arguments of `uvicorn.Config` that keep to the limits, and answer by the door."""

    class Connection(DirectProtocol):
        _limits = limits
        _door = door

    return {"http": Connection, "ws": "none"}
