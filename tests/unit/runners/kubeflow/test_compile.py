from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kfp", reason="kfp is not installed")

import kfp
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from penstock.artifacts import Model, Schema, String
from penstock.components import ImportExampleGen
from penstock.dsl import (
    Component,
    ExecutionContext,
    ExternalPath,
    Importer,
    Input,
    LatestBlessedModel,
    Output,
    ParameterError,
    Pipeline,
    Resolver,
    RuntimeParameter,
    Toleration,
    component,
    output,
)
from penstock.graph import Graph, compile_pipeline
from penstock.launch.project_archive import unpack_project
from penstock.runners.kubeflow import (
    KubeflowConfig,
    KubeflowDagRunner,
    SecretKey,
    compile_to_yaml,
)
from penstock.runners.kubeflow.container.task import ContainerTask
from penstock.runners.kubeflow.parameters import selecting
from penstock.runners.protocol import UnsupportedSetting

GOLDEN = Path(__file__).with_name("pipeline.yaml")


@component
def train(
    schema: Input[Schema],
    model: Output[Model],
    epochs: int,
    rate: float = 0.1,
    base: Input[Model] | None = None,
) -> str:
    return "trained"


@component(judges=["schema"])
def judge(schema: Input[Schema]) -> int:
    return 1


@component
def count(folder: ExternalPath) -> int:
    return len(os.listdir(folder))


@component
def merge(models: Input[list[Model]], report: Output[String]) -> None:
    report.value = str(len(models))


def _pipeline(root: str | None = "gs://bucket/taxi") -> Pipeline:
    """Every kind of node, and every setting that Kubeflow takes."""
    schema = Importer("schema", Schema).with_id("Schema")
    baseline = Resolver(LatestBlessedModel()).with_id("Baseline")
    trainer = (
        train(
            schema=schema.outputs["result"],
            base=baseline.outputs["model"],
            epochs=RuntimeParameter("epochs", int, default=20),
        )
        .with_id("Trainer")
        .with_policy(retries=2, backoff_seconds=30, timeout_seconds=3600)
        .with_resources(
            cpu=2.5,
            memory=RuntimeParameter("memory", str, default="8Gi"),
            accelerator="nvidia-l4",
            accelerator_count=2,
        )
        .with_pod(
            tolerations=[Toleration("nvidia.com/gpu", effect="NoSchedule")],
            environment={"HF_TOKEN": SecretKey("hugging-face", "token")},
            shared_memory="4Gi",
        )
    )
    second = train(schema=schema.outputs["result"], epochs=1).with_id("Second")
    second.with_resources(accelerator="tpu-v5e", accelerator_count=4, topology="2x2")
    merged = merge(models=[trainer.outputs["model"], second.outputs["model"]]).with_id("Merge")
    counted = count(folder="data").with_id("Count")
    merged.add_upstream_node(counted)
    return Pipeline("taxi_Trips", root, [schema, baseline, trainer, second, counted, merged])


def _compile(pipeline: Pipeline, config: KubeflowConfig | None = None, **parameters: Any) -> str:
    return compile_to_yaml(compile_pipeline(pipeline), config, parameters)


def _executors(text: str) -> dict[str, Any]:
    executors: dict[str, Any] = next(yaml.safe_load_all(text))["deploymentSpec"]["executors"]
    return {name: each["container"] for name, each in executors.items()}


def _tasks(text: str) -> dict[str, Any]:
    tasks: dict[str, Any] = next(yaml.safe_load_all(text))["root"]["dag"]["tasks"]
    return tasks


def _kubernetes(text: str) -> dict[str, Any]:
    executors: dict[str, Any] = list(yaml.safe_load_all(text))[1]["platforms"]["kubernetes"][
        "deploymentSpec"
    ]["executors"]
    return executors


def test_the_compiled_pipeline_is_as_it_was() -> None:
    """Run with PENSTOCK_WRITE_GOLDEN=1 after a wanted change, and read the difference."""
    config = KubeflowConfig(
        image="registry.example/taxi:3f2c",
        store=SecretKey("metadata", "url"),
        volumes={"models": "/models"},
        seed=7,
    )
    text = _compile(_pipeline(), config)
    # The whole graph is packed, and zlib's builds differ in how well they do it.
    text = re.sub(r'("pipeline":)\s+"[^"]*"', r"\1 PACKED", text, flags=re.DOTALL)
    text = text.replace(f"kfp-{kfp.__version__}", "kfp-VERSION").replace(__name__, "test_compile")
    if os.environ.get("PENSTOCK_WRITE_GOLDEN"):
        GOLDEN.write_text(text)
    assert list(yaml.safe_load_all(text)) == list(yaml.safe_load_all(GOLDEN.read_text()))


