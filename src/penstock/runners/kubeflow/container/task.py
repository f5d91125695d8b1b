"""What a container is told of its node: constants of the compiled pipeline, as one JSON text."""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib
from collections.abc import Mapping
from typing import Any, Self

from penstock.graph import Edge, Graph, GraphNode

PIPELINE_ROOT = "pipeline-root"
"""Input parameter: folder or URL of the artifacts."""

RUN_ID = "run-id"
"""Input parameter: name of the run, where a metadata store is used."""


def parameter_input(name: str) -> str:
    """Return the name of the task's input that holds a runtime parameter.

    A hyphen keeps it apart from the keys of artifacts, which are identifiers.
    """
    return f"parameter-{name}"


def artifact_inputs(node: GraphNode) -> dict[str, Edge]:
    """Return the task's input artifacts: name to what it reads.

    It is the input's key; a key with several sources has one input for each, `key-0`, `key-1`, ...
    """
    return {
        key if len(edges) == 1 else f"{key}-{index}": edge
        for key, edges in node.inputs.items()
        for index, edge in enumerate(edges)
    }


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerTask:
    """A node as the container that runs it is told of it.

    Attributes:
        graph: The pipeline, cut down to the one node; its runtime parameters are not bound.
        pipeline: The whole graph as text, for the store. Only the first node has it: what each task is told
            is kept twice in the cluster, where a pipeline's size is limited to about a megabyte.
        pipeline_digest: Digest of the whole graph; empty where there is no store.
        archive: URL of the project's archive; None if the project is in the image.
        seed: Seed of the run.
        deterministic: Whether equal inputs must give bit-equal outputs.
        replicas: How pods of the node are made (`ReplicaPods.to_json`); None if it has one alone.
        looks: Whether the container only looks at what the node reads from outside (`sources`).
    """

    graph: Graph
    pipeline: str = ""
    pipeline_digest: str = ""
    archive: str | None = None
    seed: int | None = None
    deterministic: bool = False
    replicas: Mapping[str, Any] | None = None
    looks: bool = False

    @property
    def node(self) -> GraphNode:
        """The node, not bound."""
        return self.graph.nodes[0]

    @classmethod
    def of(cls, graph: Graph, node: GraphNode, *, recorded: bool = False, **constants: Any) -> Self:
        """Return the task of one node of a graph; what it asks of its machine and pod is left out.

        A node with several replicas keeps it, since it makes their pods.

        Args:
            graph: The pipeline.
            node: The node.
            recorded: Whether a store is to hear of the run: it wants the whole graph, once, and all
                runtime parameters, not only the node's.
            constants: The other attributes.
        """
        resources = node.resources if constants.get("replicas") else {}
        names = runtime_parameters([node.parameters, resources])
        if recorded:
            names = set(graph.parameters)
        # The URL of a store may hold a password, which is not to be read in a pipeline's arguments.
        graph = dataclasses.replace(graph, metadata=None)
        part = dataclasses.replace(
            graph,
            root=None,
            nodes=(dataclasses.replace(node, resources=resources, pod={}),),
            parameters={name: each for name, each in graph.parameters.items() if name in names},
        )
        whole = graph.to_text() if recorded and node.id == graph.nodes[0].id else ""
        return cls(part, whole, graph.digest if recorded else "", **constants)

    def to_text(self) -> str:
        """Return the JSON text, free of what Kubeflow, Argo or Kubernetes would expand in it.

        `{{` and `$(` can stand only inside strings of a JSON text, where an escape means the same.
        """
        value = {
            "graph": self.graph.to_json(),
            "pipeline": _packed(self.pipeline),
            "pipeline_digest": self.pipeline_digest,
            "archive": self.archive,
            "seed": self.seed,
            "deterministic": self.deterministic,
            "replicas": self.replicas,
            "looks": self.looks or None,
        }
        text = json.dumps({key: each for key, each in value.items() if each or each == 0})
        return text.replace("{{", "{\\u007b").replace("$(", "\\u0024(")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the task of which `to_text` made the text.

        Raises:
            ValueError: If it is none, or of a newer form.
        """
        value = json.loads(text)
        return cls(
            graph=Graph.from_json(value["graph"]),
            pipeline=_unpacked(value.get("pipeline", "")),
            pipeline_digest=value.get("pipeline_digest", ""),
            archive=value.get("archive"),
            seed=value.get("seed"),
            deterministic=bool(value.get("deterministic", False)),
            replicas=value.get("replicas"),
            looks=bool(value.get("looks", False)),
        )


def _packed(text: str) -> str:
    """Return a text for the arguments of a task: a pipeline's size is limited to a megabyte."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode() if text else ""


def _unpacked(packed: str) -> str:
    return zlib.decompress(base64.b64decode(packed)).decode() if packed else ""


def runtime_parameters(value: Any) -> set[str]:
    """Return the names of the runtime parameters in encoded values.

    Example:
        >>> runtime_parameters({"epochs": {"$runtime_parameter": "epochs"}, "rate": 0.1})
        {'epochs'}
    """
    if isinstance(value, Mapping):
        if "$runtime_parameter" in value:
            return {value["$runtime_parameter"]}
        value = list(value.values())
    if isinstance(value, list | tuple):
        return {name for each in value for name in runtime_parameters(each)}
    return set()
