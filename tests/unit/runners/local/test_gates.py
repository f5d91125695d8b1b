"""The recipes for gates as a user follows them: a check by a schema, and a check for drift."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from penstock.artifacts import ExampleStatistics
from penstock.components import (
    CsvExampleGen,
    DistributionValidator,
    ExampleValidator,
    ImportSchemaGen,
    StatisticsGen,
)
from penstock.components.distribution_validator import (
    DistributionValidatorConfig,
    FeatureComparator,
)
from penstock.data_validation import (
    generate_statistics_from_csv,
    infer_schema,
    load_anomalies_binary,
    write_schema_text,
)
from penstock.dsl import LatestArtifacts, Pipeline, Resolver
from penstock.runners.local import LocalDagRunner
from penstock.runners.result import RunFailed, RunResult
from penstock.store import MetadataStore


class Desk:
    """A project with a CSV file, and the pipeline of the recipe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = str(folder / "metadata.db")
        (folder / "pyproject.toml").write_text("[tool.penstock]\n")
        self.pattern: str | None = None

    def write(self, companies: str, path: str = "data/d.csv") -> str:
        """Write rows whose companies are the letters in turn."""
        rows = [f"{number / 7:.3f},{companies[number % len(companies)]}" for number in range(80)]
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("fare,company\n" + "\n".join(rows) + "\n")
        return str(target)

    def accept(self, path: str) -> None:
        schema = infer_schema(generate_statistics_from_csv(path))
        write_schema_text(schema, str(self.folder / "schema.pbtxt"))

    def pipeline(self, nodes, gates: Sequence[str], limit: float) -> Pipeline:
        from penstock.io import Input, Split

        config = Input([Split("all", self.pattern)]) if self.pattern else None
        examples = CsvExampleGen(input_base="data", input_config=config)
        statistics = StatisticsGen(examples=examples.outputs["examples"])
        listed = [examples, statistics]
        if "drift" in gates:
            previous = Resolver(
                LatestArtifacts(),
                other_than=statistics.outputs["statistics"],
                statistics=ExampleStatistics,
            ).with_id("previous")
            drift = DistributionValidator(
                statistics=statistics.outputs["statistics"],
                baseline_statistics=previous.outputs["statistics"],
                config=DistributionValidatorConfig(
                    [FeatureComparator("company", infinity_norm=limit)]
                ),
                fail_on="ERROR",
            )
            listed += [previous, drift]
        if "schema" in gates:
            schema = ImportSchemaGen(schema_file="schema.pbtxt")
            validator = ExampleValidator(
                statistics=statistics.outputs["statistics"],
                schema=schema.outputs["schema"],
                fail_on="ERROR",
            )
            listed += [schema, validator]
        use = nodes.reads_examples(examples=examples.outputs["examples"])
        return Pipeline("p", components=[use, *listed])

    def run(self, nodes, *gates: str, limit: float = 0.1, only: str = "") -> RunResult:
        pipeline = self.pipeline(nodes, gates, limit)
        runner = LocalDagRunner(store=self.store, in_process=True, progress="none")
        try:
            return runner.run(
                pipeline.only(only) if only else pipeline, project_root=str(self.folder)
            )
        except RunFailed as failed:
            return failed.result

    def resume(self, result: RunResult) -> RunResult:
        runner = LocalDagRunner(store=self.store, in_process=True, progress="none")
        try:
            return runner.resume(result.run_id, project_root=str(self.folder))
        except RunFailed as failed:
            return failed.result

    def baseline(self, result: RunResult) -> int | None:
        found = result["previous"].outputs.get("statistics", ())
        return found[0].id if found else None


@pytest.fixture
def desk(tmp_path) -> Desk:
    return Desk(tmp_path)


def state(result: RunResult, node: str) -> str:
    return result[node].state.value


