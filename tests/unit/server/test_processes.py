"""A server in several processes."""

from __future__ import annotations

import os
import shutil
import signal
import socket

import httpx
import psutil
import pytest

from penstock.server.config import Batching, ModelSource, ServerConfig
from penstock.server.processes import bound_socket, reserved_ports, share_of
from penstock.server.safety.limits import Limits

from .conftest import running

HALVE = {"signature_name": "halve", "instances": [3.0]}


def config(**settings) -> ServerConfig:
    return ServerConfig((ModelSource("m", "m"),), **settings)


def test_what_is_for_all_processes_is_divided():
    limits = Limits(connections=100, pending_bytes=1 << 30, body_bytes=1 << 20)
    whole = config(processes=3, max_concurrent=10, batching=Batching(threads=4), limits=limits)
    share = share_of(whole)
    assert (share.max_concurrent, share.batching.threads) == (4, 2)
    assert (share.limits.connections, share.limits.pending_bytes) == (34, -(-(1 << 30) // 3))
    assert share.processes == 3
    small = share_of(config(processes=2, limits=Limits(pending_bytes=100, body_bytes=80)))
    assert small.limits.pending_bytes == 80  # a request of the largest size is still taken


def test_a_server_has_at_least_one_process():
    with pytest.raises(ValueError, match=r"processes must be 1 or more. Received: 0"):
        config(processes=0)


def test_ports_are_held_for_processes_and_not_shared_with_others():
    with reserved_ports(config(port=0, grpc_port=0, processes=2)) as ports:
        port, grpc_port = ports
        assert port != grpc_port
        with bound_socket("127.0.0.1", port, shared=True) as first:
            first.listen()
            with bound_socket("127.0.0.1", port, shared=True) as second:
                second.listen()
            socket.create_connection(("127.0.0.1", port)).close()
            taken = rf"cannot listen at 127\.0\.0\.1, port {port}: Address"
            with pytest.raises(OSError, match=taken), reserved_ports(config(port=port)):
                pass


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.processes
def test_several_processes_answer_count_together_are_replaced_and_drained(saved_model, tmp_path):
    shutil.copytree(saved_model, tmp_path / "m" / "1")
    with running(tmp_path, "m=m", "--no-grpc", "--processes", "2") as server:
        assert server.get("/v2/health/ready").status_code == 200  # who listens answers
        children = psutil.Process(server.process.pid).children()
        assert len(children) == 2

        def ask(count: int) -> None:
            for _ in range(count):  # each on a connection of its own
                answer = server.post("/v1/models/m:predict", json=HALVE)
                assert answer.json() == {"predictions": [1.5]}, answer.text

        ask(40)
        counted = 'penstock_requests_total{code="200",door="rest",model="m"} '
        for _ in range(5):
            lines = server.get("/metrics").text.splitlines()
            assert counted + "40.0" in lines
            assert 'penstock_queued_rows{model="m",version="1"} 0.0' in lines
        os.kill(children[0].pid, signal.SIGKILL)
        children[0].wait(30)

        def asked_by_two() -> bool:
            return len(psutil.Process(server.process.pid).children()) == 2

        server.wait_until(asked_by_two)
        server.wait_until(lambda: server.log.read_text().count("is available") == 3)
        ask(20)
        assert "was killed by SIGKILL" in server.log.read_text()
        with httpx.Client(base_url=server.address) as client:
            assert client.get("/v2/health/ready").status_code == 200
            server.process.send_signal(signal.SIGTERM)
            assert client.post("/v1/models/m:predict", json=HALVE).json() == {"predictions": [1.5]}
        assert server.process.wait(timeout=60) == 0
        assert not any(each.is_running() for each in children[1:])
