"""Requests beyond those that are answered at once."""

from __future__ import annotations

import asyncio
import json

from penstock.server.rest.admission import Admission, Places


def ask(app, path):
    """Start a request, and return the messages that it is answered with."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        raise AssertionError("the body of a refused request is not read")

    return app({"type": "http", "path": path}, receive, send), sent


def test_requests_beyond_the_limit_get_429_and_health_is_always_answered():
    async def run():
        go = asyncio.Event()

        async def slow(scope, receive, send):
            await go.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        app = Admission(slow, Places(2))
        answers = [ask(app, "/v1/models/m:predict") for _ in range(3)]
        tasks = [asyncio.create_task(answer) for answer, _ in answers]
        healthy, health = ask(app, "/v2/health/ready")
        tasks.append(asyncio.create_task(healthy))
        await asyncio.sleep(0)
        start, body = answers[2][1]
        assert start["status"] == 429
        assert (b"retry-after", b"1") in start["headers"]
        assert "busy" in json.loads(body["body"])["error"]
        go.set()
        await asyncio.gather(*tasks)
        assert [sent[0]["status"] for _, sent in answers] == [200, 200, 429]
        assert health[0]["status"] == 200
        again, sent = ask(app, "/v1/models/m:predict")
        await again
        assert sent[0]["status"] == 200

    asyncio.run(run())
