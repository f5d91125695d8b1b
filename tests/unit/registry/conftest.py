"""Python with MLflow, and a server of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
import venv
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mlflow_python() -> str:
    """Python of a virtual environment with MLflow, made once a machine; TensorFlow is this one's."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penstock-test"
    home = cache / f"mlflow-{sys.version_info[0]}.{sys.version_info[1]}"
    python = home / "bin" / "python"
    ready = home / "ready"
    if not ready.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        venv.create(home, with_pip=True, clear=True)
        command = [python, "-m", "pip", "install", "-q", "mlflow>=3,<4"]
        installed = subprocess.run(command, capture_output=True, text=True, timeout=900)
        if installed.returncode:
            pytest.skip(f"mlflow does not install here: {installed.stderr.strip()[-300:]}")
        ready.touch()
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (home / "lib" / version / "site-packages" / "tests.pth").write_text(
        f"{Path(find_spec('tensorflow').origin).parents[1]}\n"
    )
    return str(python)


@pytest.fixture
def mlflow_server(mlflow_python, tmp_path) -> Iterator[str]:
    """The URL of an `mlflow server` with a registry of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [
        mlflow_python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
        "--backend-store-uri", f"sqlite:///{tmp_path}/mlflow.db",
        "--artifacts-destination", str(tmp_path / "artifacts"), "--workers", "1",
    ]  # fmt: skip
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=tmp_path, start_new_session=True
        )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{url}/health", timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, log.read_text()[-2000:]
                try:
                    server.wait(0.5)
                except subprocess.TimeoutExpired:
                    continue
        else:
            pytest.fail(log.read_text()[-2000:])
        yield url
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)
