from __future__ import annotations

import json
import logging
import os
import random
from pathlib import Path

import pytest

from penstock.artifacts import Artifact, Integer
from penstock.dsl import Component, ExecutionContext, Output, Pipeline, output
from penstock.graph import compile_pipeline
from penstock.launch.attempt import Attempt, AttemptResult, RunSettings, output_artifacts
from penstock.launch.execution import execute
from penstock.launch.seeding import seed_everything


class Scratch(Component):
    """Uses its scratch folder and its log, and reports metrics."""

    fail: bool = False
    out: Output[Artifact] = output()
    maybe: Output[Integer] = output(optional=True)

    def run(self, context: ExecutionContext) -> None:
        scratch = Path(context.working_dir)
        (scratch / "part").write_text("x")
        assert context.working_dir == str(scratch)
        context.log.info("said by %s", context.node_id)
        context.report_metrics({"loss": 0.5})
        (Path(self.out.uri) / "data").write_text("x" * 10)
        self.out.custom_properties["rows"] = 3
        if self.fail:
            raise KeyError("gone")


class Random(Component):
    """Draws a number."""

    out: Output[Integer] = output()

    def run(self, context: ExecutionContext) -> None:
        self.out.value = random.randrange(10**9)


@pytest.fixture
def attempt_of(tmp_path, sample_project):
    count = 0

    def make(node, **settings) -> Attempt:
        nonlocal count
        count += 1
        (compiled,) = compile_pipeline(Pipeline("p", components=[node])).nodes
        root = str(tmp_path)
        system = f"{root}/{compiled.id}/.system/executor_execution/{count}"
        return Attempt(
            node=compiled,
            settings=RunSettings("r", "p", root, sample_project, **settings),
            execution_id=count,
            number=1,
            inputs={},
            outputs=output_artifacts(compiled, root, count),
            working_dir=f"{system}/.temp",
            log_path=f"{system}/log.txt",
        )

    return make


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Let this file's classes be found by name, as those of a project are."""
    import sys

    monkeypatch.setitem(sys.modules, Scratch.__module__, sys.modules[__name__])


def test_a_component_that_succeeds(attempt_of) -> None:
    attempt = attempt_of(Scratch())
    result = execute(attempt)
    assert result.error is None, result.traceback
    assert list(result.outputs) == ["out"]
    assert result.outputs["out"].custom_properties["rows"] == 3
    assert len(result.outputs["out"].fingerprint) == 64
    assert result.metrics == {"loss": 0.5}
    assert result.usage.bytes_written == 10
    assert result.usage.wall_seconds > 0
    assert result.usage.peak_rss_bytes > 1_000_000
    assert not os.path.exists(attempt.working_dir)
    assert "INFO penstock.node.Scratch: said by Scratch" in Path(attempt.log_path).read_text()


def test_an_optional_output_that_is_not_written_is_left_out(attempt_of) -> None:
    attempt = attempt_of(Scratch())
    execute(attempt)
    assert not os.path.exists(attempt.outputs["maybe"].uri.removesuffix("/value"))


def test_a_component_that_raises_leaves_its_log_only(attempt_of) -> None:
    attempt = attempt_of(Scratch(fail=True))
    result = execute(attempt)
    assert result.outputs == {}
    assert result.error == "KeyError: 'gone'"
    assert result.traceback.count('File "') == 1
    assert not os.path.exists(attempt.outputs["out"].uri)
    assert not os.path.exists(attempt.working_dir)
    assert Path(attempt.log_path).read_text().endswith("KeyError: 'gone'\n")


def test_a_component_without_a_word_makes_no_log(attempt_of, nodes) -> None:
    attempt = attempt_of(nodes.number(value=3))
    assert execute(attempt).error is None
    assert not os.path.exists(os.path.dirname(attempt.log_path))


def test_logging_is_left_as_it_was(attempt_of) -> None:
    before = list(logging.getLogger().handlers), logging.getLogger("penstock.node").level
    execute(attempt_of(Scratch()))
    assert (list(logging.getLogger().handlers), logging.getLogger("penstock.node").level) == before


def test_an_interrupt_passes(attempt_of, monkeypatch) -> None:
    def interrupt(self, context) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Scratch, "run", interrupt)
    attempt = attempt_of(Scratch())
    with pytest.raises(KeyboardInterrupt):
        execute(attempt)
    assert not os.path.exists(attempt.outputs["out"].uri)


def test_the_seed_decides(attempt_of) -> None:
    draws = [execute(attempt_of(Random(), seed=seed)).outputs["out"].value for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_without_a_seed_nothing_is_seeded() -> None:
    random.seed(5)
    expected = random.random()
    random.seed(5)
    seed_everything(None, False, False)
    assert random.random() == expected


def test_attempt_and_result_survive_json(attempt_of) -> None:
    attempt = attempt_of(Scratch(), seed=3, deterministic=True)
    again = Attempt.from_json(json.loads(json.dumps(attempt.to_json())))
    assert again.to_json() == attempt.to_json()
    assert type(again.outputs["maybe"]) is Integer
    result = execute(again)
    assert AttemptResult.from_json(json.loads(json.dumps(result.to_json()))).to_json() == (
        result.to_json()
    )
