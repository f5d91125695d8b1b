"""Flink's REST API, as a cluster answers it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from penstock.beam.flink import cancel_jobs

JOBS = [
    {"jid": "a1", "name": "forest-trees-7", "state": "RUNNING"},
    {"jid": "a2", "name": "forest-trees-7", "state": "FINISHED"},
    {"jid": "a3", "name": "forest-trees-8", "state": "RUNNING"},
    {"jid": "a4", "name": "forest-trees-7", "state": "RESTARTING"},
]


class Cluster(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self._answer(200, {"jobs": JOBS} if self.path == "/jobs/overview" else {})

    def do_PATCH(self) -> None:
        self.asked.append(self.path)
        self._answer(202, {})

    def _answer(self, status: int, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def cluster() -> Iterator[tuple[str, list[str]]]:
    """Its address, and what it was asked to change."""
    handler = type("Handler", (Cluster,), {"asked": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}", handler.asked
        server.shutdown()
        thread.join()


def test_running_jobs_of_a_name_are_cancelled(cluster):
    address, asked = cluster
    assert cancel_jobs(address, "forest-trees-7") == 2
    assert asked == ["/jobs/a1?mode=cancel", "/jobs/a4?mode=cancel"]
    assert cancel_jobs(f"http://{address}/", "forest-trees-9") == 0


def test_a_cluster_that_is_not_there():
    with pytest.raises(OSError, match="refused"):
        cancel_jobs("127.0.0.1:1", "any")
