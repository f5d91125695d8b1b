import math

import pytest

from penstock import Pipeline, RuntimeParameter, component
from penstock.history import ComparedRow, compare_runs
from penstock.runners.local import LocalDagRunner
from penstock.store import MetadataStore


@component
def score(rate: float, name: str = "a") -> float:
    return rate * 2


@component
def report(value: float) -> str:
    return f"{value}"


@pytest.fixture
def runs(tmp_path):
    store = str(tmp_path / "store.db")
    runner = LocalDagRunner(in_process=True, store=store, progress="none")
    ids = []
    for rate in (0.5, 0.5, 0.75):
        first = score(rate=RuntimeParameter("rate", float, 0.1))
        components = [first, report(value=first.outputs["result"])]
        pipeline = Pipeline("scores", components=components, pipeline_root=str(tmp_path))
        ids.append(runner.run(pipeline, parameters={"rate": rate}).run_id)
    return store, ids


def test_equal_runs_differ_in_times_alone(runs):
    store, ids = runs
    with MetadataStore.open(store) as opened:
        comparison = compare_runs(opened, ids[:2])
    assert {row.section for row in comparison.differing()} <= {"run", "seconds"}
    assert comparison.changes == {}


def test_a_parameter_that_differs_is_named_and_what_it_changed(runs):
    store, ids = runs
    with MetadataStore.open(store) as opened:
        comparison = compare_runs(opened, [ids[0], ids[2]])
    assert comparison.differing("parameters") == [
        ComparedRow("parameters", "rate", (0.5, 0.75)),
        ComparedRow("parameters", "score.rate", (0.5, 0.75)),
    ]
    changes = {node: sentences for (_, node), sentences in comparison.changes.items()}
    assert changes["score"] == ["parameter rate changed: 0.5 -> 0.75"]
    assert changes["report"] == ["input value changed"]
    assert comparison.to_json()["runs"] == [ids[0], ids[2]]


def test_numbers_that_print_alike_and_nan_are_equal():
    assert not ComparedRow("metrics", "auc", (math.nan, math.nan)).differs
    assert not ComparedRow("metrics", "auc", (1.0, 1.0 - 1e-15)).differs
    assert ComparedRow("metrics", "auc", (1.0, 0.999)).differs
    assert ComparedRow("metrics", "auc", (1.0, None)).differs


def test_one_run_is_no_comparison(runs):
    store, ids = runs
    with MetadataStore.open(store) as opened:
        with pytest.raises(ValueError, match="needs two or more"):
            compare_runs(opened, ids[:1])
