"""What Kubeflow cannot do as a pipeline asks for it, said before the run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.beam import runner_name
from penstock.checks.beam_arguments import check_beam_arguments
from penstock.checks.component_class import check_component_resources
from penstock.dsl.exceptions import DefinitionError
from penstock.dsl.resources import Resources
from penstock.graph import Graph, GraphNode
from penstock.runners.kubeflow.config import KubeflowConfig
from penstock.runners.kubeflow.pod_limits import pod_limits
from penstock.runners.kubeflow.pods import pod_of
from penstock.runners.kubeflow.resources import (
    accelerator_of,
    is_replicated,
    parameters_of,
    slice_problem,
)
from penstock.runners.protocol import Limit

PIPELINE_ROOT = "pipeline_root"
"""Parameter of the compiled pipeline: folder or URL of the artifacts."""


def limits(graph: Graph, config: KubeflowConfig) -> list[Limit]:
    """Return the settings of a graph that Kubeflow does not support.

    Args:
        graph: The pipeline.
        config: How it is compiled.
    """
    found = list(_of_pipeline(graph, config))
    for node in graph.nodes:
        found += [
            *_of(node, config),
            *_of_resources(graph, node),
            *_of_placement(graph, node, config),
        ]
        found += pod_limits(node, config)
        found += _of_beam(node, config.pipeline_root or graph.root)
    return found


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
    if config.ship_project and "://" not in (root or ""):
        yield Limit(
            graph.name,
            "ship_project",
            f"the project's archive goes below a root that this machine and all containers reach: a URL "
            f"such as gs://bucket/taxi. Received: pipeline_root={root!r}",
            fatal=True,
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


def _of_beam(node: GraphNode, root: str | None) -> Iterator[Limit]:
    for finding in check_beam_arguments(node, ""):
        yield Limit(node.id, "beam_pipeline_args", finding.message, fatal=finding.level == "error")
    with contextlib.suppress(ValueError):  # said above
        on_dataflow = runner_name(node.beam_pipeline_args) == "DataflowRunner"
        if on_dataflow and root is not None and not root.startswith("gs://"):
            yield Limit(
                node.id,
                "beam_pipeline_args",
                f"Dataflow's machines reach gs:// alone, and the pipeline's root is {root!r}",
                fatal=True,
            )


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


def _of_resources(graph: Graph, node: GraphNode) -> Iterator[Limit]:
    # The pod of a node with several replicas makes their pods itself, when it knows the values.
    if replicated := is_replicated(node.resources):
        for finding in check_component_resources(node, ""):
            told = finding.message.removeprefix(f"{node.id}: ")
            yield Limit(node.id, "Resources", told, fatal=True)
    kept = parameters_of(graph, node)
    for field, value in node.resources.items():
        if isinstance(value, dict) and field not in kept and not replicated:
            yield Limit(
                node.id,
                f"Resources.{field}=RuntimeParameter({value['$runtime_parameter']!r})",
                "it selects machines by a label, which Kubeflow cannot change when a run is created: its "
                "current value is compiled in",
                fatal=False,
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


def _of_placement(graph: Graph, node: GraphNode, config: KubeflowConfig) -> Iterator[Limit]:
    """Yield what is wrong with the machines that a node asks for, where its parameters have values."""
    try:
        resources = Resources(**_with_defaults(graph, node.resources))
        _, labels = accelerator_of(resources)
    except DefinitionError:
        return  # said where the pipeline is compiled
    problem = slice_problem(resources)
    if problem is not None:
        yield Limit(node.id, f"Resources.topology={resources.topology!r}", problem, fatal=True)
    selected = pod_of(node, config).node_selector
    for label, value in labels.items():
        if selected.get(label, value) != value:
            yield Limit(
                node.id,
                f"PodSettings.node_selector[{label!r}]",
                f"Resources.accelerator={resources.accelerator!r} selects machines with {value!r}, and no "
                f"machine has {selected[label]!r} as well. Leave the label out.",
                fatal=True,
            )


def _with_defaults(graph: Graph, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        field: graph.parameters[value["$runtime_parameter"]].default
        if isinstance(value, Mapping)
        else value
        for field, value in fields.items()
    }
