from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("kfp", reason="kfp is not installed")

from penstock.dsl import (
    EmptyFolder,
    ExternalPath,
    NodeAffinity,
    NodeRule,
    Pipeline,
    RuntimeParameter,
    SecretKey,
    Toleration,
    VolumeClaim,
    component,
)
from penstock.graph import compile_pipeline
from penstock.launch.pipeline_difference import pipeline_difference
from penstock.runners.kubeflow import KubeflowConfig, compile_to_yaml
from penstock.runners.kubeflow.compiled import NotCompiledHere, describe_compiled


@component
def work(level: int = 1) -> int:
    return level


@component
def count(folder: ExternalPath) -> int:
    return 1


def _compiled(node: Any = None, **config: Any) -> str:
    first = node or work()
    second = work(level=first.outputs["result"]).with_id("second")
    graph = compile_pipeline(Pipeline("p", "gs://b/r", [first, second]))
    return compile_to_yaml(graph, KubeflowConfig(**config))


def _changes(old: str, new: str) -> tuple[str, ...]:
    return pipeline_difference(describe_compiled(old), describe_compiled(new)).changes


def test_a_pipeline_does_not_differ_from_itself() -> None:
    assert _changes(_compiled(), _compiled()) == ()


def test_settings_of_a_node_and_its_pod() -> None:
    old = work().with_resources(cpu=1, memory="8Gi", accelerator="nvidia.com/gpu")
    old.with_pod(mounts={"/data": VolumeClaim("a")}, tolerations=[Toleration("gpu")])
    new = work(level=2).with_policy(retries=3, timeout_seconds=60)
    new.with_resources(cpu=1, memory="16Gi", accelerator="nvidia.com/gpu", accelerator_count=4)
    new.with_pod(
        mounts={
            "/data": VolumeClaim("a", sub_path="v2"),
            "/tmp/x": EmptyFolder("1Gi", memory=True),
        },
        environment={"TOKEN": SecretKey("hub", "token"), "LEVEL": "1"},
        node_selector={"pool": "big"},
        affinity=[NodeAffinity([NodeRule("zone", values=["a", "b"])], weight=3)],
        image_pull_secrets=["registry"],
        labels={"team": "ml"},
        run_as_user=7,
    )
    assert _changes(_compiled(old), _compiled(new)) == (
        "work: parameter level changed: 1 -> 2",
        'work: memory changed: "8Gi" -> "16Gi"',
        'work: accelerator_count changed: "1" -> "4"',
        'work: mount /data changed: "claim a" -> "claim a, folder v2"',
        'work: toleration of gpu is gone; it was "any: every effect"',
        "work: retries is new: 3",
        "work: timeout_seconds is new: 60",
        'work: environment TOKEN is new: "secret hub/token"',
        'work: mount /tmp/x is new: "empty folder in memory of 1Gi"',
        'work: node selector pool is new: "big"',
        'work: label team is new: "ml"',
        'work: affinity 1 is new: "zone In a, b, weight 3"',
        'work: image_pull_secrets is new: "registry"',
        'work: run_as_user is new: "7"',
        'work: environment LEVEL is new: "1"',
    )


def test_of_all_nodes_it_is_said_once() -> None:
    old, new = _compiled(image="a:1", seed=1), _compiled(image="a:2", store=SecretKey("s", "k"))
    assert _changes(old, new) == (
        "all nodes: the seed is gone; it was 1",
        'all nodes: image changed: "a:1" -> "a:2"',
        'all nodes: the store is new: "secret s/k"',
    )


def test_another_image_is_another_program_to_kubeflow_s_cache_alone() -> None:
    def meaning(**config: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
        old, new = (describe_compiled(_compiled(image=name, **config)) for name in ("a:1", "a:2"))
        found = pipeline_difference(old, new)
        return found.anew, found.moved

    assert meaning() == (("work", "second"), ())
    assert meaning(store=SecretKey("s", "k")) == ((), ("work", "second"))


def test_parameters_of_the_pipeline() -> None:
    level = RuntimeParameter("level", int, default=1)
    cores = RuntimeParameter("cores", int, default=2)
    old = work(level=level).with_resources(cpu=2)
    new = work(level=RuntimeParameter("level", int, default=3)).with_resources(cpu=cores)
    assert _changes(_compiled(old), _compiled(new)) == (
        "the default of the runtime parameter level changed: 1 -> 3",
        "the runtime parameter cores is new, with the default '2'",
        'work: cpu changed: "2000m" -> "runtime parameter cores"',
    )


def test_the_task_that_looks_outside_belongs_to_its_node() -> None:
    described = describe_compiled(_compiled(count(folder="data")))
    assert list(described.nodes) == ["count", "second"]
    assert _changes(_compiled(count(folder="data")), _compiled(count(folder="more"))) == (
        'count: parameter folder changed: "data" -> "more"',
    )


@pytest.mark.parametrize("text", ["", "{}", "a: [", "deploymentSpec: {executors: {}}"])
def test_something_else(text: str) -> None:
    with pytest.raises(
        NotCompiledHere, match="not a pipeline that `penstock compile --to kubeflow`"
    ):
        describe_compiled(text)