def test_a_schema_gate_stops_who_reads_the_examples_and_shows_what_it_found(desk, nodes) -> None:
    desk.accept(desk.write("abc"))
    desk.write("abx")
    result = desk.run(nodes, "schema")
    assert result.error == "ExampleValidator: 2 anomalies in company"
    assert state(result, "reads_examples") == "SKIPPED"
    assert result["ExampleValidator"].attempts == 1
    with MetadataStore.open(desk.store) as store:
        (kept,) = store.rejected_outputs(result.run_id)["ExampleValidator"]["anomalies"]
        execution = store.get_execution(result["ExampleValidator"].execution_id)
    assert execution.verdict is not None
    assert not execution.verdict.ok
    anomalies = load_anomalies_binary(f"{kept.uri}/Split-train/SchemaDiff.pb")
    assert "company" in anomalies.anomaly_info

    part = desk.run(nodes, "schema", only="reads_examples")
    assert "held back: ExampleValidator rejected what it reads" in part.error
    # A schema file that was corrected is seen by `resume`, and what was rejected passes.
    desk.accept(str(desk.folder / "data/d.csv"))
    resumed = desk.resume(result)
    assert resumed.state == "COMPLETE"
    assert resumed["CsvExampleGen"].kept
    assert not resumed["ImportSchemaGen"].kept
    assert resumed["ExampleValidator"].verdict.text == "no anomalies in train, eval"
    assert desk.run(nodes, "schema", only="reads_examples").state == "COMPLETE"


def test_resume_sees_data_that_was_corrected(desk, nodes) -> None:
    desk.accept(desk.write("abc"))
    desk.write("abx")
    result = desk.run(nodes, "schema")
    desk.write("abcb")
    resumed = desk.resume(result)
    assert resumed.state == "COMPLETE"
    assert not resumed["CsvExampleGen"].kept
    assert resumed["ImportSchemaGen"].kept


def test_a_drift_gate_compares_with_the_same_again_when_the_run_is_repeated(desk, nodes) -> None:
    desk.write("ab")
    first = desk.run(nodes, "drift")
    assert desk.baseline(first) is None
    assert first["DistributionValidator"].verdict.text == "there is no baseline to compare with"
    repeated = desk.run(nodes, "drift")
    assert desk.baseline(repeated) is None
    assert state(repeated, "DistributionValidator") == "CACHED"
    monday = first["StatisticsGen"].outputs["statistics"][0].id

    desk.write("aaaab")
    second = desk.run(nodes, "drift")
    assert (second.state, desk.baseline(second)) == ("FAILED", monday)
    again = desk.run(nodes, "drift")
    assert (again.state, desk.baseline(again)) == ("FAILED", monday)
    assert desk.resume(again).state == "FAILED"

    # What the gate rejected is no baseline for the third day.
    desk.write("abba")
    third = desk.run(nodes, "drift")
    assert (third.state, desk.baseline(third)) == ("COMPLETE", monday)


def test_what_passes_in_the_end_is_a_baseline_again(desk, nodes) -> None:
    desk.write("ab")
    desk.run(nodes, "drift")
    desk.write("aaaab")
    assert desk.run(nodes, "drift").state == "FAILED"
    accepted = desk.run(nodes, "drift", limit=0.9)
    assert accepted.state == "COMPLETE"
    desk.write("aaabaaaaab")
    third = desk.run(nodes, "drift")
    assert desk.baseline(third) == accepted["StatisticsGen"].outputs["statistics"][0].id


def test_of_spans_only_earlier_ones_are_compared_with(desk, nodes) -> None:
    desk.pattern = "span-{SPAN}/*"
    desk.write("ab", "data/span-1/d.csv")
    monday = desk.run(nodes, "drift")
    desk.write("aab", "data/span-2/d.csv")
    tuesday = desk.run(nodes, "drift", limit=0.9)
    assert desk.baseline(tuesday) == monday["StatisticsGen"].outputs["statistics"][0].id
    # Tuesday's data is delivered again: it is not compared with what Tuesday was before.
    desk.write("aabb", "data/span-2/d.csv")
    corrected = desk.run(nodes, "drift", limit=0.9)
    assert not corrected["StatisticsGen"].kept
    assert desk.baseline(corrected) == desk.baseline(tuesday)
