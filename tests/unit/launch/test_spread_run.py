from __future__ import annotations

import dataclasses
import threading
import time
from pathlib import Path

import pytest

from penstock.artifacts import Integer
from penstock.dsl import Input, Output, Pipeline, component
from penstock.graph import Graph, compile_pipeline
from penstock.launch import spread_run
from penstock.launch.recovery import recover
from penstock.store import (
    ExecutionRecord,
    ExecutionState,
    MetadataStore,
    RunRecord,
    RunState,
)
from penstock.store.leases import UNHEARD

COMPLETE, CACHED, FAILED, CANCELED, RUNNING = (
    ExecutionState[name] for name in ("COMPLETE", "CACHED", "FAILED", "CANCELED", "RUNNING")
)


@component
def one(number: Output[Integer]) -> None:
    number.value = 1


@component
def two(number: Input[Integer], twice: Output[Integer]) -> None:
    twice.value = 2 * number.value


def graph(retries: int = 0) -> Graph:
    first = one()
    second = two(number=first.outputs["number"]).with_policy(retries=retries)
    return compile_pipeline(Pipeline("p", None, [first, second]))


def executions(*states: tuple[str, ExecutionState]) -> list[ExecutionRecord]:
    counts: dict[str, int] = {}
    found = []
    for number, (node, state) in enumerate(states, 1):
        counts[node] = counts.get(node, 0) + 1
        error = "it broke" if state in (FAILED, CANCELED) else None
        found.append(ExecutionRecord(number, "r", "p", node, "t", state, counts[node], error=error))
    return found


@pytest.mark.parametrize(
    ("retries", "states", "expected"),
    [
        (0, [], (RunState.RUNNING, None)),
        (0, [("one", RUNNING)], (RunState.RUNNING, None)),
        (0, [("one", COMPLETE)], (RunState.RUNNING, None)),
        (0, [("one", CACHED), ("two", COMPLETE)], (RunState.COMPLETE, None)),
        (0, [("one", FAILED)], (RunState.FAILED, "one: it broke")),
        (0, [("one", COMPLETE), ("two", FAILED)], (RunState.FAILED, "two: it broke")),
        (0, [("one", COMPLETE), ("two", CANCELED)], (RunState.CANCELED, "two: it broke")),
        (1, [("one", COMPLETE), ("two", FAILED)], (RunState.RUNNING, None)),
        (1, [("one", COMPLETE), ("two", FAILED), ("two", RUNNING)], (RunState.RUNNING, None)),
        (1, [("one", COMPLETE), ("two", FAILED), ("two", COMPLETE)], (RunState.COMPLETE, None)),
        (1, [("one", COMPLETE), ("two", FAILED), ("two", FAILED)], (RunState.FAILED, "two: it broke")),
        (0, [("one", COMPLETE), ("two", FAILED), ("two", COMPLETE)], (RunState.COMPLETE, None)),
    ],
)  # fmt: skip
def test_the_state_of_a_run_follows_from_its_attempts(retries, states, expected):
    found = executions(*states)
    alive = [each.id for each in found if each.state is RUNNING]
    assert spread_run.state_of(graph(retries), found, alive) == expected


def test_a_node_whose_container_is_gone_has_failed():
    found = executions(("one", RUNNING))
    assert spread_run.state_of(graph(), found, []) == (
        RunState.FAILED,
        "one: its container is gone",
    )


def test_a_run_that_was_stopped_is_canceled_when_nothing_runs():
    found = executions(("one", COMPLETE), ("two", RUNNING))
    assert spread_run.state_of(graph(), found, [2], stopped=True)[0] is RunState.RUNNING
    assert spread_run.state_of(graph(), found[:1], [], stopped=True)[0] is RunState.CANCELED


def record(retries: int = 0) -> RunRecord:
    of = graph(retries)
    return RunRecord("r", "p", time.time(), of.digest, of.to_text(), labels={"runner": "kubeflow"})


