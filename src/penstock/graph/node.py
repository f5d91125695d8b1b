"""The frozen form of a node: its inputs, outputs and requirements."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, Self

from penstock.artifacts import Artifact
from penstock.dsl.pod import PodSettings
from penstock.dsl.policy import Policy
from penstock.dsl.references import resolve
from penstock.dsl.resources import Resources


@dataclasses.dataclass(frozen=True, slots=True)
class Edge:
    """A source of an input: an output key of a producer."""

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
    """A node with everything that its execution needs, except what the run decides.

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
        gates: The nodes, of the graph or not, that hold it back when they reject what it reads.
        judges: What it rejects if it fails as a gate; empty if it is not a gate.
        policy: Retries, timeout, caching.
        resources: Fields of `Resources`, encoded.
        libraries: Distributions whose versions are keyed.
        uses_tensorflow: Whether a worker with TensorFlow runs it.
        uses_seed: Whether the seed is keyed.
        uses_lineage: Whether it receives the lineage of its inputs.
        beam_pipeline_args: Arguments for Beam.
        pod: `PodSettings` as plain values: how its pod is made on a cluster.
        made_at: File and line that made it, for messages; not in the JSON form.
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
    gates: tuple[str, ...] = ()
    judges: tuple[Edge, ...] = ()
    pod: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    made_at: tuple[str, int] | None = dataclasses.field(default=None, compare=False)

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
        value["gates"] = list(self.gates)
        value["judges"] = [dataclasses.asdict(edge) for edge in self.judges]
        value["policy"] = self.policy.to_json()
        value["resources"] = dict(self.resources)
        value["pod"] = dict(self.pod)
        value["libraries"] = list(self.libraries)
        value["uses_tensorflow"] = self.uses_tensorflow
        value["uses_seed"] = self.uses_seed
        value["uses_lineage"] = self.uses_lineage
        value["beam_pipeline_args"] = list(self.beam_pipeline_args)
        return {key: each for key, each in value.items() if each or isinstance(each, bool)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the node that `to_json` returned as `value`."""
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
            gates=tuple(value.get("gates", ())),
            judges=tuple(Edge(**edge) for edge in value.get("judges", ())),
            pod=value.get("pod", {}),
        )

    @property
    def bound_resources(self) -> Resources:
        """Its resources, once the runtime parameters in them have values."""
        return Resources(**self.resources)

    @property
    def bound_pod(self) -> PodSettings:
        """The settings of its pod, once the runtime parameters in them have values."""
        return PodSettings.from_json(self.pod)
