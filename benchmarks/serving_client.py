"""Clients that ask a server over kept connections as fast as it answers, in one process.

Reads a plan as JSON on standard input, and prints what it measured as JSON; SIGTERM ends it early.
Requests are built once and answers are read as far as their length: the clients take little of a machine
that they share.
"""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import sys
import time
from typing import Any


class Client(asyncio.Protocol):
    """One connection: sends a request, waits for its answer, and sends the next."""

    def __init__(self, requests: list[bytes], measured: Measured) -> None:
        self._requests = requests
        self._measured = measured
        self._next = 0
        self._left = 0
        self._status = 0
        self._buffer = b""
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._send()

    def _send(self) -> None:
        if self._measured.over():
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += 1

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._left -= len(data)
        else:
            self._buffer += data
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].lower()
            self._status = int(head[9:12])
            at = head.index(b"\r\ncontent-length:") + 17
            length = int(head[at : (head.find(b"\r\n", at) + 1 or end + 1) - 1])
            self._left = length - (len(self._buffer) - end - 4)
            self._buffer = b""
        if self._left == 0:
            self._measured.answered(self._status, time.perf_counter() - self._sent)
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._measured.over():
            self._measured.lost += 1
        self.closed.set_result(None)


class Measured:
    """What the clients saw; the first second is not counted."""

    def __init__(self, seconds: float) -> None:
        self._start = time.perf_counter() + 1.0
        self._end = self._start + seconds
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}
        self.lost = 0

    def stop(self) -> None:
        """End now."""
        self._end = min(self._end, time.perf_counter())

    @property
    def seconds(self) -> float:
        """How long it was counted."""
        return max(self._end - self._start, 1e-9)

    def over(self) -> bool:
        return time.perf_counter() >= self._end

    def answered(self, status: int, seconds: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status == 200 and time.perf_counter() >= self._start:
            self.latencies.append(seconds)


async def ask(plan: dict[str, Any]) -> dict[str, Any]:
    """Ask as a plan says, and return what was measured."""
    requests = [base64.b64decode(each) for each in plan["requests"]]
    measured = Measured(plan["seconds"])
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, measured.stop)
    clients = []
    for number in range(plan["clients"]):
        mine = requests[number % len(requests) :] + requests[: number % len(requests)]
        _, client = await loop.create_connection(
            lambda mine=mine: Client(mine, measured), plan["host"], plan["port"]
        )
        clients.append(client)
    await asyncio.gather(*(client.closed for client in clients))
    latencies = sorted(measured.latencies) or [0.0]
    return {
        "requests": sum(measured.statuses.values()),
        "requests_per_second": len(measured.latencies) / measured.seconds,
        "p50_ms": 1000 * latencies[len(latencies) // 2],
        "p99_ms": 1000 * latencies[len(latencies) * 99 // 100],
        "refused": measured.statuses.get(429, 0),
        "failed": measured.lost
        + sum(n for status, n in measured.statuses.items() if status not in (200, 429)),
        "client_cpu_seconds": time.process_time(),
    }


if __name__ == "__main__":
    import uvloop

    print(json.dumps(uvloop.run(ask(json.load(sys.stdin)))))
