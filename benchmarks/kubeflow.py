"""What a node costs on a cluster beside Kubeflow's own component: pods that do nothing, one by one.

The pods are those of a Kubernetes control plane on this machine (`make test-cluster` builds it), whose
containers are processes: no image is pulled, and Kubeflow's driver, launcher and Argo, which are the same
for all, are not there. Kubeflow's component is a Python function of its SDK, which has the SDK in its image
(by default it installs it each time). As root on Linux.

    python benchmarks/kubeflow.py [--pods 10] [--json]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "cluster"))

from control_plane import Cluster, running_cluster
from kubeflow_pods import PodContainers

from penstock.cli.pipeline_file import load_pipeline
from penstock.runners.kubeflow import KubeflowConfig, SecretKey, compile_to_yaml
from penstock.testing.kubeflow import CompiledPipeline, ContainerCall, PreparedTask, Processes

REPOSITORY = Path(__file__).resolve().parents[1]
NAMESPACE = "benchmark"

PIPELINE = """
from penstock.artifacts import Integer
from penstock.dsl import Output, Pipeline, RuntimeParameter, component


@component
def number(result: Output[Integer], value: int) -> None:
    result.value = value


value = RuntimeParameter("value", int, 0)
pipeline = Pipeline("numbers", components=[number(value=value).with_id("Number")])
"""

SECRET = SecretKey("penstock", "store-url")


def kubeflow_component() -> str:
    """Return the IR of a pipeline with one Python function of Kubeflow's SDK."""
    from kfp import compiler, dsl

    def number(value: int) -> int:
        return value

    # Kubeflow's SDK does not read annotations that are text.
    number.__annotations__ = {"value": int, "return": int}
    component = dsl.component(number, base_image="numbers:1", install_kfp_package=False)

    def numbers(value: int = 0) -> None:
        component(value=value)

    numbers.__annotations__ = {"value": int}

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/numbers.yaml"
        compiler.Compiler().compile(dsl.pipeline(numbers), path)
        return Path(path).read_text(encoding="utf-8")


def penstock_component(folder: Path, store: bool) -> str:
    """Return the IR of a pipeline with one component that writes a number."""
    (folder / "pyproject.toml").write_text("[tool.penstock]\n")
    (folder / "numbers_on_kubeflow.py").write_text(PIPELINE)
    graph = load_pipeline(str(folder / "numbers_on_kubeflow.py")).compile()
    config = KubeflowConfig(image="numbers:1", store=SECRET if store else None)
    return compile_to_yaml(graph, config)


@contextlib.contextmanager
def database(cluster: Cluster) -> Iterator[str]:
    """Run a PostgreSQL server that pods reach; yield its URL."""
    path = REPOSITORY / "tests" / "store" / "servers.py"
    told = importlib.util.spec_from_file_location("benchmark_servers", path)
    assert told is not None
    assert told.loader is not None
    servers = importlib.util.module_from_spec(told)
    told.loader.exec_module(servers)
    with servers.postgresql(cluster.host, cluster.host.rpartition(".")[0] + ".0/24") as url:
        yield url


def pod_seconds(pods: PodContainers, task: PreparedTask, name: str) -> float:
    """Return the seconds from the request for a pod until its end is known."""
    began = time.perf_counter()
    container = pods.start(task.call, name, {}, f"benchmark.root.{name}.executor")
    code = container.wait()
    seconds = time.perf_counter() - began
    if code:
        raise RuntimeError(f"{name} ended with {code}:\n{pods.log(name)}")
    if task.component is not None and not task.outputs():
        raise RuntimeError(f"{name} wrote nothing:\n{pods.log(name)}")
    return seconds


def overhead(count: int) -> dict[str, float]:
    """Return the median seconds of a pod, and those of a processor, by what it runs."""
    from kubernetes import client

    with (
        running_cluster() as cluster,
        database(cluster) as url,
        tempfile.TemporaryDirectory() as name,
    ):
        project = Path(name)
        project.chmod(0o755)
        namespace = cluster.namespace(NAMESPACE)
        core = client.CoreV1Api(cluster.api())
        core.create_namespaced_service_account(namespace, {"metadata": {"name": "pipeline-runner"}})
        data = {"metadata": {"name": SECRET.secret}, "stringData": {SECRET.key: url}}
        core.create_namespaced_secret(namespace, data)
        shared = cluster.shared_folder("references")
        pods = PodContainers(cluster, namespace, str(shared))
        cluster.agent.projects["numbers:1"] = project
        numbers = itertools.count()

        def task(text: str, value: int | None = None) -> Callable[[], PreparedTask]:
            """Return what prepares the one task of a pipeline, with a new value or the given one."""
            compiled = CompiledPipeline(
                text, shared, Processes(project), {(SECRET.secret, SECRET.key): url}
            )
            (node,) = compiled.spec.root.dag.tasks

            def prepare() -> PreparedTask:
                number = next(numbers)
                given: dict[str, Any] = {"value": number if value is None else value}
                if "pipeline_root" in compiled.spec.root.input_definitions.parameters:
                    given["pipeline_root"] = str(shared / "root")
                values = compiled.values(given)
                return compiled.prepare(node, f"run-{number}", values, {})

            return prepare

        nothing = ContainerCall("numbers:1", ["true"], {}, {}, None, {"image": "numbers:1"}, {})
        idle = PreparedTask("nothing", "nothing", nothing, 0, None, None, None)
        recorded = penstock_component(project, store=True)
        ways: dict[str, Callable[[], PreparedTask]] = {
            "nothing": lambda: idle,
            "kubeflow": task(kubeflow_component()),
            "penstock": task(penstock_component(project, store=False)),
            "penstock_store": task(recorded),
            "penstock_cached": task(recorded, value=-1),
        }
        figures: dict[str, list[float]] = {}
        for turn in range(count + 1):
            for way, prepare in ways.items():
                pod = f"{way.replace('_', '-')}-{turn}"
                taken = pod_seconds(pods, prepare(), pod)
                if turn:  # the first one of each warms files, makes tables, and fills the cache
                    figures.setdefault(f"{way}_seconds", []).append(taken)
                    used = cluster.agent.processor_seconds(pod)
                    figures.setdefault(f"{way}_processor_seconds", []).append(used)
        return {name: statistics.median(each) for name, each in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pods", type=int, default=10, help="of each kind; the median is reported")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = overhead(arguments.pods)
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    nothing = figures["nothing_seconds"]
    print(f"{'a pod that runs':32}{'seconds':>8}{'over nothing':>14}{'of a processor':>16}")
    for way, shown in (
        ("nothing", "nothing (true)"),
        ("kubeflow", "a function of Kubeflow's SDK"),
        ("penstock", "a node, without a store"),
        ("penstock_store", "a node, with a store"),
        ("penstock_cached", "a node that is cached"),
    ):
        seconds, used = figures[f"{way}_seconds"], figures[f"{way}_processor_seconds"]
        print(f"{shown:32}{seconds:8.2f}{seconds - nothing:14.2f}{used:16.2f}")


if __name__ == "__main__":
    main()
