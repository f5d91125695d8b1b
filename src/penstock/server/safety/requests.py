"""HTTP requests within bounds: who asks, how large a body is, and how long it takes to arrive."""

from __future__ import annotations

import asyncio
import ipaddress
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from penstock.server.errors import ResourceExhaustedError
from penstock.server.rest.json_tensors import write_json
from penstock.server.safety.access import Access
from penstock.server.safety.limits import Limits
from penstock.server.safety.pending_bytes import PendingBytes

# The page asks for the token itself: a browser sends none of its own accord.
_OPEN = ("/", "/v2/health/live", "/v2/health/ready")


class BodyTooLargeError(Exception):
    """A body is larger than the server takes."""


class BodyTooSlowError(Exception):
    """A body did not arrive in time."""


class BodyDamagedError(Exception):
    """A body is not compressed as it says."""


@dataclass(frozen=True)
class RequestRules:
    """What is refused by its headers alone.

    Args:
        access: Who may ask.
        limits: How large a body may be.
        loopback: Whether the server listens on this machine only. Pages in a browser can reach it
            there: those of other sites are refused, also under a name that leads here.
    """

    access: Access
    limits: Limits
    loopback: bool

    def refusal(self, path: str, headers: Mapping[bytes, bytes]) -> tuple[int, str] | None:
        """Return the status and the message that a request is refused with; None if it is not."""
        if self.loopback and not self.access.tokens and not _from_here(headers):
            return 403, "This server answers this machine only, and no pages of other sites."
        if path not in _OPEN and not self.access.admits(headers.get(b"authorization")):
            return (
                401,
                "The request needs the header `Authorization: Bearer TOKEN` with a token of the server.",
            )
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and (len(length) > 19 or int(length) > self.limits.body_bytes):
            return 413, self.too_large()
        if headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b"gzip"):
            return 415, "A request's Content-Encoding is gzip or identity."
        return None

    def too_large(self) -> str:
        """Return what a body that is larger than the limit is refused with."""
        most = f"{self.limits.body_bytes:,} bytes"
        return f"The request's body is larger than {most}, the most that the server takes."


class SafeRequests:
    """ASGI middleware that refuses requests which nobody may make.

    Args:
        app: What answers.
        access: Who may ask.
        limits: How large a body may be, and how long it may take.
        pending: The bytes of all requests in progress.
        loopback: Whether the server listens on this machine only. Pages in a browser can reach it
            there: those of other sites are refused, also under a name that leads here.
    """

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        limits: Limits,
        pending: PendingBytes,
        loopback: bool,
    ) -> None:
        self._app = app
        self._pending = pending
        self._limits = limits
        self._rules = RequestRules(access, limits, loopback)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        refusal = self._rules.refusal(scope["path"], headers)
        if refusal is not None:
            await _refuse(send, *refusal)
            return
        compressed = headers.get(b"content-encoding", b"").lower() == b"gzip"
        bounded = _BoundedBody(receive, send, self._limits, self._pending, compressed)
        try:
            await self._app(scope, bounded.receive, bounded.send)
        except BodyTooLargeError:
            await bounded.refuse(413, self._rules.too_large())
        except BodyTooSlowError:
            seconds = f"{self._limits.body_seconds:g} s"
            await bounded.refuse(408, f"The request's body did not arrive within {seconds}.")
        except BodyDamagedError:
            await bounded.refuse(
                400, "The request's body is not the gzip that its Content-Encoding says."
            )
        except ResourceExhaustedError as error:
            await bounded.refuse(429, str(error))
        except ClientDisconnect:
            pass
        finally:
            bounded.forget()


class _BoundedBody:
    """The body of one request, and whether its answer has begun."""

    def __init__(
        self,
        receive: Receive,
        send: Send,
        limits: Limits,
        pending: PendingBytes,
        compressed: bool,
    ) -> None:
        self._receive = receive
        self._send = send
        self._limits = limits
        self._pending = pending
        self._size = 0
        self._complete = False
        self._deadline = asyncio.get_running_loop().time() + limits.body_seconds
        self._answering = False
        # 31: gzip with the largest window.
        self._decompressor = zlib.decompressobj(31) if compressed else None

    async def receive(self) -> Message:
        """Return the next part of the body."""
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            raise BodyTooSlowError from error
        self._complete = not message.get("more_body", False)
        if self._decompressor is not None and message["type"] == "http.request":
            message["body"] = self._decompressed(message.get("body", b""))
        size = len(message.get("body", b""))
        self._pending.add(size)
        self._size += size
        if self._size > self._limits.body_bytes:
            raise BodyTooLargeError
        return message

    def forget(self) -> None:
        """Count the body no longer."""
        self._pending.remove(self._size)

    def _decompressed(self, part: bytes) -> bytes:
        """Decompress a part, but never to much more than a body may have."""
        assert self._decompressor is not None
        try:
            content = self._decompressor.decompress(part, self._limits.body_bytes - self._size + 1)
        except zlib.error as error:
            raise BodyDamagedError from error
        if self._decompressor.unused_data or (self._complete and not self._decompressor.eof):
            if self._size + len(content) > self._limits.body_bytes:
                raise BodyTooLargeError
            raise BodyDamagedError
        return content

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        self._answering = True
        await self._send(message)

    async def refuse(self, status: int, message: str) -> None:
        """Refuse the request, unless its answer has begun."""
        if not self._answering:
            await _refuse(self._send, status, message)


async def _refuse(send: Send, status: int, message: str) -> None:
    body = write_json({"error": message})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 408:
        headers.append((b"connection", b"close"))
    if status == 429:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _from_here(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a request names this machine, and comes from no page or from one of this server."""
    host = headers.get(b"host", b"localhost").decode("latin-1")
    if not _is_local(f"//{host}"):
        return False
    origin = headers.get(b"origin")
    return origin is None or origin.decode("latin-1").partition("://")[2].lower() == host.lower()


@lru_cache(maxsize=64)
def _is_local(url: str) -> bool:
    try:
        name = urlsplit(url).hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
