"""The verbs that look at runs, on a run whose nodes are in containers of a cluster."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from penstock.artifacts import Integer
from penstock.cli import main
from penstock.dsl import Input, Output, Pipeline, component
from penstock.graph import compile_pipeline
from penstock.launch import spread_run
from penstock.store import MetadataStore, RunRecord


@component
def one(number: Output[Integer]) -> None:
    number.value = 1


@component
def two(number: Input[Integer], twice: Output[Integer]) -> None:
    twice.value = 2 * number.value


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A store with a run whose first node is complete and whose second one runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PENSTOCK_STORE", f"{tmp_path}/m.db")
    first = one()
    graph = compile_pipeline(Pipeline("p", None, [first, two(number=first.outputs["number"])]))
    run = RunRecord(
        "r", "p", time.time(), graph.digest, graph.to_text(), root=str(tmp_path),
        labels={"runner": "kubeflow"},
    )  # fmt: skip
    with MetadataStore.open(tmp_path / "m.db") as store:
        spread_run.join(store, run)
        for node in ("one", "two"):
            store.hold(node, 60)
            store.register_execution(
                run_id="r",
                node_id=node,
                type_name="t",
                lease=node,
                log_path=f"memory://logs/{node}/{{execution_id}}",
            )
        store.publish(1, {})
        yield store


def states(capsys: pytest.CaptureFixture[str]) -> tuple[str, dict[str, str]]:
    capsys.readouterr()
    assert main(["show", "r", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["runs", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["state"] == found["state"]
    return found["state"], {node["id"]: node["state"] for node in found["nodes"]}


def test_a_node_whose_container_is_gone_is_seen_before_anybody_records_it(store, capsys):
    assert states(capsys) == ("RUNNING", {"one": "COMPLETE", "two": "RUNNING"})
    store.hold("two", -1)
    assert states(capsys) == ("FAILED", {"one": "COMPLETE", "two": "KILLED"})


def test_how_to_go_on_is_said_in_the_cluster_s_words(store, capsys):
    store.fail(2, "no luck")
    spread_run.settle(store, "r")
    assert main(["show", "r"]) == 0
    shown = capsys.readouterr().out
    assert "go on with  Retry on the run's page in Kubeflow" in shown
    assert "penstock resume" not in shown
    assert main(["resume", "r"]) != 0
    assert "choose Retry on the run's page in Kubeflow" in capsys.readouterr().err


def test_it_is_stopped(store, capsys):
    assert main(["stop", "r", "--wait", "0"]) == 0
    assert "was asked to stop" in capsys.readouterr().out
    assert states(capsys)[0] == "RUNNING"
    store.cancel(2, "stopped by `penstock stop`")
    spread_run.settle(store, "r")
    assert states(capsys) == ("CANCELED", {"one": "COMPLETE", "two": "CANCELED"})
    assert main(["show", "r"]) == 0
    assert "go on with  a new run in Kubeflow" in capsys.readouterr().out


def test_a_log_behind_a_url_is_printed(store, capsys):
    import fsspec

    assert main(["logs", "r", "two"]) != 0
    assert "two is still running: memory://logs/two/2 is written when it ends" in (
        capsys.readouterr().err
    )
    files = fsspec.filesystem("memory")
    files.pipe_file("/logs/one/1", b"computed\n")
    try:
        assert main(["logs", "r", "one"]) == 0
    finally:
        files.store.clear()
    assert capsys.readouterr().out == "computed\n"
