from __future__ import annotations

from typing import Any

import pytest
import yaml

from penstock.artifacts import Integer
from penstock.dsl import (
    Component,
    ExecutionContext,
    Output,
    ParameterError,
    Pipeline,
    Resources,
    RuntimeParameter,
    component,
    output,
)
from penstock.graph import compile_pipeline
from penstock.runners.kubeflow import (
    KubeflowConfig,
    SecretKey,
    UnsupportedSetting,
    compile_to_yaml,
    limits,
)
from penstock.runners.kubeflow.container.task import ContainerTask
from penstock.runners.kubeflow.resources import accelerator_of, slice_problem

REACHABLE = KubeflowConfig(pipeline_root="gs://bucket/root")


class Several(Component):
    """Works in several processes."""

    number: Output[Integer] = output()

    def check_resources(self, resources: Resources) -> None:
        if resources.replicas > 8:
            raise ValueError("too many")

    def run(self, context: ExecutionContext) -> None:
        self.number.write(1)


@component
def work(level: int = 1) -> int:
    return level


def _texts(node: Any, config: KubeflowConfig = REACHABLE) -> list[str]:
    return [str(each) for each in limits(compile_pipeline(Pipeline("p", None, [node])), config)]


def test_a_plain_node_has_no_limits() -> None:
    assert _texts(work().with_policy(retries=3, timeout_seconds=60).with_resources(cpu=1)) == []


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"success_optional": True}, "work: success_optional: a Kubeflow task whose upstream"),
        (
            {"retries": 5, "backoff_seconds": 10, "max_backoff_seconds": 60},
            "work: max_backoff_seconds=60: Kubeflow doubles each wait without a limit; the last of 5 "
            "would be 160 s",
        ),
        (
            {"cache_max_age_seconds": 60},
            "work: cache_max_age_seconds: Kubeflow's cache does not know ages. Give a metadata store",
        ),
    ],
)
def test_what_kubeflow_cannot_do_is_said_before_the_run(policy: dict[str, Any], said: str) -> None:
    node = work().with_policy(**policy)
    assert any(text.startswith(said) for text in _texts(node)), _texts(node)
    with pytest.raises(UnsupportedSetting, match="Pipeline 'p' cannot run on Kubeflow as it is:\n"):
        compile_to_yaml(compile_pipeline(Pipeline("p", None, [node])), REACHABLE)


def test_an_age_of_the_cache_is_honoured_with_a_store() -> None:
    config = KubeflowConfig(pipeline_root="gs://b/r", store=SecretKey("metadata", "url"))
    assert _texts(work().with_policy(cache_max_age_seconds=60), config) == []


def test_what_is_rounded_is_said() -> None:
    node = work().with_policy(retries=1, backoff_seconds=0.5, timeout_seconds=1.5)
    assert _texts(node) == [
        "work: backoff_seconds=0.5: Kubeflow counts whole seconds: it is rounded up.",
        "work: timeout_seconds=1.5: Kubernetes counts whole seconds: it is rounded up.",
    ]


def test_a_topology_without_a_tpu() -> None:
    (text,) = _texts(work().with_resources(accelerator="nvidia-l4", topology="2x2"))
    assert text.startswith("work: Resources.topology='2x2': only a TPU has a topology.")


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"topology": "4x4", "accelerator_count": 4}, "a slice of 4x4 has 16 chips, and 1 pod of 4 takes "
         "4. Set replicas=4."),
        ({"topology": "2x4"}, "a slice of 2x4 has 8 chips, and 1 pod of 1 takes 1. Set replicas=8."),
        ({"topology": "2x2", "accelerator_count": 8}, "a slice of 2x2 has 4 chips, and 1 pod of 8 takes "
         "8. Set accelerator_count=4 if one machine has them all."),
        ({"topology": "big"}, "a topology is the sides of a slice, such as '2x4' or '4x4x4'."),
    ],
)  # fmt: skip
def test_a_slice_that_no_pod_could_hold(resources: dict[str, Any], said: str) -> None:
    (text,) = _texts(work().with_resources(accelerator="tpu-v5e", **resources))
    assert text == f"work: Resources.topology={resources['topology']!r}: {said}"


def test_a_slice_of_several_hosts_is_one_pod_for_each() -> None:
    assert (
        slice_problem(
            Resources(accelerator="tpu-v5e", accelerator_count=4, topology="4x4", replicas=4)
        )
        is None
    )


