"""Compiling a pipeline to its graph."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from penstock.dsl.channel import Channel
from penstock.dsl.component import Component
from penstock.dsl.exceptions import DefinitionError, PipelineError
from penstock.dsl.gates import judged_channels
from penstock.dsl.importer import Importer
from penstock.dsl.main_module import MAIN
from penstock.dsl.main_source import MainSource
from penstock.dsl.node import Node
from penstock.dsl.pipeline import Pipeline
from penstock.dsl.references import reference
from penstock.dsl.resolver import Resolver
from penstock.dsl.runtime_parameter import RuntimeParameter
from penstock.dsl.values import encode, runtime_parameters_in
from penstock.graph.graph import Graph
from penstock.graph.node import Edge, GraphNode, OutputDeclaration


def compile_pipeline(pipeline: Pipeline) -> Graph:
    """Return the graph of a pipeline.

    Raises:
        DefinitionError: If a component or parameter has no name that another process can import, or
            two runtime parameters of one name differ.
        PipelineError: If nodes were renamed or wired after the pipeline was created, so that it is
            no longer valid.
    """
    pipeline = pipeline.settled()
    inside = {id(node) for node in pipeline.nodes}
    nodes = tuple(
        compile_node(node, pipeline.beam_pipeline_args, inside, pipeline.gates_of(node))
        for node in pipeline.nodes
    )
    parameters = _parameters_of(pipeline.nodes)
    whole = _parameters_of((*pipeline.nodes, *pipeline.left_out))
    return Graph(
        name=pipeline.name,
        root=pipeline.root,
        metadata=pipeline.metadata,
        nodes=nodes,
        parameters=parameters,
        enable_cache=pipeline.enable_cache,
        left_out={name: each for name, each in whole.items() if name not in parameters},
        main=_main_source(nodes),
    )


def _main_source(nodes: Iterable[GraphNode]) -> MainSource | None:
    """Return the source of what the nodes name of `__main__`."""
    text = json.dumps([node.to_json() for node in nodes])
    names = set(re.findall(rf'"{MAIN}:(\w+)', text))
    return MainSource.of(names) if names else None


def _parameters_of(nodes: Iterable[Node]) -> dict[str, RuntimeParameter]:
    parameters: dict[str, RuntimeParameter] = {}
    for node in nodes:
        for name, parameter in runtime_parameters(node).items():
            other = parameters.setdefault(name, parameter)
            if other != parameter:
                raise PipelineError(
                    f"Two runtime parameters are named {name!r} and differ: {other!r} and {parameter!r}"
                )
    return parameters


def runtime_parameters(node: Node) -> dict[str, RuntimeParameter]:
    """Return the runtime parameters that a node's parameters, resources and pod name."""
    found = runtime_parameters_in((_values(node), node.resources.items(), node.pod.items()))
    return {parameter.name: parameter for parameter in found}


def compile_node(
    node: Node,
    beam_pipeline_args: Sequence[str] = (),
    inside: Collection[int] = (),
    gates: Sequence[Node] = (),
) -> GraphNode:
    """Return one node's frozen form.

    Args:
        node: The node.
        beam_pipeline_args: The pipeline's arguments for Beam, before the node's own.
        inside: `id()` of the nodes of the graph; others are not waited for.
        gates: The nodes that hold it back.

    Raises:
        DefinitionError: As `compile_pipeline`.
    """
    kind = type(node)
    component = reference(kind) if isinstance(node, Component) else ""
    special: dict[str, str] = {}
    libraries: Sequence[str] = ()
    runs_tensorflow = False
    if isinstance(node, Component):
        filled, _ = node.with_defaults()
        libraries, runs_tensorflow = filled.keyed_libraries(), filled.runs_tensorflow()
        special = {
            key: spec.kind
            for key, spec in kind.interface().parameters.items()  # type: ignore[attr-defined]
            if spec.kind != "value"
        }
    parameters: dict[str, Any] = {}
    for key, value in _values(node).items():
        try:
            parameters[key] = encode(value)
        except DefinitionError as error:
            raise type(error)(f"{node.id}({key}=...): {error}") from None
    return GraphNode(
        id=node.id,
        kind=node.KIND,
        component=component,
        type_name=getattr(kind, "TYPE_NAME", kind.__name__),
        type_annotation=getattr(kind, "TYPE_ANNOTATION", None),
        inputs={
            key: tuple(
                Edge(source.producer.id, source.key)
                for source in sources
                if isinstance(source, Channel)
            )
            for key, sources in node.inputs.items()
        },
        outputs={
            key: OutputDeclaration(
                channel.type.TYPE_NAME, reference(channel.type), channel.optional
            )
            for key, channel in node.outputs.items()
        },
        parameters=parameters,
        special=special,
        upstream=tuple(
            dict.fromkeys(each.id for each in (*node.upstream_nodes, *gates) if id(each) in inside)
        ),
        policy=node.policy,
        resources={key: encode(value) for key, value in node.resources.items().items()},
        pod=node.pod.to_json(),
        libraries=tuple(libraries),
        uses_tensorflow=runs_tensorflow,
        uses_seed=bool(getattr(kind, "USES_SEED", False)),
        uses_lineage=bool(getattr(kind, "USES_LINEAGE", False)),
        beam_pipeline_args=(*beam_pipeline_args, *node.beam_pipeline_args),
        made_at=node.made_at,
        gates=tuple(each.id for each in gates),
        judges=tuple(Edge(each.producer.id, each.key) for each in judged_channels(node)),
    )


def _values(node: Node) -> Mapping[str, Any]:
    if isinstance(node, Component):
        return node.parameters
    if isinstance(node, Resolver):
        return {"strategy": node.strategy}
    if isinstance(node, Importer):
        return {
            "source_uri": node.source_uri,
            "reimport": node.reimport,
            "properties": node.properties,
            "custom_properties": node.custom_properties,
        }
    return {}
