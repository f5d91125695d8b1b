import json

import numpy as np
import pyarrow as pa
import pytest

from penstock.artifacts import Examples, ExampleStatistics
from penstock.cards import artifact_page
from penstock.components import DriftMonitor
from penstock.data_validation import DriftLimit, statistics_of_record_batches, write_stats_binary
from penstock.io import ExamplesWriter
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component


def rows(number, seed, fare):
    fares = np.random.default_rng(seed).gamma(2.0, fare, number).astype(np.float32)
    return pa.record_batch({"fare": [[float(each)] for each in fares]})


def examples(folder, batch):
    with ExamplesWriter(str(folder), ["served"]) as writer:
        writer.write("served", batch)
    artifact = Examples(str(folder))
    artifact.splits = ["served"]
    return artifact


@pytest.fixture
def statistics(tmp_path):
    artifact = ExampleStatistics(str(tmp_path / "statistics"))
    artifact.splits = ["train"]
    found = statistics_of_record_batches([rows(2_000, 1, 10.0)])
    write_stats_binary(found, f"{artifact.split_uri('train')}/FeatureStats.pb")
    return artifact


def test_the_contract(statistics, tmp_path):
    served = examples(tmp_path / "served", rows(300, 2, 10.0))
    check_component(DriftMonitor(statistics=statistics, examples=served), tmp_path / "work")


def test_no_drift(statistics, tmp_path):
    served = examples(tmp_path / "served", rows(300, 2, 10.0))
    found = run_component(DriftMonitor(statistics=statistics, examples=served), tmp_path / "out")
    assert found["verdict"].value == "no drift"


def test_drift_is_the_verdict_the_report_and_the_page(statistics, tmp_path, caplog):
    served = examples(tmp_path / "served", rows(300, 2, 30.0))
    component = DriftMonitor(
        statistics=statistics,
        examples=served,
        limits={"fare": DriftLimit(stability_index=0.1, divergence=0.05)},
    )
    found = run_component(component, tmp_path / "out")
    assert found["verdict"].value == "drift"
    assert "fare: stability index " in caplog.text
    with open(f"{found['drift'].uri}/drift.json", encoding="utf-8") as file:
        report = json.load(file)
    assert report["verdict"] == "drift"
    assert [each["name"] for each in report["features"]] == ["fare"]
    with open(f"{found['drift'].uri}/drift.html", encoding="utf-8") as file:
        assert "stability index" in file.read()
    assert "over 0.05" in artifact_page(found["drift"]).html


def test_metrics_and_their_limits_belong_together(statistics, tmp_path):
    served = examples(tmp_path / "served", rows(300, 2, 10.0))
    with pytest.raises(ValueError, match="belong together"):
        DriftMonitor(statistics=statistics, examples=served, max_metric_change={"auc": -0.1})


def test_a_split_that_is_not_there(statistics, tmp_path):
    served = examples(tmp_path / "served", rows(300, 2, 10.0))
    component = DriftMonitor(statistics=statistics, examples=served, splits=["serve"])
    with pytest.raises(ComponentFailed, match="no split 'serve'. Did you mean 'served'?"):
        run_component(component, tmp_path / "out")
