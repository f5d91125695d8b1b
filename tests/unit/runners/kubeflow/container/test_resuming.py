"""Checkpoints and epochs of a node in a container, with a store and without."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import fsspec
import pytest

from penstock.artifacts import Integer, location
from penstock.dsl import Component, ExecutionContext, Output, Pipeline, output
from penstock.graph import compile_pipeline
from penstock.launch.attempt import Attempt, AttemptResult, RunSettings
from penstock.launch.execution import execute
from penstock.progress import report_epoch
from penstock.runners.kubeflow.container.recorded import describe_run, recorded
from penstock.runners.kubeflow.container.storeless import StorelessLauncher
from penstock.store import MetadataStore


class Trains(Component):
    """Goes on where an earlier pod was, which fails after its second epoch."""

    result: Output[Integer] = output()

    def run(self, context: ExecutionContext) -> None:
        file = f"{context.checkpoint_dir}/epoch"
        done = int(location.read_bytes(file)) if location.exists(file) else 0
        for epoch in range(done + 1, 4):
            location.write_bytes(file, str(epoch).encode())
            report_epoch(epoch, {"loss": 1 / epoch})
            if epoch == 2:
                raise RuntimeError("preempted")
        self.result.value = done


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this file's class be found by name; pods that share a bucket."""
    monkeypatch.setitem(sys.modules, Trains.__module__, sys.modules[__name__])
    yield
    fsspec.filesystem("memory").store.clear()


def settings(tmp_path: Path) -> RunSettings:
    return RunSettings("run-1", "p", "memory://bucket/root", str(tmp_path))


def on_this_machine(attempt: Attempt, folder: Path) -> Attempt:
    """Return the attempt with a local log and scratch folder, as a container's entry point does."""
    log, scratch = str(folder / "log.txt"), str(folder / "scratch")
    return dataclasses.replace(attempt, log_path=log, working_dir=scratch)


def left() -> list[str]:
    return [name for name in fsspec.filesystem("memory").find("/bucket") if "checkpoints" in name]


def outcome(result: AttemptResult) -> str | int:
    return result.error or result.outputs["result"].value  # type: ignore[attr-defined]


def test_the_next_pod_goes_on_and_the_store_has_the_epochs_of_both(tmp_path: Path) -> None:
    graph = compile_pipeline(Pipeline("p", components=[Trains()]))
    (node,) = graph.nodes
    url = f"sqlite:///{tmp_path}/metadata.db"

    def pod() -> str | int:
        given = settings(tmp_path)
        run = describe_run("p", given, graph.to_text(), {})
        with recorded(url, graph, given, run, {}) as launcher:
            attempt = launcher.begin(node)

            def epoch(number: int, metrics: Mapping[str, float]) -> None:
                launcher.epoch_reported(attempt, number, metrics)

            result = execute(on_this_machine(attempt, tmp_path), None, epoch)
            if result.error is None:
                launcher.publish(attempt, result)
            else:
                launcher.fail(attempt, result.error, result)
            return outcome(result)

    assert pod() == "RuntimeError: preempted"
    assert [name.rpartition("/")[2] for name in left()] == ["run-1.key.json", "epoch"]
    assert pod() == 2
    assert left() == []
    with MetadataStore.open(url) as store:
        epochs = store.run_epochs("run-1")["Trains"]
    assert [(each.epoch, each.execution_id) for each in epochs] == [(1, 1), (2, 1), (3, 2)]


def test_without_a_store_the_next_pod_goes_on_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (node,) = compile_pipeline(Pipeline("p", components=[Trains()])).nodes

    def pod() -> str | int:
        launcher = StorelessLauncher(settings(tmp_path), [])
        attempt = launcher.begin(node)
        result = execute(
            on_this_machine(attempt, tmp_path),
            None,
            lambda number, metrics: launcher.epoch_reported(attempt, number, metrics),
        )
        if result.error is None:
            launcher.publish(attempt, result)
        else:
            launcher.fail(attempt, result.error, result)
        return outcome(result)

    assert pod() == "RuntimeError: preempted"
    assert len(left()) == 2
    assert pod() == 2
    assert left() == []
    assert capsys.readouterr().err.splitlines() == [
        "Trains: epoch 1: loss 1",
        "Trains: epoch 2: loss 0.5",
        "Trains: epoch 3: loss 0.3333",
    ]
