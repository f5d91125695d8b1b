from __future__ import annotations

import os
from pathlib import Path

import pytest

from penstock.artifacts import Artifact, Integer
from penstock.artifacts.fingerprint import fingerprint
from penstock.dsl import Pipeline
from penstock.graph import compile_pipeline
from penstock.launch.recovery import idle_since, intact, recover
from penstock.store import MetadataStore, RunRecord, RunState


@pytest.fixture
def store(tmp_path):
    with MetadataStore.open(tmp_path / "metadata.db") as store:
        yield store


def begin(store, tmp_path, nodes, run_id: str) -> int:
    """Leave what a process leaves that dies while it runs a node."""
    graph = compile_pipeline(Pipeline("p", components=[nodes.number(value=1)]))
    root = str(tmp_path / "root")
    store.create_run(
        RunRecord(
            run_id, "p", 1.0, graph_digest=graph.digest, graph_json=graph.to_text(), root=root
        )
    )
    system = f"{root}/number/.system/executor_execution"
    execution_id = store.register_execution(
        run_id=run_id,
        node_id="number",
        type_name="sample_nodes.number",
        log_path=f"{system}/{{execution_id}}/log.txt",
    )
    os.makedirs(f"{root}/number/result/{execution_id}")
    os.makedirs(f"{system}/{execution_id}/.temp")
    Path(f"{system}/{execution_id}/log.txt").write_text("its log")
    return execution_id


def test_what_a_dead_process_left_is_removed(store, tmp_path, nodes) -> None:
    dead = begin(store, tmp_path, nodes, "dead")
    assert recover(store) == ["dead"]
    assert os.listdir(tmp_path / "root/number/result") == []
    assert os.listdir(tmp_path / f"root/number/.system/executor_execution/{dead}") == ["log.txt"]
    assert store.get_run("dead").state is RunState.FAILED
    assert store.get_execution(dead).state.name == "FAILED"
    assert store.get_execution(dead).error.startswith("killed")
    assert recover(store) == []


def test_what_belongs_to_a_live_process_is_left_alone(store, tmp_path, nodes) -> None:
    with MetadataStore.open(tmp_path / "metadata.db") as other, other.acquire_lease("live"):
        live = begin(other, tmp_path, nodes, "live")
        dead = begin(store, tmp_path, nodes, "dead")
        assert recover(store) == ["dead"]
        assert os.listdir(tmp_path / "root/number/result") == [str(live)]
        assert store.get_execution(live).state.name == "RUNNING"
        assert store.get_execution(dead).state.name == "FAILED"


def test_a_run_that_died_before_its_first_node(store) -> None:
    store.create_run(RunRecord("dead", "p", 1.0))
    assert recover(store) == ["dead"]
    assert store.get_run("dead").state is RunState.FAILED


def test_dying_between_folders_and_rows_leaves_the_rest_to_the_next(
    store, tmp_path, nodes, monkeypatch
) -> None:
    dead = begin(store, tmp_path, nodes, "dead")

    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(store, "take_over_dead", die)
        recover(store)
    assert os.listdir(tmp_path / "root/number/result") == []
    assert store.get_execution(dead).state.name == "RUNNING"
    assert recover(store) == ["dead"]


def test_intact(tmp_path) -> None:
    (tmp_path / "data").write_text("x")
    digest, _ = fingerprint(str(tmp_path))
    artifact = Artifact(str(tmp_path), fingerprint=digest)
    assert intact({"a": [artifact], "b": []})
    (tmp_path / "more").write_text("y")
    assert not intact({"a": [artifact]})
    assert not intact({"a": [Integer(str(tmp_path / "nothing"), fingerprint=digest)]})
    assert intact({"a": [Artifact(str(tmp_path))]}), "TFX keeps no fingerprints"


def test_since_when_nobody_works_on_a_killed_run(store, tmp_path, nodes) -> None:
    dead = begin(store, tmp_path, nodes, "dead")
    started = store.get_execution(dead).started
    assert idle_since(store, store.get_run("dead")) == started
    recover(store)
    assert idle_since(store, store.get_run("dead")) is None