def begin(store: MetadataStore, node: str, lease: str, attempt: int = 1) -> int:
    return store.register_execution(
        run_id="r", node_id=node, type_name="t", lease=lease, attempt=attempt
    )


def test_a_run_is_running_between_its_containers_and_ends_with_the_last(tmp_path: Path) -> None:
    with MetadataStore.open(tmp_path / "m.db") as store:
        for node in ("one", "two"):
            with store.acquire_lease(node):
                spread_run.join(store, record())
                execution = begin(store, node, node)
                assert spread_run.settle(store, "r") is RunState.RUNNING
                store.publish(execution, {})
                state = spread_run.settle(store, "r")
            assert state is (RunState.RUNNING if node == "one" else RunState.COMPLETE)
            assert recover(store) == []
            assert store.get_run("r").state is state
        assert store.get_run("r").finished is not None


def test_containers_that_end_at_once_leave_a_run_that_has_ended(tmp_path: Path) -> None:
    with MetadataStore.open(tmp_path / "m.db") as store:
        spread_run.join(store, record())

    def container(node: str) -> None:
        with MetadataStore.open(tmp_path / "m.db") as store, store.acquire_lease(node):
            spread_run.join(store, record())
            execution = begin(store, node, node)
            barrier.wait(20)
            store.publish(execution, {})
            spread_run.settle(store, "r")

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=container, args=[node]) for node in ("one", "two")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    with MetadataStore.open(tmp_path / "m.db") as store:
        assert store.get_run("r").state is RunState.COMPLETE


def test_any_container_may_bring_the_graph(tmp_path: Path) -> None:
    with MetadataStore.open(tmp_path / "m.db") as store:
        spread_run.join(store, dataclasses.replace(record(), graph_json=""))
        assert spread_run.settle(store, "r") is RunState.RUNNING
        spread_run.join(store, record())
        spread_run.join(store, record())
        assert store.get_run("r").graph_json == record().graph_json


def test_recovery_settles_the_run_of_a_container_that_was_killed(tmp_path: Path) -> None:
    with MetadataStore.open(tmp_path / "m.db") as store:
        spread_run.join(store, record())
        begin(store, "one", "gone")
        run = store.get_run("r")
        assert spread_run.current_state(store, run) is RunState.FAILED
        recover(store)
        run = store.get_run("r")
        assert (run.state, run.error) == (
            RunState.FAILED,
            "one: killed: the process that ran it is gone",
        )


def test_a_run_that_nobody_has_heard_of_for_long_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MetadataStore.open(tmp_path / "m.db") as store:
        monkeypatch.setattr(spread_run, "WAIT_SECONDS", -1.0)
        spread_run.join(store, record())
        recover(store)
        run = store.get_run("r")
        assert (run.state, run.error) == (RunState.FAILED, UNHEARD)
        monkeypatch.undo()
        spread_run.join(store, record())
        assert store.get_run("r").state is RunState.RUNNING


def test_no_node_of_a_run_that_was_stopped_begins(tmp_path: Path) -> None:
    with MetadataStore.open(tmp_path / "m.db") as store:
        spread_run.join(store, record())
        store.request_stop("r")
        with pytest.raises(spread_run.RunStopped, match="was stopped by `penstock stop`"):
            spread_run.join(store, record())
        assert spread_run.settle(store, "r") is RunState.CANCELED


def test_one_container_brings_the_graph_for_all(tmp_path: Path) -> None:
    with MetadataStore.open(tmp_path / "m.db") as store:
        spread_run.join(store, dataclasses.replace(record(), graph_json=""))
        assert store.get_run("r").graph_json == ""
        for node in ("two", "one"):
            with store.acquire_lease(node):
                if node == "one":
                    spread_run.join(store, record())
                store.publish(begin(store, node, node), {})
                state = spread_run.settle(store, "r")
            # Without the graph nobody knows what else is to run.
            assert state is (RunState.RUNNING if node == "two" else RunState.COMPLETE)
        assert store.get_run("r").graph_json == graph().to_text()