def test_kubeflow_s_own_loader_takes_it() -> None:
    text = _compile(_pipeline())
    loaded = kfp.components.load_component_from_text(text)
    assert loaded.name == "taxi-trips"
    assert set(loaded.component_spec.inputs) == {"pipeline_root", "epochs", "memory"}
    spec = json_format.ParseDict(
        next(yaml.safe_load_all(text)),
        pipeline_spec_pb2.PipelineSpec(),
        ignore_unknown_fields=False,
    )
    assert spec.pipeline_info.display_name == "taxi_Trips"
    assert {task.task_info.name for task in spec.root.dag.tasks.values()} == {
        "Schema", "Schema sources", "Baseline", "Trainer", "Second", "Merge", "Count", "Count sources",
    }  # fmt: skip


def test_every_task_runs_the_entry_point_on_its_own_node() -> None:
    for name, container in _executors(_compile(_pipeline())).items():
        assert container["command"] == ["python", "-m", "penstock.launch"]
        assert container["args"][:3] == ["--executor-input", "{{$}}", "--task"]
        task = ContainerTask.parse(container["args"][3])
        assert f"exec-{task.node.id.lower()}{'-sources' if task.looks else ''}" == name
        assert task.graph.name == "taxi_Trips"
        assert not task.node.resources


def test_requests_and_limits() -> None:
    trainer = _executors(_compile(_pipeline()))["exec-trainer"]["resources"]
    assert trainer["resourceCpuRequest"] == trainer["resourceCpuLimit"] == "2500m"
    memory = "{{$.inputs.parameters['pipelinechannel--memory']}}"
    assert trainer["resourceMemoryRequest"] == trainer["resourceMemoryLimit"] == memory
    accelerator = trainer["accelerator"]
    assert (accelerator["resourceType"], accelerator["resourceCount"]) == ("nvidia.com/gpu", "2")


def test_accelerators_select_their_nodes() -> None:
    text = _compile(_pipeline())
    labels = {
        name: each["nodeSelector"]["labels"]
        for name, each in _kubernetes(text).items()
        if "nodeSelector" in each
    }
    assert labels == {
        "exec-trainer": {"cloud.google.com/gke-accelerator": "nvidia-l4"},
        "exec-second": {
            "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
            "cloud.google.com/gke-tpu-topology": "2x2",
        },
    }
    assert _executors(text)["exec-second"]["resources"]["accelerator"]["resourceType"] == (
        "google.com/tpu"
    )


def test_retries_and_timeouts() -> None:
    text = _compile(_pipeline())
    retry = _tasks(text)["trainer"]["retryPolicy"]
    assert (retry["maxRetryCount"], retry["backoffDuration"], retry["backoffFactor"]) == (
        2, "30s", 2.0,
    )  # fmt: skip
    # Kubeflow's SDK says 3600s: the time of the attempts themselves counts.
    assert retry["backoffMaxDuration"] == "31622400s"
    assert _kubernetes(text)["exec-trainer"]["activeDeadlineSeconds"] == "3600"
    assert "retryPolicy" not in _tasks(text)["second"]


def test_a_node_waits_for_one_that_it_does_not_read() -> None:
    assert _tasks(_compile(_pipeline()))["merge"]["dependentTasks"] == [
        "count",
        "second",
        "trainer",
    ]


@pytest.mark.parametrize(
    ("config", "cached"),
    [
        # What a node reads from outside is looked at by a task of its own, which always runs.
        (KubeflowConfig(), {"schema", "baseline", "trainer", "second", "merge", "count"}),
        # Where the store is to hear of every node, its cache decides.
        (KubeflowConfig(store=SecretKey("metadata", "url")), set()),
    ],
)
def test_which_nodes_kubeflow_s_cache_may_skip(config: KubeflowConfig, cached: set[str]) -> None:
    tasks = _tasks(_compile(_pipeline(), config))
    assert {name for name, task in tasks.items() if task["cachingOptions"].get("enableCache")} == (
        cached
    )


