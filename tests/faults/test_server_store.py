"""Runs whose store is a server: two at once, one that is killed, one that loses its lease."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_lab import PROJECT, Site, gone

from penstock.store import MetadataStore, RunState

pytestmark = pytest.mark.server

_SERVERS = Path(__file__).parents[1] / "store" / "servers.py"

# A lease of two seconds instead of a minute, so that its end can be waited for.
SCRIPT = """
import sys
sys.path.insert(0, {project!r})
import penstock.store.server.row_lease as row_lease
row_lease.LEASE_SECONDS = {lease_seconds}
import sample_nodes as nodes
from penstock.dsl import Pipeline
from penstock.runners.local import LocalDagRunner

number = nodes.number(value=4)
slow = nodes.sleeps(seconds={seconds}, started={started!r})
slow.add_upstream_node(number)
pipeline = Pipeline("faults", pipeline_root={root!r}, components=[number, slow])
runner = LocalDagRunner(store={store!r}, progress="none", max_parallel=2)
runner.run(pipeline, project_root={project!r}, run_id={run_id!r})
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    pytest.importorskip("psycopg")
    spec = importlib.util.spec_from_file_location("fault_servers", _SERVERS)
    assert spec is not None
    assert spec.loader is not None
    servers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(servers)
    try:
        with servers.postgresql() as url:
            yield url
    except servers.Absent as absent:
        pytest.skip(str(absent))


@pytest.fixture
def far_site(tmp_path, server) -> Site:
    import psycopg

    name = f"faults_{os.getpid()}_{time.monotonic_ns()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    site = Site(tmp_path)
    site.store = server.rpartition("/")[0] + "/" + name
    return site


def start(site: Site, tmp_path: Path, run_id: str, *, seconds: float, lease_seconds: float = 2.0):
    script = SCRIPT.format(
        project=str(PROJECT),
        root=site.root,
        store=site.store,
        run_id=run_id,
        seconds=seconds,
        started=str(tmp_path / run_id),
        lease_seconds=lease_seconds,
    )
    environment = {**os.environ, "PENSTOCK_FAULT_MARKER": f"{tmp_path.name}-{run_id}"}
    return subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE, text=True
    )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)


def test_two_runs_at_once(far_site, tmp_path) -> None:
    runs = [start(far_site, tmp_path, f"r{number}", seconds=0.3) for number in range(2)]
    for run in runs:
        _, said = run.communicate(timeout=60)
        assert run.returncode == 0, said
    far_site.check()


def test_a_killed_run_is_resumed_when_its_lease_has_ended(far_site, tmp_path) -> None:
    run = start(far_site, tmp_path, "r1", seconds=600)
    wait_for(tmp_path / "r1")
    run.send_signal(signal.SIGKILL)
    run.communicate()
    assert gone(f"{tmp_path.name}-r1")
    with MetadataStore.open(far_site.store) as store:
        assert store.run_states("r1")["sleeps"].state.name == "RUNNING"
        deadline = time.monotonic() + 20
        while store.is_held("r1"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    other = start(far_site, tmp_path, "r2", seconds=0.1)
    _, said = other.communicate(timeout=60)
    assert other.returncode == 0, said
    far_site.check()
    with MetadataStore.open(far_site.store) as store:
        assert store.get_run("r1").state is RunState.FAILED


def test_a_run_that_lost_its_lease_publishes_nothing(far_site, tmp_path) -> None:
    """It was suspended for longer than its lease lasts, and another took it over."""
    run = start(far_site, tmp_path, "r1", seconds=8)
    wait_for(tmp_path / "r1")
    run.send_signal(signal.SIGSTOP)
    time.sleep(3.0)
    other = start(far_site, tmp_path, "r2", seconds=0.1)
    _, said = other.communicate(timeout=60)
    assert other.returncode == 0, said
    run.send_signal(signal.SIGCONT)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "RunFailed" in said
    assert gone(f"{tmp_path.name}-r1")
    with MetadataStore.open(far_site.store) as store:
        assert store.get_run("r1").state is RunState.FAILED
        assert store.run_states("r1")["sleeps"].state.name == "FAILED"
    far_site.check()
