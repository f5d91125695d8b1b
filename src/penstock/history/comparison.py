"""Comparing runs: their differences, as data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from penstock.artifacts import Artifact, location
from penstock.launch.key_difference import key_differences
from penstock.store import ExecutionRecord, MetadataStore, RunRecord

Section = Literal["run", "parameters", "inputs", "metrics", "slices", "verdicts", "seconds"]


@dataclasses.dataclass(frozen=True, slots=True)
class ComparedRow:
    """One compared item, and its value in each run.

    Attributes:
        section: `run` (state, code version, environment, seed), `parameters` (runtime parameters,
            and `node.parameter`), `inputs` (fingerprints of external data that nodes read),
            `metrics` (`node.metric`), `slices` (`slice: metric` of evaluations), `verdicts`,
            `seconds` (by node).
        name: Name of the item.
        values: One per run; None if the run has none.
    """

    section: Section
    name: str
    values: tuple[Any, ...]

    @property
    def differs(self) -> bool:
        """Whether the runs disagree."""
        return any(not _equal(value, self.values[0]) for value in self.values[1:])


@dataclasses.dataclass(frozen=True, slots=True)
class RunComparison:
    """Runs side by side.

    Attributes:
        runs: The runs, in the given order; the others are compared with the first.
        rows: Everything that is compared, equal or not.
        changes: Run and node to the sentences that say how its cache key differs from the first run's.
    """

    runs: Sequence[RunRecord]
    rows: Sequence[ComparedRow]
    changes: Mapping[tuple[str, str], Sequence[str]]

    def differing(self, section: Section | None = None) -> list[ComparedRow]:
        """Return the rows that differ; of one section, or of all."""
        return [
            row for row in self.rows if row.differs and (section is None or row.section == section)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {
            "runs": [run.run_id for run in self.runs],
            "rows": [{**dataclasses.asdict(row), "differs": row.differs} for row in self.rows],
            "changes": [
                {"run": run, "node": node, "sentences": list(sentences)}
                for (run, node), sentences in self.changes.items()
            ],
        }


def _equal(one: Any, other: Any) -> bool:
    """Return whether two values are equal; numbers by twelve digits, NaN is NaN."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12) or (math.isnan(one) and math.isnan(other))
    return bool(one == other)


def compare_runs(store: MetadataStore, run_ids: Sequence[str]) -> RunComparison:
    """Compare runs, of one pipeline or of several.

    Args:
        store: The store that holds them.
        run_ids: At least two runs.

    Raises:
        ValueError: If there are fewer than two.
        penstock.store.RecordNotFound: If a run does not exist.

    Example:
        for row in compare_runs(store, ["20261121-093012-4f2a", "20261122-101500-90ab"]).differing():
            print(row.name, row.values)
    """
    if len(run_ids) < 2:
        raise ValueError(f"A comparison needs two or more runs. Received: {list(run_ids)}")
    runs = [store.get_run(run_id) for run_id in run_ids]
    last = [store.run_states(run.run_id) for run in runs]
    rows = [
        *_rows("run", [_facts(run) for run in runs]),
        *_rows("parameters", [_parameters(run, of) for run, of in zip(runs, last, strict=True)]),
        *_rows("inputs", [_outside_inputs(of) for of in last]),
        *_rows("metrics", [_metrics(of) for of in last]),
        *_rows("slices", [_slices(store, run) for run in runs]),
        *_rows("verdicts", [_verdicts(of) for of in last]),
        *_rows("seconds", [_seconds(of) for of in last]),
    ]
    return RunComparison(runs, rows, dict(_changes(runs, last)))


def _rows(section: Section, columns: Sequence[Mapping[str, Any]]) -> Iterator[ComparedRow]:
    """Yield a row for each name that a run has, in the order in which they come first."""
    names = dict.fromkeys(name for column in columns for name in column)
    for name in names:
        yield ComparedRow(section, name, tuple(column.get(name) for column in columns))


def _facts(run: RunRecord) -> dict[str, Any]:
    code = run.commit
    if code is not None and run.dirty:
        code += ", with uncommitted changes"
    return {
        "pipeline": run.pipeline,
        "state": run.state.value,
        "seconds": run.seconds,
        "code": code,
        "environment": run.environment_fingerprint,
        "python": run.environment.get("python"),
        **{
            f"package {name}": version
            for name, version in sorted(run.environment.get("packages", {}).items())
        },
        "seed": run.seed,
        "deterministic": run.deterministic,
    }


def _parameters(run: RunRecord, last: Mapping[str, ExecutionRecord]) -> dict[str, Any]:
    found = dict(run.parameters)
    for node, execution in last.items():
        for name, value in (execution.key_parts.get("parameters") or {}).items():
            found.update(_flat(f"{node}.{name}", value))
    return found


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield a parameter; of a dataclass or a mapping each field by itself, named with a dot."""
    if isinstance(value, Mapping):
        fields = value.get("fields", {}) if "$dataclass" in value else value
        for key, each in fields.items():
            yield from _flat(f"{name}.{key}", each)
    else:
        yield name, value


def _outside_inputs(last: Mapping[str, ExecutionRecord]) -> dict[str, Any]:
    return {
        f"{node}.{name}": str(digest)[:12]
        for node, execution in last.items()
        for name, digest in (execution.key_parts.get("external") or {}).items()
    }


def _metrics(last: Mapping[str, ExecutionRecord]) -> dict[str, Any]:
    return {
        f"{node}.{name}": value
        for node, execution in last.items()
        for name, value in execution.metrics.items()
    }


def _verdicts(last: Mapping[str, ExecutionRecord]) -> dict[str, Any]:
    return {node: each.verdict.text for node, each in last.items() if each.verdict is not None}


def _seconds(last: Mapping[str, ExecutionRecord]) -> dict[str, Any]:
    return {node: each.usage.wall_seconds for node, each in last.items()}


def _slices(store: MetadataStore, run: RunRecord) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for outputs in store.run_outputs(run.run_id).values():
        for artifacts in outputs.values():
            for artifact in artifacts:
                if artifact.TYPE_NAME == "ModelEvaluation":
                    found.update(slice_metrics(artifact))
    return found


def slice_metrics(evaluation: Artifact) -> dict[str, float]:
    """Return `slice: metric` to value of an evaluation, of the whole (`overall`) and of each slice.

    Empty where its files are gone.
    """
    from penstock.evaluation import read_metrics, slice_name

    if not location.exists(evaluation.uri):
        return {}
    return {
        f"{slice_name(key)}: {metric.label()}": value
        for key, values in read_metrics(evaluation.uri)
        for metric, value in values.items()
        if metric.model_name in ("", "candidate")
        and not metric.is_diff
        and isinstance(value, float)
    }


def _changes(
    runs: Sequence[RunRecord], last: Sequence[Mapping[str, ExecutionRecord]]
) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """Yield, for each later run and node, how its key differs from the first run's."""
    for run, executions in zip(runs[1:], last[1:], strict=True):
        for node, execution in executions.items():
            first = last[0].get(node)
            if first is None or not first.key_parts or not execution.key_parts:
                continue
            found = key_differences(first.key_parts, execution.key_parts)
            if found:
                yield (run.run_id, node), [each.sentence for each in found]
