"""Compiling a pipeline to Kubeflow Pipelines IR."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from penstock.dsl import Pipeline
from penstock.dsl.exceptions import DefinitionError, ParameterError
from penstock.dsl.pod import SecretKey
from penstock.dsl.resources import Resources
from penstock.graph import Graph, GraphNode, compile_pipeline
from penstock.installation import install_command
from penstock.launch.code_folder import code_folder
from penstock.launch.pipeline_difference import PipelineDescription
from penstock.launch.project_archive import upload_project
from penstock.project_root import find_project_root
from penstock.runners.kubeflow.config import KubeflowConfig
from penstock.runners.kubeflow.container.object_store import enter_object_store
from penstock.runners.kubeflow.container.task import runtime_parameters
from penstock.runners.kubeflow.limits import limits
from penstock.runners.kubeflow.parameters import (
    pipeline_signature,
    with_configured,
    with_defaults,
)
from penstock.runners.kubeflow.replicas import pod_request
from penstock.runners.kubeflow.resources import is_replicated, parameters_of
from penstock.runners.kubeflow.tasks import add_task
from penstock.runners.protocol import Abilities, Limit, UnsupportedSetting

_LOG = logging.getLogger("penstock.runners.kubeflow")

_RETRIED_FOR = 366 * 24 * 3600
"""Seconds from the start of a task's first pod in which it is retried. Argo counts the time that pods run,
and its SDK's default is an hour: a training of two hours would never be tried again."""


_PROJECTS = ".projects"
"""Folder below the root for archives of projects; no node bears such a name."""


class MissingKubeflow(ImportError):
    """Kubeflow's SDK is not installed."""


class KubeflowDagRunner:
    """Writes a pipeline as a file that Kubeflow Pipelines runs.

    Args:
        config: How it is compiled.
        output_filename: The file; by default `<pipeline>.yaml` in the current folder.

    Example:
        KubeflowDagRunner(KubeflowConfig(image="taxi:3f2c")).run(pipeline)
    """

    NAME: ClassVar = "kubeflow"
    ABILITIES: ClassVar = Abilities(compiles=True)
    CONFIG: ClassVar = KubeflowConfig
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "image": "the image that runs the nodes (default: $PENSTOCK_IMAGE)",
        "root": "where all containers write artifacts, as gs://...",
        "code": "where containers find the project: `image` (default), or `root`, where it is put now",
        "store_secret": "the secret with the URL of the metadata store, as SECRET/KEY",
        "allow": "settings to leave out where Kubeflow cannot honour them, as priority_class,...",
    }

    @classmethod
    def from_options(cls, options: Mapping[str, str], config: KubeflowConfig | None = None) -> Self:
        """Return a runner with the settings that were typed, over those of a configuration."""
        given: dict[str, Any] = {}
        if options.get("image"):
            given["image"] = options["image"]
        if options.get("root"):
            given["pipeline_root"] = options["root"]
        if options.get("store_secret"):
            given["store"] = _secret_key(options["store_secret"])
        if options.get("code"):
            given["ship_project"] = _ships(options["code"])
        config = config or KubeflowConfig()
        allow = [each.strip() for each in options.get("allow", "").split(",")]
        given["allow"] = [*config.allow, *(each for each in allow if each)]
        return cls(dataclasses.replace(config, **given))

    def limits(self, graph: Graph) -> Sequence[Limit]:
        """Return what Kubeflow cannot do as the pipeline asks for it."""
        return limits(graph, self._config)

    def compile(self, graph: Graph, parameters: Mapping[str, Any] | None = None) -> str:
        """Return Kubeflow Pipelines IR; see `compile_to_yaml`."""
        return compile_to_yaml(graph, self._config, parameters)

    def describe(self, text: str) -> PipelineDescription:
        """Return what a compiled pipeline consists of; see `describe_compiled`."""
        from penstock.runners.kubeflow.compiled import describe_compiled

        return describe_compiled(text)

    def __init__(
        self, config: KubeflowConfig | None = None, output_filename: str | None = None
    ) -> None:
        self._config = config or KubeflowConfig()
        self._output_filename = output_filename

    def run(
        self, pipeline: Pipeline | Graph, *, parameters: Mapping[str, Any] | None = None
    ) -> Path:
        """Write the file and return its path.

        Args:
            pipeline: The pipeline, or its graph.
            parameters: Values of runtime parameters, as `compile_to_yaml`.

        Raises:
            UnsupportedSetting: As `compile_to_yaml`.
        """
        graph = pipeline if isinstance(pipeline, Graph) else compile_pipeline(pipeline)
        text = self.compile(graph, parameters)
        path = Path(self._output_filename or f"{graph.name}.yaml")
        path.write_text(text, encoding="utf-8")
        return path


