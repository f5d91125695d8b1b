"""The contract suite of runners: the same pipelines come to the same end on each.

A runner decides when and where a node runs, never how. So the suite asserts the results of each
pipeline, down to the fingerprints of its artifacts, and knows only `run` of a runner.
"""

# The names of the tests say what they assert.
# ruff: noqa: D102

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from penstock.checks.finding import CheckFailed
from penstock.dsl import Pipeline
from penstock.runners.result import NodeState, RunFailed, RunResult
from penstock.testing import runner_pipelines


def fingerprints(result: RunResult) -> dict[str, dict[str, list[str | None]]]:
    """Return the fingerprints of a run's artifacts, by node and key."""
    return {
        node.id: {
            key: [artifact.fingerprint for artifact in artifacts]
            for key, artifacts in sorted(node.outputs.items())
            if artifacts
        }
        for node in sorted(result.nodes.values(), key=lambda node: node.id)
    }


def states(result: RunResult) -> dict[str, NodeState]:
    """Return how each node ended."""
    return {node.id: node.state for node in result.nodes.values()}


class RunnerContract:
    """The suite, for a runner's test class to inherit.

    Attributes:
        remembers: Whether a resolver finds what earlier runs published.
    """

    remembers: ClassVar[bool] = True

    def run(
        self,
        pipeline: Pipeline,
        project: Path,
        *,
        parameters: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> RunResult:
        """Run a pipeline; artifacts and store lie in the folder `project`.

        Raises:
            CheckFailed: If the runner sees beforehand that a node would fail.
            RunFailed: If a node failed.
        """
        raise NotImplementedError

    def test_values_and_artifacts_pass_from_node_to_node(self, tmp_path: Path) -> None:
        result = self.run(runner_pipelines.values(), tmp_path, parameters={"rows": 2, "scale": 0.5})
        examples = result.artifact("write_examples", "examples")
        assert examples.splits == ["train", "eval"]
        assert examples.properties["span"] == 3
        facts = {
            key: result.artifact("summarize", key).value for key in result["summarize"].outputs
        }
        row = "row {{$}} $(HOME)"
        assert facts == {
            "total": 4,
            "mean": 0.5 * len(f"{row} 0\n{row} 1\n"),
            "text": f"{row} 0",
            "even": True,
            "names": {"splits": ["train", "eval"], "span": 3},
        }

    def test_runtime_parameters_have_defaults(self, tmp_path: Path) -> None:
        result = self.run(runner_pipelines.values(), tmp_path)
        assert result.artifact("write_examples", "result").value == 8

    def test_one_input_reads_several_nodes_in_order(self, tmp_path: Path) -> None:
        result = self.run(runner_pipelines.several(), tmp_path)
        joined = result.artifact("join", "joined")
        assert Path(joined.uri, "words").read_text().split() == ["both", "c", "a", "b"]
        assert joined.properties == {"count": 3, "language": "en"}
        assert type(joined).__name__ == "Words"

    def test_an_optional_output_may_be_absent(self, tmp_path: Path) -> None:
        result = self.run(runner_pipelines.optional(written=False), tmp_path)
        assert not result["Maybe"].outputs.get("perhaps")
        assert result.artifact("Look", "seen").value == "nothing"

    def test_an_optional_output_that_is_there_is_read(self, tmp_path: Path) -> None:
        result = self.run(runner_pipelines.optional(written=True), tmp_path)
        assert result.artifact("Look", "seen").value == "here"

    def test_a_resolver_finds_nothing_before_the_first_run(self, tmp_path: Path) -> None:
        result = self.run(runner_pipelines.history("first"), tmp_path)
        assert result.artifact("LookAtModels", "seen").value == "[]"

    def test_a_resolver_finds_what_earlier_runs_published(self, tmp_path: Path) -> None:
        self.run(runner_pipelines.history("first"), tmp_path)
        self.run(runner_pipelines.history("second"), tmp_path)
        result = self.run(runner_pipelines.history("third"), tmp_path)
        found = result.artifact("LookAtModels", "seen").value
        assert found == ('["second", "first"]' if self.remembers else "[]")

    def test_an_importer_names_what_lies_outside(self, tmp_path: Path) -> None:
        source = tmp_path / "given" / "schema"
        source.mkdir(parents=True)
        (source / "schema.pbtxt").write_text("feature {}")
        result = self.run(runner_pipelines.imported("given/schema"), tmp_path)
        schema = result.artifact("Importer", "result")
        assert schema.uri == str(source)
        assert schema.custom_properties["origin"] == "outside"
        content = hashlib.sha256(b"feature {}").digest()
        assert schema.fingerprint == hashlib.sha256(b"schema.pbtxt\0" + content).hexdigest()

    def test_an_importer_of_nothing_is_refused_or_fails_and_says_where_it_looked(
        self, tmp_path: Path
    ) -> None:
        try:
            self.run(runner_pipelines.imported("given/nothing"), tmp_path)
        except CheckFailed as error:  # A runner may look before it runs.
            said = str(error)
        except RunFailed as error:
            said = error.result["Importer"].error or ""
        else:
            raise AssertionError("the pipeline did not fail")
        assert "there is nothing at" in said
        assert "'given/nothing'" in said
        assert str(tmp_path / "given/nothing") in said

    def test_a_failure_stops_what_follows_from_it_and_nothing_else(self, tmp_path: Path) -> None:
        error = self._failure(runner_pipelines.failing(), tmp_path)
        assert states(error.result) == {
            "write_words": NodeState.COMPLETE,
            "fail": NodeState.FAILED,
            "use": NodeState.SKIPPED,
            "join": NodeState.COMPLETE,
        }
        failed = error.result["fail"]
        assert "RuntimeError: cannot train on 'a\\nb\\nc'" in (failed.error or "")
        assert "raise RuntimeError(" in failed.traceback

    def test_nothing_of_a_failed_node_is_visible(self, tmp_path: Path) -> None:
        error = self._failure(runner_pipelines.failing(), tmp_path)
        assert not error.result["fail"].outputs
        assert not list(tmp_path.rglob("half"))

    def test_a_retry_succeeds_and_leaves_one_result(self, tmp_path: Path) -> None:
        counter = tmp_path / "attempts"
        result = self.run(runner_pipelines.flaky(str(counter), failures=2, retries=3), tmp_path)
        assert result["fail_at_first"].attempts == 3
        assert result.artifact("fail_at_first", "result").value == "attempt 3"
        assert len(list(tmp_path.rglob("fail_at_first/result/*/value"))) == 1

    def test_retries_are_counted(self, tmp_path: Path) -> None:
        counter = tmp_path / "attempts"
        error = self._failure(runner_pipelines.flaky(str(counter), failures=9, retries=1), tmp_path)
        assert error.result["fail_at_first"].attempts == 2
        assert "ConnectionError: attempt 2 of 10" in (error.result["fail_at_first"].error or "")

    def test_the_seed_decides_what_is_random(self, tmp_path: Path) -> None:
        drawn = []
        for name, seed in (("a", 5), ("b", 5), ("c", 6)):
            (tmp_path / name).mkdir()
            result = self.run(runner_pipelines.seeded(), tmp_path / name, seed=seed)
            drawn.append(result.artifact("one", "result").value)
        assert drawn[0] == drawn[1] != drawn[2]

    def test_nodes_wait_for_those_they_are_told_to(self, tmp_path: Path) -> None:
        log = tmp_path / "order"
        self.run(runner_pipelines.ordered(str(log)), tmp_path)
        assert log.read_text().split() == ["first", "second", "third"]

    def _failure(self, pipeline: Pipeline, project: Path) -> RunFailed:
        try:
            self.run(pipeline, project)
        except RunFailed as error:
            return error
        raise AssertionError(f"pipeline {pipeline.name} did not fail")
