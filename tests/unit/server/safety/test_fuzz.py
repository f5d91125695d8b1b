"""Requests by the thousand that nobody should send: no crash, no fault of the server's own, no leak."""

from __future__ import annotations

import re
import shutil
import threading
from collections import Counter

import pytest

from ..conftest import running
from .fuzz import Fuzzer, use_of

pytestmark = [pytest.mark.tensorflow, pytest.mark.processes]


def _fuzz(server, count: int, seed: int, clients: int) -> tuple[Counter[str], list[str]]:
    fuzzers = [
        Fuzzer(server.address, server.grpc_address, 1000 * seed + client)
        for client in range(clients)
    ]
    threads = [threading.Thread(target=each.run, args=(count // clients,)) for each in fuzzers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum((each.answers for each in fuzzers), Counter()), [
        fault for each in fuzzers for fault in each.faults
    ]


def _check(server, answers, faults, count) -> None:
    log = server.log.read_text(errors="replace")  # TensorFlow quotes what it was sent
    errors = Counter(re.findall(r"^\w[\w.]*Error: .*", log, re.MULTILINE))
    told = [f"{len(faults)} faults, such as:", *faults[:5], *map(str, errors.most_common(20))]
    assert not faults, "\n".join(told)
    assert sum(answers.values()) == count
    assert answers["http 200"] > count / 100
    assert answers["http 400"] > count / 10
    assert answers["grpc INVALID_ARGUMENT"] > count / 20
    assert server.process.poll() is None
    assert server.get("/v2/health/ready").status_code == 200
    body = '{"signature_name": "halve", "instances": [1.0]}'
    assert server.post("/v1/models/m:predict", content=body).json() == {"predictions": [0.5]}
    assert "Traceback" not in server.log.read_text(errors="replace")


def test_a_few_thousand(server):
    answers, faults = _fuzz(server, 2_000, 1, 2)
    _check(server, answers, faults, 2_000)


CONFIG = """
[models.m]
folder = "m"
versions = "all"
[models.m.traffic]
split = {3 = 0.5, 4 = 0.3, nothing = 0.2}
shadow = {4 = 0.5}
key = "feature:kind"
[models.m.request_log]
folder = "requests"
mask = ["n"]
file_bytes = 1_000_000
"""


@pytest.fixture
def busy_server(saved_model, tmp_path):
    """A server that divides, shadows and logs what it is asked."""
    for version in ("3", "4"):
        shutil.copytree(saved_model, tmp_path / "m" / version)
    (tmp_path / "serve.toml").write_text(CONFIG)
    with running(tmp_path, "--config", "serve.toml") as started:
        started.wait_until(lambda: started.get("/v2/health/ready").status_code == 200)
        yield started


@pytest.mark.slow
def test_a_hundred_thousand(busy_server):
    server = busy_server
    _fuzz(server, 10_000, 2, 8)
    before = use_of(server.process.pid)

    answers, faults = _fuzz(server, 100_000, 3, 8)

    _check(server, answers, faults, 100_000)
    after = use_of(server.process.pid)
    assert after.megabytes - before.megabytes < 100, (before, after)
    assert after.files - before.files < 50, (before, after)
    assert after.threads - before.threads < 30, (before, after)
    print(answers, before, after)
