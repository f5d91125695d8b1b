from __future__ import annotations

import os
import sys
from pathlib import Path

import fsspec
import pytest

from penstock.artifacts import Artifact, Integer, location
from penstock.dsl import Component, ExecutionContext, Output, Pipeline, output
from penstock.graph import compile_pipeline
from penstock.launch.attempt import Attempt, RunSettings
from penstock.launch.checkpoints import remove_checkpoints
from penstock.launch.execution import execute
from penstock.testing import ComponentFailed, run_component


class Counts(Component):
    """Counts in its checkpoint folder, and fails until it has been tried so often."""

    succeeds_at: int = 3
    out: Output[Integer] = output()

    def run(self, context: ExecutionContext) -> None:
        file = Path(context.checkpoint_dir, "tries")
        tries = int(file.read_text()) + 1 if file.exists() else 1
        file.write_text(str(tries))
        if tries < self.succeeds_at:
            raise RuntimeError(f"try {tries}")
        self.out.value = tries


class AsksForNone(Component):
    """Does not ask for a checkpoint folder."""

    out: Output[Artifact] = output()

    def run(self, context: ExecutionContext) -> None:
        Path(self.out.uri, "data").write_text(repr(context))


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Let this file's classes be found by name, as those of a project are."""
    monkeypatch.setitem(sys.modules, Counts.__module__, sys.modules[__name__])


@pytest.fixture
def attempt_of(tmp_path):
    count = 0

    def make(node: Component, root: str = "", **given) -> Attempt:
        nonlocal count
        count += 1
        (compiled,) = compile_pipeline(Pipeline("p", components=[node])).nodes
        settings = RunSettings("run/1", "p", root or str(tmp_path / "root"), str(tmp_path))
        system = str(tmp_path / "system")
        return Attempt.laid_out(compiled, settings, count, inputs={}, system_root=system, **given)

    return make


def test_the_next_attempt_of_the_run_finds_what_the_last_one_left(attempt_of) -> None:
    first = execute(attempt_of(Counts(), key_parts={"parameters": {"a": 1}}))
    assert first.error == "RuntimeError: try 1"
    assert execute(attempt_of(Counts(), key_parts={"parameters": {"a": 1}})).error.endswith("try 2")
    last = attempt_of(Counts(), key_parts={"parameters": {"a": 1}})
    assert execute(last).error is None
    assert last.outputs["out"].value == 3
    assert os.listdir(last.checkpoint_dir) == ["tries"]
    assert "root/Counts/.system/checkpoints/run%2F1" in last.checkpoint_dir


def test_what_was_left_under_another_key_is_removed_and_the_log_says_why(attempt_of) -> None:
    execute(attempt_of(Counts(), key_parts={"parameters": {"epochs": 5}}))
    changed = attempt_of(Counts(), key_parts={"parameters": {"epochs": 20}})
    assert execute(changed).error == "RuntimeError: try 1"
    log = Path(changed.log_path).read_text()
    assert (
        "checkpoints of an earlier attempt are not used: parameter epochs changed: 5 -> 20" in log
    )
    again = attempt_of(Counts(), key_parts={"parameters": {"epochs": 20}})
    assert execute(again).error == "RuntimeError: try 2"
    assert not os.path.exists(again.log_path) or "not used" not in Path(again.log_path).read_text()


def test_a_folder_without_a_readable_key_is_not_trusted(attempt_of) -> None:
    attempt = attempt_of(Counts())
    execute(attempt)
    key = Path(f"{attempt.checkpoint_dir}.key.json")
    key.write_text(key.read_text()[:-1])
    again = attempt_of(Counts())
    assert execute(again).error == "RuntimeError: try 1"
    assert "it is not known from which code and data they come" in Path(again.log_path).read_text()


def test_nothing_is_made_for_a_component_that_does_not_ask(attempt_of) -> None:
    attempt = attempt_of(AsksForNone())
    assert execute(attempt).error is None
    assert not os.path.exists(os.path.dirname(attempt.checkpoint_dir))


def test_below_a_root_that_is_not_local_it_is_a_url(attempt_of) -> None:
    class Writes(Component):
        out: Output[Integer] = output()

        def run(self, context: ExecutionContext) -> None:
            location.write_bytes(f"{context.checkpoint_dir}/state", b"1")
            raise RuntimeError("stopped")

    sys.modules[__name__].Writes = Writes
    Writes.__qualname__ = "Writes"
    try:
        attempt = attempt_of(Writes(), root="memory://bucket/root")
        execute(attempt)
        assert attempt.checkpoint_dir.startswith("memory://bucket/root/Writes/.system/checkpoints/")
        assert location.read_bytes(f"{attempt.checkpoint_dir}/state") == b"1"
        remove_checkpoints("memory://bucket/root", "Writes", "run/1")
        assert fsspec.filesystem("memory").find("/bucket/root/Writes/.system") == []
    finally:
        del sys.modules[__name__].Writes
        fsspec.filesystem("memory").store.clear()


def test_run_component_goes_on_and_removes_what_is_not_needed_any_more(tmp_path) -> None:
    for number in (1, 2):
        with pytest.raises(ComponentFailed, match=f"try {number}"):
            run_component(Counts(), tmp_path)
    assert run_component(Counts(), tmp_path)["out"].value == 3
    with pytest.raises(ComponentFailed, match="try 1"):
        run_component(Counts(), tmp_path)
