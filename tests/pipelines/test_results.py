"""The tables of results are what `make results` found, and name every pipeline."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "pipelines", REPOSITORY / "benchmarks/pipelines.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def results(script) -> dict:
    return json.loads(script.RESULTS.read_text())


def test_every_pipeline_has_results_and_beats_its_baseline_as_it_must(script, results):
    assert sorted(results) == script.names()
    for name, found in results.items():
        assert found["comparisons"], f"{name} compares nothing"
        for compared in found["comparisons"]:
            assert compared["metrics"]
            assert all(metric["ok"] for metric in compared["metrics"]), name


def test_the_tables_are_made_from_them(script, results):
    for page, pages in script.PAGES.items():
        text = (REPOSITORY / page).read_text()
        assert text.count(script.BEGIN) == text.count(script.END) == 1
        table = text.split(script.BEGIN)[1].split(script.END)[0].strip()
        assert table == script.table(results, pages), (
            f"{page}: python benchmarks/pipelines.py --tables"
        )
        for name in script.names():
            assert f"[`{name}`](" in table


def test_no_pipeline_takes_longer_than_three_minutes_of_two_cores(results):
    assert {name for name, found in results.items() if found["cpu_seconds"] > 2 * 180} == set()
