"""Python with MLflow, and a server of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mlflow_python(python_with) -> str:
    """Python with MLflow; TensorFlow is this one's."""
    python = python_with("mlflow", "mlflow>=3,<4")
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (Path(python).parents[1] / "lib" / version / "site-packages" / "tests.pth").write_text(
        f"{Path(find_spec('tensorflow').origin).parents[1]}\n"
    )
    return python


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
            command,
            stdout=output,
            stderr=output,
            cwd=tmp_path,
            start_new_session=True,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
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
        # Its workers end slowly, and nothing of it is needed any more.
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(30)
