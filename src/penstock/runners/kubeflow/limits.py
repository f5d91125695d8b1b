"""What Kubeflow cannot do as a pipeline asks for it, said before the run."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.graph import Graph, GraphNode
from penstock.runners.kubeflow.config import KubeflowConfig
from penstock.runners.protocol import Limit

PIPELINE_ROOT = "pipeline_root"
"""Parameter of the compiled pipeline: folder or URL of the artifacts."""

_PROCESSES = {"replicas": 1, "parameter_servers": 0}
"""Fields of `Resources` about the number of processes, and what one process has."""

_RETRY_SECONDS = 3600.0
"""Kubeflow's SDK caps the time from a task's first start within which it is tried again."""


def limits(graph: Graph, config: KubeflowConfig) -> list[Limit]:
    """Return the settings of a graph that Kubeflow does not support.

    Args:
        graph: The pipeline.
        config: How it is compiled.
    """
    return [*_of_pipeline(graph, config), *(each for n in graph.nodes for each in _of(n, config))]


def _of_pipeline(graph: Graph, config: KubeflowConfig) -> Iterator[Limit]:
    root = config.pipeline_root or graph.root
    if root is None or not config.reaches(root):
        was = "it has none" if root is None else f"{root!r} is a folder of one machine"
        yield Limit(
            graph.name,
            "pipeline_root",
            f"{was}; every run must be given one that all containers can write (gs://, s3://, or below "
            "a volume)",
            fatal=False,
        )
    if graph.metadata is not None and config.store is None:
        yield Limit(
            graph.name,
            "metadata",
            "the URL of a store is not written into Kubeflow's pipelines. Name the secret that holds it: "
            "KubeflowConfig(store=SecretKey(...)); without one there is no store",
            fatal=False,
        )
    if PIPELINE_ROOT in graph.parameters:
        yield Limit(
            graph.name,
            f"RuntimeParameter({PIPELINE_ROOT!r})",
            "Kubeflow's runs already have a parameter of that name. Rename it.",
            fatal=True,
        )
    inside = {node.id for node in graph.nodes}
    for node in graph.nodes:
        for key, edges in node.inputs.items():
            for edge in edges:
                if edge.producer not in inside:
                    yield Limit(
                        node.id,
                        key,
                        f"{edge.producer} is not in this part of the pipeline, and Kubeflow cannot read "
                        "from earlier runs. Compile a part that holds it, or use a Resolver.",
                        fatal=True,
                    )


def _of(node: GraphNode, config: KubeflowConfig) -> Iterator[Limit]:
    policy = node.policy
    if policy.success_optional:
        yield Limit(
            node.id,
            "success_optional",
            "a Kubeflow task whose upstream failed has no inputs to run on. Leave the setting "
            "out, or let the component write an optional output.",
            fatal=True,
        )
    if policy.retries:
        waits = [policy.backoff(number) for number in range(1, policy.retries + 1)]
        if waits != [policy.backoff_seconds * 2.0**number for number in range(policy.retries)]:
            yield Limit(
                node.id,
                f"max_backoff_seconds={policy.max_backoff_seconds:g}",
                f"Kubeflow doubles each wait without a limit; the last of {policy.retries} would be "
                f"{policy.backoff_seconds * 2.0 ** (policy.retries - 1):g} s. Raise the limit or "
                "lower retries.",
                fatal=True,
            )
        if sum(waits) > _RETRY_SECONDS:
            yield Limit(
                node.id,
                f"retries={policy.retries}",
                f"Kubeflow retries for an hour; these waits alone take {sum(waits):g} s.",
                fatal=True,
            )
        if not float(policy.backoff_seconds).is_integer():
            yield Limit(
                node.id,
                f"backoff_seconds={policy.backoff_seconds:g}",
                "Kubeflow counts whole seconds: it is rounded up.",
                fatal=False,
            )
    if policy.timeout_seconds is not None and not float(policy.timeout_seconds).is_integer():
        yield Limit(
            node.id,
            f"timeout_seconds={policy.timeout_seconds:g}",
            "Kubernetes counts whole seconds: it is rounded up.",
            fatal=False,
        )
    if config.store is None:
        yield from _without_store(node)
    yield from _of_resources(node)


def _without_store(node: GraphNode) -> Iterator[Limit]:
    if node.policy.cache_max_age_seconds is not None and node.policy.cache:
        yield Limit(
            node.id,
            "cache_max_age_seconds",
            "Kubeflow's cache does not know ages. Give a metadata store (KubeflowConfig.store), "
            "or cache=False.",
            fatal=True,
        )
    if node.kind == "resolver":
        yield Limit(
            node.id,
            "Resolver",
            "without a metadata store (KubeflowConfig.store) earlier runs are unknown: it finds no "
            "artifacts",
            fatal=False,
        )


def _of_resources(node: GraphNode) -> Iterator[Limit]:
    for field, value in node.resources.items():
        if isinstance(value, dict) and field not in ("memory", *_PROCESSES):
            yield Limit(
                node.id,
                f"Resources.{field}=RuntimeParameter({value['$runtime_parameter']!r})",
                "Kubeflow cannot change it when a run is created: its current value is compiled in",
                fatal=False,
            )
    for field, one in _PROCESSES.items():
        number = node.resources.get(field, one)
        if number != one:
            given = number
            if isinstance(number, dict):
                given = f"RuntimeParameter({number['$runtime_parameter']!r})"
            yield Limit(
                node.id,
                f"Resources.{field}={given}",
                "a node is one pod on Kubeflow, and several processes need one each. Run this node on one "
                "machine, or leave the setting out.",
                fatal=True,
            )
    accelerator = node.resources.get("accelerator")
    if node.resources.get("topology") and not (
        isinstance(accelerator, dict) or "tpu" in str(accelerator)
    ):
        yield Limit(
            node.id,
            f"Resources.topology={node.resources['topology']!r}",
            f"only a TPU has a topology. Received: accelerator={accelerator!r}",
            fatal=True,
        )
