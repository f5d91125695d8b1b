"""The bytes of all requests at once are bounded, but a single one always gets in."""

import asyncio

import httpx
import pytest

from penstock.server.errors import ResourceExhaustedError
from penstock.server.safety.access import Access
from penstock.server.safety.limits import Limits
from penstock.server.safety.pending_bytes import PendingBytes
from penstock.server.safety.requests import SafeRequests


def test_what_is_too_much_is_refused_and_not_counted():
    pending = PendingBytes(100)
    pending.add(150)
    pending.remove(150)
    pending.add(60)
    with pytest.raises(ResourceExhaustedError, match="the requests in progress have 60 bytes"):
        pending.add(50)
    pending.add(40)
    pending.remove(100)
    pending.add(100)


def test_a_request_beyond_is_told_to_come_again_and_leaves_nothing_behind():
    pending = PendingBytes(100)
    held = asyncio.Event()

    async def app(scope, receive, send):
        await receive()
        if scope["path"] == "/hold":
            await held.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def asking():
        safe = SafeRequests(app, Access(), Limits(), pending, loopback=False)
        transport = httpx.ASGITransport(safe)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            first = asyncio.create_task(client.post("/hold", content=bytes(80)))
            while not pending._current:
                await asyncio.sleep(0)
            second = await client.post("/", content=bytes(80))
            held.set()
            third = await client.post("/", content=bytes(80)) if (await first).is_success else None
            return second, third

    second, third = asyncio.run(asking())
    assert (second.status_code, second.headers["retry-after"]) == (429, "1")
    assert third.status_code == 200
    assert pending._current == 0