def test_a_part_of_a_pipeline_that_reads_from_outside() -> None:
    first = work().with_id("first")
    second = work(level=first.outputs["result"]).with_id("second")
    part = Pipeline("p", None, [first, second]).only("second")
    (limit,) = limits(compile_pipeline(part), REACHABLE)
    assert limit.fatal
    assert str(limit).startswith("second: level: first is not in this part of the pipeline")


@pytest.mark.parametrize("store", [None, SecretKey("metadata", "url")])
def test_a_store_s_url_is_not_written_into_the_pipeline(store: SecretKey | None) -> None:
    url = "postgresql://user:pass@host/db"
    graph = compile_pipeline(Pipeline("p", "gs://b/r", [work()], metadata=url))
    config = KubeflowConfig(store=store)
    assert [each.setting for each in limits(graph, config)] == ([] if store else ["metadata"])
    text = compile_to_yaml(graph, config)
    (args,) = (each["container"]["args"] for each in _executors(text))
    assert "pass" not in args[3]
    told = ContainerTask.parse(args[3])
    assert bool(told.pipeline) == bool(store)
    assert "pass" not in told.pipeline


def _executors(text: str) -> Any:
    return next(yaml.safe_load_all(text))["deploymentSpec"]["executors"].values()


def test_the_name_pipeline_root_is_taken() -> None:
    node = work(level=RuntimeParameter("pipeline_root", int, default=1))
    (limit,) = limits(compile_pipeline(Pipeline("p", None, [node])), REACHABLE)
    assert limit.fatal
    assert "Rename it" in str(limit)


@pytest.mark.parametrize(
    ("accelerator", "found"),
    [
        ("nvidia.com/gpu", ("nvidia.com/gpu", {})),
        ("google.com/tpu", ("google.com/tpu", {"cloud.google.com/gke-tpu-topology": "4x4"})),
        ("", (None, {})),
    ],
)
def test_accelerators(accelerator: str, found: tuple[str | None, dict[str, str]]) -> None:
    assert accelerator_of(Resources(accelerator=accelerator, topology="4x4")) == found


def test_an_unknown_accelerator() -> None:
    with pytest.raises(ParameterError, match=r"'gpu' is unknown on Kubeflow. It takes a Kub"):
        accelerator_of(Resources(accelerator="gpu"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"image": "a b"}, "KubeflowConfig.image is the name of an image. Received: 'a b'"),
        ({"volumes": {"claim": "relative"}}, "Received: 'claim': 'relative'"),
    ],
)
def test_a_wrong_configuration(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        KubeflowConfig(**settings)


def test_the_image_s_default_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_IMAGE", "taxi:9")
    assert KubeflowConfig().image == "taxi:9"
    monkeypatch.delenv("PENSTOCK_IMAGE")
    assert KubeflowConfig().image == "penstock:latest"


@pytest.mark.parametrize(
    "resources",
    [
        {"replicas": 2},
        {"parameter_servers": 1},
        {"replicas": RuntimeParameter("n", int, 1, "processes"), "accelerator": "nvidia-l4"},
    ],
)
def test_a_component_that_takes_several_processes_has_no_limit(resources: dict[str, Any]) -> None:
    assert _texts(Several().with_resources(**resources)) == []


def test_a_component_may_refuse_what_it_cannot_do() -> None:
    (text,) = _texts(work().with_resources(replicas=2))
    assert text == "work: Resources: work runs in one process. Received: Resources(replicas=2)"
    assert _texts(Several().with_resources(replicas=9)) == ["Several: Resources: too many"]


@pytest.mark.parametrize(
    ("args", "root", "fatal", "said"),
    [
        (("--runner=DaskRunner",), "gs://b", True, "--runner=DaskRunner is not offered"),
        (("--runner=DataflowRunner", "--sdk_container_image=i"), "gs://b", True, "also needs --project"),
        (
            ("--runner=DataflowRunner", "--project=p", "--region=r", "--temp_location=gs://b/t",
             "--sdk_container_image=i"),
            "s3://b", True, "Dataflow's machines reach gs:// alone, and the pipeline's root is 's3://b'",
        ),
        (("--runner=FlinkRunner", "--flink_master=jobs:8081"), "s3://b", False, "Beam's own image"),
    ],
)  # fmt: skip
def test_arguments_for_beam(args: tuple[str, ...], root: str, fatal: bool, said: str) -> None:
    node = work().with_beam_pipeline_args(args)
    graph = compile_pipeline(Pipeline("p", components=[node]))
    (found,) = limits(graph, KubeflowConfig(pipeline_root=root))
    assert found.fatal == fatal
    assert said in str(found)
