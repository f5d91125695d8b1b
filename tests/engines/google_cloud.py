"""A stand-in for Google Cloud on loopback: Storage's uploads and Dataflow's jobs, over HTTP."""

from __future__ import annotations

import base64
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import google_crc32c


class GoogleCloud:
    """Keeps what is uploaded and submitted; every job ends at once, in `state`.

    But for one that `keep_running` began: it runs until it is cancelled, and no other has its name.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.jobs: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.state = "JOB_STATE_DONE"
        self.running: dict[str, str] = {}
        self._uploads: dict[str, tuple[str, bytes]] = {}

    def keep_running(self, name: str) -> str:
        """A job that somebody submitted and nobody waits for; its id."""
        self.jobs.append({"name": name, "id": f"job-{len(self.jobs) + 1}"})
        self.running[name] = self.jobs[-1]["id"]
        return self.running[name]

    def __enter__(self) -> GoogleCloud:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self.url = f"http://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """(status, JSON, headers) for a request."""
        parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
        self.requests.append(f"{method} {path}")
        if parts[0] == "v1b3":
            return self._dataflow(method, parts, body)
        if parts[0] == "upload":
            return self._upload(method, parts[4], query, headers, body)
        if parts[:3] == ["storage", "v1", "b"] and len(parts) == 4:
            return 200, {"kind": "storage#bucket", "name": parts[3], "id": parts[3]}, {}
        if parts[:3] == ["storage", "v1", "b"] and len(parts) > 5:
            name = f"gs://{parts[3]}/{parts[5]}"
            if name in self.objects:
                return 200, self._object(name), {}
        return 404, {"error": {"code": 404, "message": f"no {path}"}}, {}

    def _upload(
        self, method: str, bucket: str, query: dict[str, str], headers: Any, body: bytes
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        if method == "POST":
            name = query.get("name") or json.loads(body)["name"]
            number = str(len(self._uploads))
            self._uploads[number] = (f"gs://{bucket}/{name}", b"")
            target = f"{self.url}/upload/storage/v1/b/{bucket}/o?upload={number}"
            return 200, {}, {"Location": target}
        name, received = self._uploads[query["upload"]]
        received += body
        self._uploads[query["upload"]] = (name, received)
        if headers["Content-Range"].endswith("/*"):
            return 308, {}, {"Range": f"bytes=0-{len(received) - 1}"}
        self.objects[name] = received
        return 200, self._object(name), {}

    def _object(self, name: str) -> dict[str, Any]:
        bucket, _, path = name.removeprefix("gs://").partition("/")
        content = self.objects[name]
        crc32c = base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()
        size = str(len(content))
        return {"name": path, "bucket": bucket, "size": size, "crc32c": crc32c}

    def _dataflow(
        self, method: str, parts: list[str], body: bytes
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        if method == "POST":
            job = json.loads(body)
            if job["name"] in self.running:
                other = {"id": self.running[job["name"]], "clientRequestId": "another's"}
                return 200, {"name": job["name"], **other}, {}
            self.jobs.append(job)
            job |= {"id": f"job-{len(self.jobs)}", "projectId": parts[2], "location": parts[4]}
            return 200, {k: job[k] for k in ("id", "name", "projectId", "location")}, {}
        if parts[-1] in ("messages", "metrics"):
            return 200, {}, {}
        job = self.jobs[int(parts[6].removeprefix("job-")) - 1]
        state = "JOB_STATE_RUNNING" if job["name"] in self.running else self.state
        if method == "PUT":
            asked = json.loads(body)["requestedState"]
            assert asked in ("JOB_STATE_CANCELLED", 5)
            state = "JOB_STATE_CANCELLED"
            del self.running[job["name"]]
        return 200, {"id": job["id"], "name": job["name"], "currentState": state}, {}


def _handler_of(cloud: GoogleCloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(url.query))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer, headers = cloud.answer(
                self.command, url.path, query, self.headers, body
            )
            content = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _serve

        def log_message(self, *args: object) -> None:
            """Says nothing."""

    return Handler
