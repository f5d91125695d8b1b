"""Epochs of training, from the process that trains into the store."""

from __future__ import annotations

import math

import pytest

from penstock.dsl import Pipeline
from penstock.runners.local import LocalDagRunner
from penstock.runners.result import RunFailed
from penstock.store import MetadataStore


@pytest.mark.parametrize("in_process", [True, False], ids=["in-process", "workers"])
def test_epochs_are_in_the_store_whether_the_node_succeeds_or_not(
    tmp_path, nodes, project, in_process
) -> None:
    store = str(tmp_path / "metadata.db")
    runner = LocalDagRunner(store=store, progress="none", max_parallel=1, in_process=in_process)
    pipeline = Pipeline(
        "p",
        pipeline_root=str(tmp_path / "root"),
        components=[nodes.Trains(), nodes.Trains(epochs=2, fail=True).with_id("Fails")],
    )
    with pytest.raises(RunFailed):
        runner.run(pipeline, project_root=project, run_id="r")
    with MetadataStore.open(store) as opened:
        found = opened.run_epochs("r")
    assert [each.epoch for each in found["Trains"]] == [1, 2, 3]
    assert [each.epoch for each in found["Fails"]] == [1, 2]
    assert found["Trains"][1].metrics["loss"] == 0.5
    assert math.isnan(found["Trains"][1].metrics["val_loss"])
