"""A whole server: asked by curl, its versions replaced and itself stopped while clients ask."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tests.unit.server.conftest import running

pytestmark = [pytest.mark.tensorflow, pytest.mark.processes]

HALVE = {"signature_name": "halve", "instances": [3.0]}


def curl(*words: str) -> str:
    command = ["curl", "--silent", "--show-error", "--max-time", "60", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_curl(server):
    answer = curl("-d", json.dumps(HALVE), f"{server.address}/v1/models/m:predict")
    assert answer == '{"predictions":[1.5]}'
    code = ("-o", "/dev/null", "-w", "%{http_code}")
    assert curl(*code, "-d", "{", f"{server.address}/v1/models/m:predict") == "400"
    rows = curl("-d", '{"x": 2}', f"{server.address}/v1/models/m:rows")
    assert json.loads(rows)["rows"][0]["double"] == [4.0]


class Asking:
    """Clients that ask on kept connections until they are told to stop or refused one."""

    def __init__(self, address: str, count: int) -> None:
        self.answers: Counter[str] = Counter()
        self.stopped = threading.Event()
        self._address = address
        self._executor = ThreadPoolExecutor(count)
        self._clients = [self._executor.submit(self._ask) for _ in range(count)]

    def _ask(self) -> None:
        with httpx.Client(base_url=self._address, timeout=60) as client:
            while not self.stopped.is_set():
                try:
                    answer = client.post("/v1/models/m:predict", json=HALVE)
                except httpx.ConnectError:
                    self.answers["refused"] += 1
                    return
                except httpx.HTTPError as error:
                    self.answers[f"{type(error).__name__}: {error}"] += 1
                else:
                    right = answer.text == '{"predictions":[1.5]}'
                    self.answers["right" if right else answer.text] += 1

    def stop(self) -> Counter[str]:
        self.stopped.set()
        for client in self._clients:
            client.result(timeout=60)
        self._executor.shutdown()
        return self.answers


def add_version(model: str, folder: Path, version: int) -> None:
    shutil.copytree(model, folder / ".new")
    os.rename(folder / ".new", folder / str(version))


def swapped(saved_model: str, folder: Path, versions: int) -> Counter[str]:
    """Serve, replace the version so often, stop the server under load; return what clients saw."""
    models = folder / "m"
    models.mkdir()
    add_version(saved_model, models, 1)
    with running(folder, f"m={models}") as server:
        server.wait_until(lambda: server.get("/v2/health/ready").status_code == 200)
        asking = Asking(server.address, 8)
        for version in range(2, 2 + versions):
            add_version(saved_model, models, version)

            def available(version: int = version) -> bool:
                newest = server.get("/v1/models/m").json()["model_version_status"][0]
                return newest["version"] == str(version) and newest["state"] == "AVAILABLE"

            server.wait_until(available)
            shutil.rmtree(models / str(version - 1))
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=60) == 0
        return asking.stop()


def test_no_request_fails_while_versions_are_replaced_and_the_server_stops(saved_model, tmp_path):
    answers = swapped(saved_model, tmp_path, 2)
    assert answers.pop("right") > 20
    assert answers == {"refused": 8}


@pytest.mark.slow
def test_no_request_fails_over_a_hundred_replaced_versions(saved_model, tmp_path):
    answers = swapped(saved_model, tmp_path, 100)
    assert answers.pop("right") > 1000
    assert answers == {"refused": 8}
