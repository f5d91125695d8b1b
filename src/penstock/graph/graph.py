"""The frozen form of a pipeline: plain values that every runner reads, in and out of JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, Self

from penstock.artifacts import Artifact
from penstock.dsl.exceptions import ParameterError, PipelineError, did_you_mean
from penstock.dsl.policy import Policy
from penstock.dsl.references import resolve
from penstock.dsl.resources import Resources
from penstock.dsl.runtime_parameter import RuntimeParameter

FORMAT = 1
"""Version of the JSON form."""


@dataclasses.dataclass(frozen=True, slots=True)
class Edge:
    """What an input reads: an output key of a producer."""

    producer: str
    key: str


@dataclasses.dataclass(frozen=True, slots=True)
class OutputDeclaration:
    """What a node writes under a key: the artifact type, its class, and whether it may be absent."""

    type_name: str
    artifact_class: str
    optional: bool = False

    def make(self, uri: str = "") -> Artifact:
        """Return an artifact of the declared class."""
        artifact: Artifact = resolve(self.artifact_class)(uri)
        return artifact


@dataclasses.dataclass(frozen=True, slots=True)
class GraphNode:
    """A node with everything that its execution needs, but for what the run decides.

    Attributes:
        id: Its name.
        kind: Component, resolver or importer.
        component: `module:Class` of a component, else empty.
        type_name: Execution type in the metadata store.
        type_annotation: ML Metadata's base type, or None.
        inputs: Edges by input key.
        outputs: Declarations by output key.
        parameters: Values in the form of `penstock.dsl.values.encode`.
        special: Parameters that are a `module_file` or an `external_path`.
        upstream: All nodes of the graph that end before it starts.
        policy: Retries, timeout, caching.
        resources: Fields of `Resources`, encoded.
        libraries: Distributions whose versions are keyed.
        uses_tensorflow: Whether a worker with TensorFlow runs it.
        uses_seed: Whether the seed is keyed.
        uses_lineage: Whether it is told what led to its inputs.
        beam_pipeline_args: Arguments for Beam.
    """

    id: str
    kind: Literal["component", "resolver", "importer"]
    component: str
    type_name: str
    type_annotation: str | None
    inputs: Mapping[str, tuple[Edge, ...]]
    outputs: Mapping[str, OutputDeclaration]
    parameters: Mapping[str, Any]
    special: Mapping[str, str]
    upstream: tuple[str, ...]
    policy: Policy
    resources: Mapping[str, Any]
    libraries: tuple[str, ...]
    uses_tensorflow: bool
    uses_seed: bool
    uses_lineage: bool
    beam_pipeline_args: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; defaults are left out."""
        value: dict[str, Any] = {"id": self.id, "kind": self.kind, "type": self.type_name}
        value["component"] = self.component
        value["base_type"] = self.type_annotation
        value["inputs"] = {
            key: [dataclasses.asdict(edge) for edge in edges] for key, edges in self.inputs.items()
        }
        value["outputs"] = {key: dataclasses.asdict(each) for key, each in self.outputs.items()}
        value["parameters"] = dict(self.parameters)
        value["special"] = dict(self.special)
        value["upstream"] = list(self.upstream)
        value["policy"] = self.policy.to_json()
        value["resources"] = dict(self.resources)
        value["libraries"] = list(self.libraries)
        value["uses_tensorflow"] = self.uses_tensorflow
        value["uses_seed"] = self.uses_seed
        value["uses_lineage"] = self.uses_lineage
        value["beam_pipeline_args"] = list(self.beam_pipeline_args)
        return {key: each for key, each in value.items() if each or isinstance(each, bool)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the node of which `to_json` made `value`."""
        return cls(
            id=value["id"],
            kind=value["kind"],
            component=value.get("component", ""),
            type_name=value["type"],
            type_annotation=value.get("base_type"),
            inputs={
                key: tuple(Edge(**edge) for edge in edges)
                for key, edges in value.get("inputs", {}).items()
            },
            outputs={
                key: OutputDeclaration(**each) for key, each in value.get("outputs", {}).items()
            },
            parameters=value.get("parameters", {}),
            special=value.get("special", {}),
            upstream=tuple(value.get("upstream", ())),
            policy=Policy(**value.get("policy", {})),
            resources=value.get("resources", {}),
            libraries=tuple(value.get("libraries", ())),
            uses_tensorflow=value.get("uses_tensorflow", False),
            uses_seed=value.get("uses_seed", True),
            uses_lineage=value.get("uses_lineage", False),
            beam_pipeline_args=tuple(value.get("beam_pipeline_args", ())),
        )

    @property
    def bound_resources(self) -> Resources:
        """Its resources, once the runtime parameters in them have values."""
        return Resources(**self.resources)


@dataclasses.dataclass(frozen=True, slots=True)
class Graph:
    """A pipeline as plain values.

    Attributes:
        name: Name of the pipeline.
        root: Folder or URL of the artifacts, or None for the project's default.
        metadata: URL of the metadata store, or None for the project's default.
        nodes: In a topological order.
        parameters: Runtime parameters by name.
        enable_cache: Whether earlier results are reused.
    """

    name: str
    root: str | None
    metadata: str | None
    nodes: tuple[GraphNode, ...]
    parameters: Mapping[str, RuntimeParameter]
    enable_cache: bool = True

    def __getitem__(self, id: str) -> GraphNode:
        """Return the node of that name.

        Raises:
            PipelineError: If there is none, with the nearest name.
        """
        for node in self.nodes:
            if node.id == id:
                return node
        near = did_you_mean(id, [node.id for node in self.nodes])
        raise PipelineError(f"Pipeline {self.name!r} has no node {id!r}.{near}")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "format": FORMAT,
            "name": self.name,
            "root": self.root,
            "metadata": self.metadata,
            "enable_cache": self.enable_cache,
            "parameters": {
                name: {
                    "type": each.ptype.__name__,
                    "default": each.default,
                    "description": each.description,
                }
                for name, each in sorted(self.parameters.items())
            },
            "nodes": [node.to_json() for node in self.nodes],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the graph of which `to_json` made `value`.

        Raises:
            ValueError: If it is of a newer form.
        """
        if value.get("format") != FORMAT:
            raise ValueError(
                f"This graph is of format {value.get('format')!r}; this Penstock reads {FORMAT}"
            )
        types = {"int": int, "float": float, "str": str, "bool": bool}
        return cls(
            name=value["name"],
            root=value["root"],
            metadata=value["metadata"],
            nodes=tuple(GraphNode.from_json(node) for node in value["nodes"]),
            parameters={
                name: RuntimeParameter(
                    name, types[each["type"]], each["default"], each["description"]
                )
                for name, each in value["parameters"].items()
            },
            enable_cache=value["enable_cache"],
        )

    def to_text(self) -> str:
        """Return the JSON form as text, always the same for equal graphs."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """SHA-256 of `to_text()`, as 64 hex digits."""
        return hashlib.sha256(self.to_text().encode()).hexdigest()

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a value for each runtime parameter: the given one, else its default.

        Args:
            given: Values by name; text is parsed as the parameter's type.

        Raises:
            ParameterError: For an unknown name, a value of another type, or one that is missing.
        """
        for name in given:
            if name not in self.parameters:
                near = did_you_mean(name, self.parameters)
                raise ParameterError(
                    f"Pipeline {self.name!r} has no runtime parameter {name!r}.{near}"
                )
        result: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            if name in given:
                value = given[name]
                text = isinstance(value, str) and parameter.ptype is not str
                result[name] = parameter.parse(value) if text else parameter.check(value)
            elif parameter.default is None:
                raise ParameterError(
                    f"Runtime parameter {name!r} of pipeline {self.name!r} has no default. Give it: "
                    f"--param {name}=VALUE"
                )
            else:
                result[name] = parameter.default
        return result

    def bind(self, given: Mapping[str, Any]) -> Self:
        """Return the graph with every runtime parameter replaced by its value.

        Raises:
            ParameterError: As `values`.
        """
        values = self.values(given)
        nodes = tuple(
            dataclasses.replace(
                node,
                parameters=_substitute(node.parameters, values),
                resources=_substitute(node.resources, values),
            )
            for node in self.nodes
        )
        for node in nodes:
            Resources(**node.resources)
        return dataclasses.replace(self, nodes=nodes)


def _substitute(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        if "$runtime_parameter" in value:
            return values[value["$runtime_parameter"]]
        return {key: _substitute(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [_substitute(each, values) for each in value]
    return value
