"""What tests of several rooms share."""

from __future__ import annotations

import fcntl
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Lets processes be interrupted, also where a shell runs the tests in the background."""
    # Such a shell ignores SIGINT in its jobs, and whatever they start would ignore it as well.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def python_with() -> Callable[..., str]:
    """Return the Python of a virtual environment with packages, made once a machine.

    `python_with(name, *requirements)` skips the test where they cannot be installed.
    """

    def make(name: str, *requirements: str) -> str:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penstock-test"
        cache.mkdir(parents=True, exist_ok=True)
        home = cache / f"{name}-{sys.version_info[0]}.{sys.version_info[1]}"
        python = home / "bin" / "python"
        ready = home / "ready"
        with open(f"{home}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # tests in another process may want it, too
            if not ready.exists():
                venv.create(home, with_pip=True, clear=True)
                installed = subprocess.run(
                    [python, "-m", "pip", "install", "-q", *requirements],
                    capture_output=True,
                    text=True,
                    timeout=900,
                )
                if installed.returncode:
                    pytest.skip(f"{name} does not install here: {installed.stderr.strip()[-300:]}")
                ready.touch()
        return str(python)

    return make


@pytest.fixture(scope="session")
def client_python(python_with: Callable[..., str]) -> str:
    """Python with ML Metadata's client."""
    return python_with("mlmd", "ml-metadata==1.17.1", "protobuf>=4.21.6,<5")


class WebhookServer(http.server.ThreadingHTTPServer):
    """Keeps what it gets, and answers with the next of `codes`, or 200."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _WebhookHandler)
        self.taken: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.codes: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook"


class _WebhookHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append(json.loads(body))
        self.server.headers.append(dict(self.headers))
        self.send_response(self.server.codes.pop(0) if self.server.codes else 200)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(b"no such hook")

    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[WebhookServer]:
    """A server on this machine that takes notifications."""
    server = WebhookServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