def test_a_task_looks_at_what_a_node_reads_from_outside() -> None:
    text = _compile(_pipeline())
    tasks = _tasks(text)
    assert {name for name in tasks if name.endswith("-sources")} == {
        "schema-sources",
        "count-sources",
    }
    given = tasks["count"]["inputs"]["parameters"]["sources"]["taskOutputParameter"]
    assert given == {"outputParameterKey": "sources", "producerTask": "count-sources"}
    assert "cachingOptions" not in tasks["count-sources"] or not tasks["count-sources"][
        "cachingOptions"
    ].get("enableCache")
    assert tasks["count-sources"]["retryPolicy"]["maxRetryCount"] == 2
    assert not [
        name
        for name in _tasks(_compile(_pipeline(), KubeflowConfig(store=SecretKey("m", "url"))))
        if name.endswith("-sources")
    ]


def test_it_looks_after_the_nodes_before() -> None:
    """One of them may write what the node reads."""
    first = count(folder="data").with_id("First").with_policy(cache=False)
    second = count(folder="written").with_id("Second")
    second.add_upstream_node(first)
    tasks = _tasks(_compile(Pipeline("p", "gs://bucket/root", [first, second])))
    assert tasks["second-sources"]["dependentTasks"] == ["first"]
    assert "first-sources" not in tasks


class Asked(Component):
    """Reads from a service, and says itself whether an earlier answer holds."""

    again: bool
    answer: Output[String] = output()

    def is_current(self, outputs: Mapping[str, Any], resolve: Callable[[str], str]) -> bool:
        return not self.again

    def run(self, context: ExecutionContext) -> None:
        self.answer.value = "42"


@pytest.mark.parametrize("again", [True, False])
def test_what_is_asked_anew_each_time_is_not_cached(again: bool) -> None:
    tasks = _tasks(_compile(Pipeline("p", "gs://bucket/root", [Asked(again=again)])))
    assert bool(tasks["asked"]["cachingOptions"].get("enableCache")) is not again


def test_a_gate_holds_back_who_reads_what_it_judges() -> None:
    schema = Importer("data/schema", Schema)
    gate = judge(schema=schema.outputs["result"])
    trained = train(schema=schema.outputs["result"], epochs=1)
    nodes = [schema, trained, gate]
    tasks = _tasks(_compile(Pipeline("p", "gs://bucket/root", nodes)))
    assert tasks["train"]["dependentTasks"] == ["importer", "judge"]
    gate.with_policy(gate=False)
    tasks = _tasks(_compile(Pipeline("p", "gs://bucket/root", nodes)))
    assert tasks["train"]["dependentTasks"] == ["importer"]


def test_the_store_s_url_comes_from_a_secret() -> None:
    text = _compile(_pipeline(), KubeflowConfig(store=SecretKey("metadata", "url")))
    for executor in _kubernetes(text).values():
        secret = executor["secretAsEnv"][0]
        assert secret["secretName"] == "metadata"
        (key,) = secret["keyToEnv"]
        assert (key["secretKey"], key["envVar"]) == ("url", "PENSTOCK_STORE")
    assert all("run-id" in task["inputs"]["parameters"] for task in _tasks(text).values())


def test_the_whole_graph_is_in_one_task_and_its_digest_in_all() -> None:
    store = KubeflowConfig(store=SecretKey("metadata", "url"))
    told = [
        ContainerTask.parse(each["args"][3])
        for each in _executors(_compile(_pipeline(), store)).values()
    ]
    (whole,) = (each for each in told if each.pipeline)
    assert whole.node.id == "Schema"
    assert len(Graph.from_json(json.loads(whole.pipeline)).nodes) == len(told) == 6
    digest = hashlib.sha256(whole.pipeline.encode()).hexdigest()
    assert {each.pipeline_digest for each in told} == {digest}
    without = (each["args"][3] for each in _executors(_compile(_pipeline())).values())
    assert {ContainerTask.parse(each).pipeline_digest for each in without} == {""}


def test_a_container_knows_its_pod() -> None:
    for executor in _kubernetes(_compile(_pipeline())).values():
        fields = {each["name"]: each["fieldPath"] for each in executor["fieldPathAsEnv"]}
        assert fields == {
            "PENSTOCK_POD_NAME": "metadata.name",
            "PENSTOCK_POD_UID": "metadata.uid",
            "PENSTOCK_POD_NAMESPACE": "metadata.namespace",
        }


def test_given_parameters_become_the_defaults() -> None:
    text = _compile(_pipeline(), epochs="5")
    inputs = next(yaml.safe_load_all(text))["root"]["inputDefinitions"]["parameters"]
    assert inputs["epochs"]["defaultValue"] == 5
    assert inputs["pipeline_root"]["defaultValue"] == "gs://bucket/taxi"


