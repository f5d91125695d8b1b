from __future__ import annotations

import dataclasses
import os
import re
import time
from pathlib import Path

import pytest

from penstock.dsl import Pipeline
from penstock.graph import compile_pipeline
from penstock.launch.attempt import Attempt, RunSettings, output_artifacts
from penstock.runners.local.executor import InProcessExecutor
from penstock.runners.local.worker_pool import WorkerPool


@pytest.fixture
def pool(project):
    pool = WorkerPool(project, 2)
    yield pool
    pool.close()


@pytest.fixture
def attempts(tmp_path, project):
    """Make attempts of nodes, numbered from 1."""
    count = 0

    def make(node, lineage=None) -> Attempt:
        nonlocal count
        count += 1
        (compiled,) = compile_pipeline(Pipeline("pool", components=[node])).nodes
        root = str(tmp_path)
        return Attempt(
            node=compiled,
            settings=RunSettings("run", "pool", root, project),
            execution_id=count,
            number=1,
            inputs={},
            outputs=output_artifacts(compiled, root, count),
            working_dir=f"{root}/{count}/.temp",
            log_path=f"{root}/{count}/log.txt",
            lineage=lineage or {},
        )

    return make


def finish(pool: WorkerPool, count: int = 1) -> list:
    finished = []
    deadline = time.monotonic() + 60
    while len(finished) < count and time.monotonic() < deadline:
        finished += pool.wait(1.0)
    return finished


def execute(pool: WorkerPool, attempt: Attempt):
    pool.submit(attempt)
    (finished,) = finish(pool)
    assert finished.attempt is attempt
    return finished


def value(finished, key: str = "result"):
    assert finished.result is not None, finished.reason
    assert finished.result.error is None, finished.result.traceback
    return finished.result.outputs[key].value


def test_a_process_serves_one_attempt_after_another(pool, attempts, nodes) -> None:
    first = value(execute(pool, attempts(nodes.process(a=1))))
    second = value(execute(pool, attempts(nodes.process(a=2))))
    assert first == second != os.getpid()


def test_attempts_run_at_once_in_processes_of_their_own(pool, attempts, nodes) -> None:
    assert pool.has_room()
    pool.submit(attempts(nodes.process(a=1)))
    assert pool.has_room()
    pool.submit(attempts(nodes.process(a=2)))
    assert not pool.has_room()
    pids = {value(each) for each in finish(pool, 2)}
    assert len(pids) == 2
    assert pool.has_room()


def test_how_far_an_attempt_is_is_told_if_somebody_follows(pool, attempts, nodes) -> None:
    told = []
    value(execute(pool, attempts(nodes.Counts())))
    pool.on_progress = lambda attempt, text: told.append((attempt.execution_id, text))
    value(execute(pool, attempts(nodes.Counts())))
    assert told == [(2, "0 of 3 files"), (2, "3 of 3 files")]


def test_in_this_process_it_is_told_too(attempts, nodes, monkeypatch, project) -> None:
    monkeypatch.syspath_prepend(project)
    executor, told = InProcessExecutor(), []
    executor.on_progress = lambda attempt, text: told.append(text)
    executor.submit(attempts(nodes.Counts()))
    value(executor.wait(None)[0])
    assert told == ["0 of 3 files", "3 of 3 files"]


def test_a_process_serves_one_profile(pool, attempts, nodes) -> None:
    two = value(execute(pool, attempts(nodes.Devices(devices=2))), "pid")
    three = value(execute(pool, attempts(nodes.Devices(devices=3))), "pid")
    assert two != three
    assert value(execute(pool, attempts(nodes.Devices(devices=2))), "pid") == two


def test_idle_processes_of_other_profiles_make_space(pool, attempts, nodes) -> None:
    for devices in range(1, 8):
        value(execute(pool, attempts(nodes.Devices(devices=devices))), "pid")
    assert len(pool._workers) <= 4


def test_the_surroundings_of_a_component(pool, attempts, nodes, project) -> None:
    found = value(execute(pool, attempts(nodes.surroundings(a=1))))
    assert found == [project, "0", None, False]


def test_everything_printed_is_in_the_log(pool, attempts, nodes, capfd) -> None:
    attempt = attempts(nodes.talks(a=1))
    value(execute(pool, attempt))
    log = Path(attempt.log_path).read_text()
    for line in (
        "to standard output\n",
        "to standard error\n",
        "from a child process\n",
        "from native code\n",
        "INFO penstock.node.x: a log record\n",
        "UserWarning: a warning\n",
    ):
        assert line in log
    assert capfd.readouterr() == ("", "")


def test_a_log_that_cannot_be_written_is_lost(pool, attempts, nodes, tmp_path) -> None:
    attempt = attempts(nodes.talks(a=1))
    (tmp_path / "1").write_text("a file where the log's folder should be")
    assert value(execute(pool, attempt)) == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "ends_process",
            r"its process ended with exit status 4 before the component returned",
        ),
        (
            "killed",
            r"killed by SIGKILL \(out of memory\? It used 0\.\d GiB, of [\d.]+ GiB available\)",
        ),
        ("crashes", r"killed by SIGSEGV \(a native library crashed; the log says where\)"),
    ],
)
def test_a_process_that_dies_takes_down_its_attempt(pool, attempts, nodes, name, reason) -> None:
    finished = execute(pool, attempts(getattr(nodes, name)(a=1)))
    assert finished.result is None
    assert re.fullmatch(reason, finished.reason)
    assert value(execute(pool, attempts(nodes.number(value=5)))) == 5