def _ships(code: str) -> bool:
    if code not in ("image", "root"):
        raise ParameterError(
            f"The project's code is in the `image` or below the `root`. Received: {code!r}"
        )
    return code == "root"


def _with_archive(graph: Graph, config: KubeflowConfig) -> KubeflowConfig:
    """Return the configuration that names the project's archive, after putting it below the root."""
    if not config.ship_project:
        return config
    root = enter_object_store(str(config.pipeline_root or graph.root))
    folder = str(find_project_root(code_folder(graph)))
    url = upload_project(folder, f"{root}/{_PROJECTS}")
    _LOG.info("%s is in %s", folder, url)
    return dataclasses.replace(config, ship_project=False, project_archive=url)


def _secret_key(text: str) -> SecretKey:
    secret, slash, key = text.partition("/")
    if not slash:
        raise ParameterError(f"The store's secret is SECRET/KEY. Received: {text!r}")
    return SecretKey(secret, key)


def compile_to_yaml(
    graph: Graph, config: KubeflowConfig | None = None, parameters: Mapping[str, Any] | None = None
) -> str:
    """Return a pipeline as Kubeflow Pipelines IR: one container a node.

    Runtime parameters become parameters of the Kubeflow pipeline, and `pipeline_root` beside them.

    Args:
        graph: The pipeline.
        config: How it is compiled.
        parameters: Values of runtime parameters: the new defaults, and what is compiled in where
            Kubeflow takes no parameter.

    Raises:
        ArchiveError: If the project is to be put below the root and is too large.
        UnsupportedSetting: If Kubeflow cannot do what the pipeline asks for; the message names each
            node and setting. What it cannot do in full is logged as a warning.
        ParameterError: For a wrong runtime parameter, or one that must be compiled in and has no value.
        MissingKubeflow: If Kubeflow's SDK is not installed.

    Example:
        compile_to_yaml(compile_pipeline(pipeline), KubeflowConfig(image="taxi:3f2c"))
    """
    config = config or KubeflowConfig()
    graph = with_configured(graph, config)
    try:
        from kfp import compiler, dsl
    except ImportError as error:
        raise MissingKubeflow(
            f"Compiling for Kubeflow needs its SDK ({error}): {install_command('kubeflow')}"
        ) from None
    refusal = graph.main.refusal() if graph.main else ""
    if refusal:
        raise DefinitionError(refusal)
    found = limits(graph, config)
    fatal = [each for each in found if each.fatal]
    if fatal:
        raise UnsupportedSetting(
            f"Pipeline {graph.name!r} cannot run on Kubeflow as it is:\n"
            + "\n".join(f"  {each}" for each in fatal)
        )
    for each in found:
        _LOG.warning("%s", each)
    config = _with_archive(graph, config)
    graph = with_defaults(graph, parameters or {})
    resources = {node.id: _own_resources(graph, node, config) for node in graph.nodes}

    signature = pipeline_signature(graph, config)

    def define(*channels: Any) -> None:
        given = dict(zip(signature.parameters, channels, strict=True))
        tasks: dict[str, Any] = {}
        for node in graph.nodes:
            tasks[node.id] = add_task(graph, node, resources[node.id], config, given, tasks)

    define.__signature__ = signature  # type: ignore[attr-defined]
    pipeline = dsl.pipeline(name=_sanitized(graph.name), display_name=graph.name)(define)
    for task in pipeline.pipeline_spec.root.dag.tasks.values():
        if task.HasField("retry_policy"):
            task.retry_policy.backoff_max_duration.seconds = _RETRIED_FOR
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "pipeline.yaml")
        compiler.Compiler().compile(pipeline, path)
        return Path(path).read_text("utf-8")


def _own_resources(graph: Graph, node: GraphNode, config: KubeflowConfig) -> Resources:
    """Return what a node's own pod asks of its machine."""
    if not is_replicated(node.resources):
        return _resources(graph, node.id)
    if not runtime_parameters(node.resources):
        pod_request(
            node.bound_resources, config.replicas.to_json()
        )  # which refuses what is unknown
    return config.replicas.own_pod()


def _resources(graph: Graph, node_id: str) -> Resources:
    """Return what a node asks of its machine, with the defaults of runtime parameters."""
    kept = parameters_of(graph, graph[node_id])
    fields = {key: each for key, each in graph[node_id].resources.items() if key not in kept}
    names = runtime_parameters(fields)
    part = dataclasses.replace(
        graph,
        nodes=(dataclasses.replace(graph[node_id], resources=fields, parameters={}, pod={}),),
        parameters={name: graph.parameters[name] for name in names},
    )
    try:
        return part.bind({}).nodes[0].bound_resources
    except DefinitionError as error:
        raise type(error)(f"{node_id}: Resources: {error}") from None


def _sanitized(name: str) -> str:
    """Return a name as Kubernetes takes it: small letters, digits and hyphens."""
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-") or "pipeline"