def test_an_unknown_parameter_names_the_nearest() -> None:
    with pytest.raises(ParameterError, match="Did you mean 'epochs'"):
        _compile(_pipeline(), epoch=5)


def test_a_model_of_gpu_by_runtime_parameter_is_compiled_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = RuntimeParameter("accelerator", str, default="nvidia-l4")
    node = count(folder="data").with_resources(accelerator=model)
    text = _compile(Pipeline("one", "gs://b/one", [node]), accelerator="nvidia-t4")
    assert "count: Resources.accelerator=RuntimeParameter('accelerator'): it selects" in caplog.text
    resources = _executors(text)["exec-count"]["resources"]
    assert resources["accelerator"]["resourceType"] == "nvidia.com/gpu"
    labels = _kubernetes(text)["exec-count"]["nodeSelector"]["labels"]
    assert labels == {"cloud.google.com/gke-accelerator": "nvidia-t4"}
    inputs = next(yaml.safe_load_all(text))["root"]["inputDefinitions"]["parameters"]
    assert set(inputs) == {"pipeline_root"}


def test_resources_and_image_as_parameters_of_the_pipeline(
    caplog: pytest.LogCaptureFixture,
) -> None:
    node = count(folder="data").with_resources(
        cpu=RuntimeParameter("cores", float, default=2.5),
        accelerator=RuntimeParameter("device", str, default=""),
        accelerator_count=RuntimeParameter("devices", int, default=1),
    )
    node.with_pod(image=RuntimeParameter("count_image", str, default="count:1"))
    other = count(folder="data").with_id("Other")
    image = RuntimeParameter("image", str, default="taxi:1")
    text = _compile(
        Pipeline("one", "gs://b/one", [node, other]), KubeflowConfig(image=image), devices="4"
    )
    assert not caplog.text
    inputs = next(yaml.safe_load_all(text))["root"]["inputDefinitions"]["parameters"]
    # Kubeflow's driver makes a pod of texts alone.
    assert {
        name: (each["parameterType"], each["defaultValue"]) for name, each in inputs.items()
    } == {
        "cores": ("STRING", "2.5"),
        "device": ("STRING", ""),
        "devices": ("STRING", "4"),
        "count_image": ("STRING", "count:1"),
        "image": ("STRING", "taxi:1"),
        "pipeline_root": ("STRING", "gs://b/one"),
    }
    container = _executors(text)["exec-count"]
    given = "{{{{$.inputs.parameters['pipelinechannel--{}']}}}}".format
    assert container["image"] == given("count_image")
    assert container["resources"]["resourceCpuLimit"] == given("cores")
    accelerator = container["resources"]["accelerator"]
    assert accelerator["resourceType"] == given("device")
    assert accelerator["resourceCount"] == given("devices")
    taken = _tasks(text)["count"]["inputs"]["parameters"]
    for name in ("count_image", "cores", "device", "devices"):
        assert taken[f"pipelinechannel--{name}"] == {"componentInputParameter": name}
    assert _executors(text)["exec-other"]["image"] == given("image")


def test_a_model_of_gpu_given_to_a_run_must_be_compiled_in() -> None:
    device = RuntimeParameter("device", str, default="")
    graph = compile_pipeline(
        Pipeline("one", "gs://b/one", [count(folder="data").with_resources(accelerator=device)])
    )
    assert selecting(graph, {}) == set()
    assert selecting(graph, {"device": "amd.com/gpu"}) == set()
    assert selecting(graph, {"device": "nvidia-l4"}) == {"device"}


def test_a_parameter_that_must_be_compiled_in_needs_a_value() -> None:
    node = count(folder="data").with_resources(
        accelerator="tpu-v5e", topology=RuntimeParameter("cores", str)
    )
    with pytest.raises(ParameterError, match=r"count: Resources: .*'cores'.*--param cores="):
        _compile(Pipeline("one", "gs://b/one", [node]))


def test_a_value_that_a_component_refuses_is_told_when_compiled() -> None:
    payload = RuntimeParameter("payload", str, default="FORMAT_PROTO")
    node = ImportExampleGen(input_base="gs://b/data", payload_format=payload)
    with pytest.raises(ParameterError, match="ImportExampleGen: payload_format must be one of"):
        _compile(Pipeline("one", "gs://b/one", [node]), payload="FORMAT_PROTOO")