def test_a_component_that_raises_or_exits_has_a_result(pool, attempts, nodes) -> None:
    raised = execute(pool, attempts(nodes.raises(a=1)))
    assert raised.result.error == "ValueError: no such luck"
    assert raised.result.traceback.startswith("Traceback (most recent call last):\n  File ")
    assert raised.result.traceback.count("File ") == 1
    exited = execute(pool, attempts(nodes.exits(a=1)))
    assert exited.result.error == "SystemExit: the component called exit(3)"
    assert len(pool._workers) == 1


def test_a_timeout_ends_the_attempt_and_its_children(pool, attempts, nodes, machine) -> None:
    marker = "73071.1"
    node = nodes.leaves_children(marker=marker, wait=60.0).with_policy(timeout_seconds=0.7)
    attempt = attempts(node)
    began = time.monotonic()
    finished = execute(pool, attempt)
    assert finished.result is None
    assert finished.reason == "timed out after 0.7 s"
    assert time.monotonic() - began < 20
    assert "sample_nodes.py" in Path(attempt.log_path).read_text()
    assert machine.processes_named(marker) == []


def test_the_timeout_begins_with_the_execution(pool, attempts, nodes) -> None:
    node = nodes.number(value=3).with_policy(timeout_seconds=5)
    pool.submit(attempts(node))
    (worker,) = pool._workers
    assert worker.deadline > time.monotonic() + 60
    assert value(finish(pool)[0]) == 3


def test_kill(pool, attempts, nodes) -> None:
    attempt = attempts(nodes.sleeps(seconds=60.0))
    pool.submit(attempt)
    pool.wait(0.5)
    pool.kill(attempt, "enough")
    (finished,) = finish(pool)
    assert (finished.attempt, finished.result, finished.reason) == (attempt, None, "enough")


def test_close_leaves_no_process(attempts, nodes, project, machine) -> None:
    pool = WorkerPool(project, 2)
    marker = "73071.2"
    pool.submit(attempts(nodes.leaves_children(marker=marker, wait=60.0)))
    assert machine.wait_until(lambda: pool.wait(0.05) or len(machine.processes_named(marker)) >= 3)
    keepers = [worker._process for worker in pool._workers]
    pool.close()
    assert all(keeper.poll() is not None for keeper in keepers)
    assert machine.processes_named(marker) == []
    pool.close()
    pool.wake()


def test_a_killed_keeper_takes_its_worker_along(pool, attempts, nodes, tmp_path, machine) -> None:
    started = tmp_path / "pid"
    pool.submit(attempts(nodes.sleeps(seconds=60.0, started=str(started))))
    assert machine.wait_until(lambda: pool.wait(0.05) or (started.exists() and started.read_text()))
    pool._workers[0]._process.kill()
    (finished,) = finish(pool)
    assert finished.reason == "its process was killed from outside, together with its keeper"
    assert machine.wait_until(lambda: not os.path.exists(f"/proc/{started.read_text()}"))


def test_a_large_attempt_does_not_wait_for_a_busy_worker(pool, attempts, nodes) -> None:
    began = time.monotonic()
    pool.submit(attempts(nodes.number(value=9), lineage={"x": "y" * 5_000_000}))
    assert time.monotonic() - began < 2
    assert pool._workers[0].sending
    assert value(finish(pool)[0]) == 9


def test_what_a_worker_cannot_import_is_a_failure_with_a_traceback(
    pool, attempts, nodes, monkeypatch
) -> None:
    # Only this process knows it.
    monkeypatch.setattr(nodes, "only_here", nodes.number, raising=False)
    attempt = attempts(nodes.number(value=1))
    node = dataclasses.replace(attempt.node, component="sample_nodes:only_here")
    attempt = dataclasses.replace(attempt, node=node)
    finished = execute(pool, attempt)
    assert finished.result.error == "ImportError: module 'sample_nodes' has no 'only_here'"
    assert "Traceback" in finished.result.traceback


def test_wake_ends_a_wait(pool) -> None:
    pool.wake()
    began = time.monotonic()
    assert pool.wait(30) == []
    assert time.monotonic() - began < 5


def test_more_profiles_than_space_are_not_warmed_in_turns(attempts, nodes, project) -> None:
    pool = WorkerPool(project, 1)
    try:
        for devices in (1, 2):
            pool._start(pool._profile(attempts(nodes.Devices(devices=devices)).node, {}, ()), ())
        before = list(pool._workers)
        pool._expected = [
            (pool._profile(attempts(nodes.Devices(devices=devices)).node, {}, ()), ())
            for devices in (1, 2, 3)
        ]
        while not all(worker.ready for worker in pool._workers):
            pool.wait(0.2)
        pool._warm_next()
        assert pool._workers == before
    finally:
        pool.close()


@pytest.mark.tensorflow
def test_tensorflow_is_imported_before_it_is_needed(pool, attempts, nodes) -> None:
    one = attempts(nodes.HeavyDevices(devices=1))
    two = attempts(nodes.HeavyDevices(devices=2))
    pool.anticipate([one.node, two.node])
    assert [worker.profile.tensorflow for worker in pool._workers] == [True]
    while not all(worker.ready for worker in pool._workers) or len(pool._workers) < 2:
        pool.wait(1.0)
    first, second = pool._workers
    assert value(execute(pool, one), "pid") != value(execute(pool, two), "pid")
    assert len(pool._workers) == 2
    assert first.profile != second.profile
    assert value(execute(pool, attempts(nodes.HeavyDevices(devices=1))), "pid")
    assert len(pool._workers) == 2
