from __future__ import annotations

import os

import pytest

from penstock.dsl import Pipeline
from penstock.graph import compile_pipeline
from penstock.runners.local.accelerators import (
    AcceleratorMissing,
    AcceleratorTokens,
    installed_accelerators,
)
from penstock.runners.local.runner import check_accelerators


def compiled(node):
    return compile_pipeline(Pipeline("p", components=[node]))


def test_tokens_are_taken_and_given_back(nodes) -> None:
    tokens = AcceleratorTokens(["GPU:0", "GPU:1", "TPU:0"])
    two = compiled(
        nodes.number(value=1).with_resources(accelerator="nvidia.com/gpu", accelerator_count=2)
    ).nodes[0]
    one = compiled(nodes.number(value=1).with_resources(accelerator="nvidia-l4")).nodes[0]
    tpu = compiled(nodes.number(value=1).with_resources(accelerator="tpu-v5e")).nodes[0]
    none = compiled(nodes.number(value=1)).nodes[0]
    assert tokens.take(one) == ("GPU:0",)
    assert tokens.take(two) is None
    assert tokens.take(tpu) == ("TPU:0",)
    assert tokens.take(none) == ()
    tokens.give_back(("GPU:0",))
    assert tokens.take(two) == ("GPU:0", "GPU:1")


def test_what_is_missing_is_said_before_the_run(nodes) -> None:
    graph = compiled(
        nodes.number(value=1).with_resources(accelerator="nvidia-l4", accelerator_count=3)
    )
    AcceleratorTokens(["GPU:0", "GPU:1", "GPU:2"]).check(graph)
    with pytest.raises(AcceleratorMissing) as caught:
        AcceleratorTokens(["GPU:0", "TPU:0"]).check(graph)
    assert str(caught.value) == (
        "number asks for 3 x nvidia-l4 (GPU); this machine has 1. Run it on a machine that has them, or remove "
        "them from its Resources."
    )


def test_each_replica_has_its_own(nodes) -> None:
    graph = compiled(
        nodes.number(value=1).with_resources(
            accelerator="nvidia-l4", accelerator_count=2, replicas=2, parameter_servers=1
        )
    )
    tokens = AcceleratorTokens([f"GPU:{number}" for number in range(5)])
    assert tokens.take(graph.nodes[0]) == ("GPU:0", "GPU:1", "GPU:2", "GPU:3")
    with pytest.raises(AcceleratorMissing, match="asks for 4 x nvidia-l4 .GPU., 2 for each of 2 "):
        AcceleratorTokens(["GPU:0", "GPU:1"]).check(graph)


def test_devices_that_the_environment_hides_do_not_count(monkeypatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert [each for each in installed_accelerators() if "GPU" in each] == ["GPU:2", "GPU:5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert not [each for each in installed_accelerators() if "GPU" in each]


def test_a_pipeline_without_tensorflow_and_resources_does_not_look(nodes, monkeypatch) -> None:
    monkeypatch.setattr("penstock.runners.local.runner.installed_accelerators", None)
    assert check_accelerators(compiled(nodes.number(value=1))) == []


def test_a_worker_sees_what_its_attempt_holds(nodes, project, tmp_path, monkeypatch) -> None:
    from penstock.runners.local import LocalDagRunner

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    holds = nodes.variable(name="CUDA_VISIBLE_DEVICES").with_id("holds")
    holds = holds.with_resources(accelerator="nvidia-l4")
    lacks = nodes.variable(name="CUDA_VISIBLE_DEVICES").with_id("lacks")
    pipeline = Pipeline("p", pipeline_root=str(tmp_path / "root"), components=[holds, lacks])
    runner = LocalDagRunner(store=str(tmp_path / "m.db"), progress="none", max_parallel=2)
    result = runner.run(pipeline, project_root=project)
    assert result.artifact("holds", "result").value == "0"
    assert result.artifact("lacks", "result").value == "-1"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