@pytest.mark.parametrize("root", [None, "/srv/local"])
def test_a_root_of_one_machine_is_asked_for_at_each_run(
    root: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    text = _compile(_pipeline(root))
    inputs = next(yaml.safe_load_all(text))["root"]["inputDefinitions"]["parameters"]
    assert inputs["pipeline_root"] == {"parameterType": "STRING"}
    assert "every run must be given one" in caplog.text


def test_a_root_below_a_volume_is_reached() -> None:
    config = KubeflowConfig(volumes={"shared": "/srv"}, pipeline_root="/srv/taxi")
    text = _compile(_pipeline(None), config)
    inputs = next(yaml.safe_load_all(text))["root"]["inputDefinitions"]["parameters"]
    assert inputs["pipeline_root"]["defaultValue"] == "/srv/taxi"
    for executor in _kubernetes(text).values():
        (mount,) = executor["pvcMount"]
        assert (mount["constant"], mount["mountPath"]) == ("shared", "/srv")


def test_the_runner_writes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = KubeflowDagRunner(KubeflowConfig(image="taxi:1")).run(_pipeline())
    assert path == Path("taxi_Trips.yaml")
    assert path.read_text() == _compile(_pipeline(), KubeflowConfig(image="taxi:1"))


def test_the_project_is_put_below_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("[tool.penstock]\n")
    (project / "lines.py").write_text(
        "from penstock.dsl import component\n\n@component\ndef one() -> int:\n    return 1\n"
    )
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.chdir(tmp_path)
    from lines import one  # type: ignore[import-not-found]

    graph = compile_pipeline(Pipeline("p", "memory://bucket/p", [one()]))
    runner = KubeflowDagRunner.from_options({"code": "root"})
    names = set()
    for _ in range(2):
        for container in _executors(runner.compile(graph)).values():
            names.add(ContainerTask.parse(container["args"][3]).archive)
    (name,) = names
    assert name is not None
    assert re.fullmatch(r"memory://bucket/p/\.projects/[0-9a-f]{64}\.tar\.gz", name)
    found = unpack_project(name)
    assert sorted(os.listdir(found)) == ["lines.py", "pyproject.toml"]
    with pytest.raises(UnsupportedSetting, match="ship_project: the project's archive goes below"):
        compile_to_yaml(graph, KubeflowConfig(pipeline_root="/models", ship_project=True))
    with pytest.raises(ParameterError, match="is in the `image` or below the `root`"):
        KubeflowDagRunner.from_options({"code": "git"})


def test_compiling_imports_neither_tensorflow_nor_beam() -> None:
    program = (
        "import sys; from penstock.testing.runner_pipelines import values\n"
        "from penstock.graph import compile_pipeline\n"
        "from penstock.runners.kubeflow import compile_to_yaml\n"
        "compile_to_yaml(compile_pipeline(values()))\n"
        "heavy = {'tensorflow', 'apache_beam', 'pyarrow', 'keras'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_what_kubeflow_and_kubernetes_would_expand_is_escaped() -> None:
    node = count(folder="{{$}}/{{{x}}}/$(HOME)/$(")
    text = ContainerTask.of(compile_pipeline(Pipeline("p", None, [node])), node_of(node)).to_text()
    assert "{{" not in text
    assert "$(" not in text
    assert ContainerTask.parse(text).node.parameters == {"folder": "{{$}}/{{{x}}}/$(HOME)/$("}
    assert json.loads(text)


def node_of(node: Any) -> Any:
    return compile_pipeline(Pipeline("p", None, [node])).nodes[0]


def test_a_trainer_on_a_tpu_compiles_to_one_pod_with_its_slice() -> None:
    from penstock.components import Trainer

    examples = ImportExampleGen(input_base="gs://bucket/examples")
    trainer = Trainer(
        examples=examples.outputs["examples"], run_fn="modules.taxi.run_fn", distribution="tpu"
    ).with_resources(accelerator="tpu-v5e", accelerator_count=8, topology="2x4")
    graph = compile_pipeline(Pipeline("tpu", components=[examples, trainer]))
    text = compile_to_yaml(graph, KubeflowConfig(image="i", pipeline_root="gs://bucket/root"))
    assert "google.com/tpu" in text
    assert "tpu-v5-lite-podslice" in text
    task = ContainerTask.of(graph, graph["Trainer"])
    assert ContainerTask.parse(task.to_text()).graph["Trainer"].parameters["distribution"] == "tpu"
