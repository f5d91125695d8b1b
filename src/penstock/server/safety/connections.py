"""HTTP connections that cannot be held open for nothing: uvicorn's protocol with deadlines and bounds.

uvicorn closes a connection that is silent after an answer. It does not close one that sends its headers
a byte a minute, or endless headers, or that never reads its answer; this does.
"""

from __future__ import annotations

import asyncio
from collections import deque

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from penstock.server.safety.limits import Limits

_SWEEP_SECONDS = 1.0
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b'content-length: 48\r\nconnection: close\r\n\r\n{"error":"The request\'s headers are too large."}'
)
_MALFORMED = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
    b'content-length: 42\r\nconnection: close\r\n\r\n{"error":"This is no valid HTTP request."}'
)
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    b'content-length: 52\r\nconnection: close\r\n\r\n{"error":"The server has too many connections now."}'
)


class _HeadersTooLargeError(Exception):
    """Ends the parsing of a request."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with bounds; a subclass says which, for `uvicorn.Config(http=...)`."""

    _limits: Limits
    _sweeper: asyncio.TimerHandle | None = None
    _unanswered: deque[RequestResponseCycle]
    _waits_since: float | None = None
    _writes_since: float | None = None
    _in_head = True
    _completed = False
    _head_bytes = 0
    _parsed_bytes = 0
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        if len(self.connections) >= self._limits.connections:
            transport.write(_FULL)
            transport.close()
            self._refused = True
            return
        super().connection_made(transport)
        self._unanswered = deque()
        self._waits_since = self.loop.time()
        self._sweep()

    def connection_lost(self, exc: Exception | None) -> None:
        """Have nothing more written."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        if not self._refused:
            self._give_up_answers()
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, and refuse what is no HTTP or has endless headers."""
        if self._refused or self.parser is None or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        only_head = self._in_head
        self._completed = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            large = isinstance(error.__context__, _HeadersTooLargeError)
            self._refuse(_TOO_LARGE if large else _MALFORMED)
        except httptools.HttpParserUpgrade:
            # What comes next is no HTTP; the request itself is answered as if it had not asked.
            self._close_after_answer()
        else:
            # A header that goes on and on reaches no callback.
            if only_head and self._in_head and not self._completed:
                self._head_bytes += len(data)
                if self._head_bytes > self._limits.header_bytes:
                    self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin to count the headers."""
        super().on_message_begin()
        self._parsed_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Count the line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Answer."""
        self._head_is_complete()
        super().on_headers_complete()
        self._unanswered.append(self.cycle)

    def _head_is_complete(self) -> None:
        self._waits_since = None
        self._in_head = False
        self._head_bytes = 0

    def on_message_complete(self) -> None:
        """Expect the next request."""
        self._message_is_complete()
        super().on_message_complete()

    def _message_is_complete(self) -> None:
        self._in_head = True
        self._completed = True

    def on_response_complete(self) -> None:
        """Go on to the next request, or wait for one."""
        if self._unanswered:
            self._unanswered.popleft()
        super().on_response_complete()
        if not self.pipeline and (self.cycle is None or self.cycle.response_complete):
            self._waits_since = self.loop.time()

    def pause_writing(self) -> None:
        """Note since when the client has not read."""
        super().pause_writing()
        self._writes_since = self.loop.time()

    def resume_writing(self) -> None:
        """Note that it reads."""
        super().resume_writing()
        self._writes_since = None

    def _count(self, size: int) -> None:
        self._parsed_bytes += size
        if self._parsed_bytes > self._limits.header_bytes:
            raise _HeadersTooLargeError

    def _refuse(self, response: bytes) -> None:
        """End the connection; in words, unless an answer is on its way."""
        waiting = self.cycle is not None and not self.cycle.response_started and not self.pipeline
        if waiting or (self._in_head and (self.cycle is None or self.cycle.response_complete)):
            self.transport.write(response)
        self.transport.close()

    def _give_up_answers(self) -> None:
        """Have nothing more written: uvicorn only does so for the last of several requests in a row."""
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()

    def _close_after_answer(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
        else:
            self._refuse(_MALFORMED)

    def _sweep(self) -> None:
        if self._is_overdue(self.loop.time()):
            self._give_up_answers()
            self.transport.abort()
        else:
            self._sweeper = self.loop.call_later(_SWEEP_SECONDS, self._sweep)

    def _is_overdue(self, now: float) -> bool:
        """Return whether the client took too long."""
        limits = self._limits
        if self.transport.is_closing() and self._writes_since is None:
            self._writes_since = now
        return _is_over(self._waits_since, now - limits.header_seconds) or _is_over(
            self._writes_since, now - limits.write_seconds
        )


def _is_over(since: float | None, limit: float) -> bool:
    return since is not None and since < limit
