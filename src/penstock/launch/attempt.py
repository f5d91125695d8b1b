"""One try at a node, as plain values that travel to the process that executes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

from penstock.artifacts import Artifact, ValueArtifact, Verdict, layout
from penstock.dsl.main_source import MainSource
from penstock.dsl.references import resolve
from penstock.graph import GraphNode
from penstock.store.records import Usage


@dataclasses.dataclass(frozen=True, slots=True)
class RunSettings:
    """What all attempts of a run share.

    Attributes:
        run_id: Name of the run.
        pipeline: Name of the pipeline.
        pipeline_root: Absolute folder or URL of the artifacts.
        project_root: Absolute folder that user code is imported from.
        seed: Seed for everything random, or None.
        deterministic: Whether equal inputs must give bit-equal outputs.
        main_source: Source of a notebook's or prompt's definitions (`Graph.main`), or None.
        unknown: Names in it whose values no key can hold.
        code_version: Git commit of the project, with `+` if its working tree has changes.
    """

    run_id: str
    pipeline: str
    pipeline_root: str
    project_root: str
    seed: int | None = None
    deterministic: bool = False
    main_source: str | None = None
    unknown: tuple[str, ...] = ()
    code_version: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, from which `from_json` makes equal settings."""
        return dataclasses.asdict(self) | {"unknown": list(self.unknown)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the settings of which `to_json` made `value`."""
        return cls(**{**value, "unknown": tuple(value["unknown"])})

    def with_main(self, main: MainSource | None) -> Self:
        """Return the settings with a notebook's or prompt's definitions."""
        if main is None:
            return self
        return dataclasses.replace(self, main_source=main.text, unknown=tuple(main.refused))


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a node.

    Attributes:
        node: The node, its runtime parameters bound.
        settings: What all attempts of the run share.
        execution_id: Row in the store; names the folders.
        number: 1 for the first try.
        inputs: Artifacts by key.
        outputs: Where to write, by key; each in a folder of this attempt's own.
        working_dir: Scratch folder, local; removed when the attempt ends.
        log_path: File that keeps what the attempt prints, local.
        accelerators: Devices that the attempt holds.
        lineage: What led to the inputs.
        key_parts: Its cache key in readable form: what its checkpoints depend on.
    """

    node: GraphNode
    settings: RunSettings
    execution_id: int
    number: int
    inputs: Mapping[str, Sequence[Artifact]]
    outputs: Mapping[str, Artifact]
    working_dir: str
    log_path: str
    accelerators: tuple[str, ...] = ()
    lineage: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    key_parts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def checkpoint_dir(self) -> str:
        """Where all attempts at the node in this run keep their checkpoints, below the pipeline's root."""
        settings = self.settings
        return layout.checkpoint_folder(settings.pipeline_root, self.node.id, settings.run_id)

    @classmethod
    def laid_out(
        cls,
        node: GraphNode,
        settings: RunSettings,
        execution_id: int,
        *,
        inputs: Mapping[str, Sequence[Artifact]],
        number: int = 1,
        system_root: str | None = None,
        lineage: Mapping[str, Any] | None = None,
        key_parts: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return an attempt whose outputs, log and scratch folder lie where TFX lays them.

        Args:
            node: The node.
            settings: Of the run.
            execution_id: Row of the execution; it names the folders.
            inputs: Artifacts by key.
            number: Which try it is, from 1.
            system_root: Local folder for logs and scratch; the pipeline's root by default.
            lineage: What led to the inputs.
            key_parts: Its cache key in readable form.
        """
        system = system_root or settings.pipeline_root
        return cls(
            node=node,
            settings=settings,
            execution_id=execution_id,
            number=number,
            inputs=inputs,
            outputs=output_artifacts(node, settings.pipeline_root, execution_id),
            working_dir=layout.scratch_folder(system, node.id, execution_id),
            log_path=layout.log_file(system, node.id, execution_id),
            lineage=lineage or {},
            key_parts=key_parts or {},
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, from which `from_json` makes an equal attempt."""
        return {
            "node": self.node.to_json(),
            "settings": self.settings.to_json(),
            "execution_id": self.execution_id,
            "number": self.number,
            "inputs": {
                key: [artifact.to_json() for artifact in each] for key, each in self.inputs.items()
            },
            "outputs": {key: artifact.to_json() for key, artifact in self.outputs.items()},
            "working_dir": self.working_dir,
            "log_path": self.log_path,
            "accelerators": list(self.accelerators),
            "lineage": dict(self.lineage),
            "key_parts": dict(self.key_parts),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the attempt of which `to_json` made `value`.

        Artifact classes are imported, so the project's root must be on the import path.
        """
        return cls(
            node=GraphNode.from_json(value["node"]),
            settings=RunSettings.from_json(value["settings"]),
            execution_id=value["execution_id"],
            number=value["number"],
            inputs={
                key: [artifact_from_json(artifact) for artifact in each]
                for key, each in value["inputs"].items()
            },
            outputs={key: artifact_from_json(each) for key, each in value["outputs"].items()},
            working_dir=value["working_dir"],
            log_path=value["log_path"],
            accelerators=tuple(value["accelerators"]),
            lineage=value["lineage"],
            key_parts=value["key_parts"],
        )


@dataclasses.dataclass(frozen=True, slots=True)
class AttemptResult:
    """How an attempt ended.

    Attributes:
        outputs: What was written, with properties and fingerprints; of a failed attempt only what a
            gate wrote that rejected what it judged.
        error: One line, `Type: message`; None if it succeeded.
        traceback: The user's traceback, innermost frame last; empty if there is none.
        usage: What it used.
        metrics: What it reported.
        verdict: Its verdict, if it judged something.
        rejected: Whether it is a gate that rejected what it judged: trying again changes nothing.
    """

    outputs: Mapping[str, Artifact]
    error: str | None = None
    traceback: str = ""
    usage: Usage = dataclasses.field(default_factory=Usage)
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    verdict: Verdict | None = None
    rejected: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, from which `from_json` makes an equal result."""
        return {
            "outputs": {key: artifact.to_json() for key, artifact in self.outputs.items()},
            "error": self.error,
            "traceback": self.traceback,
            "usage": dataclasses.asdict(self.usage),
            "metrics": dict(self.metrics),
            "verdict": self.verdict and self.verdict.to_json(),
            "rejected": self.rejected,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the result of which `to_json` made `value`."""
        return cls(
            outputs={key: artifact_from_json(each) for key, each in value["outputs"].items()},
            error=value["error"],
            traceback=value["traceback"],
            usage=Usage(**value["usage"]),
            metrics=value["metrics"],
            verdict=Verdict.from_json(value.get("verdict")),
            rejected=value.get("rejected", False),
        )


def artifact_from_json(value: Mapping[str, Any]) -> Artifact:
    """Return the artifact of which `Artifact.to_json` made `value`, of its own class."""
    artifact: Artifact = resolve(value["class"]).from_json(value)
    return artifact


def output_artifacts(
    node: GraphNode, pipeline_root: str, execution_id: int | str
) -> dict[str, Artifact]:
    """Return the outputs of an attempt, each in its own place `{root}/{node}/{key}/{execution}`.

    The URI of a value artifact ends in `/value`, as TFX's does.
    """
    outputs: dict[str, Artifact] = {}
    for key, declaration in node.outputs.items():
        artifact = declaration.make(layout.output_folder(pipeline_root, node.id, key, execution_id))
        if isinstance(artifact, ValueArtifact) and artifact.URI_NAMES_FILE:
            artifact.uri = artifact.value_uri
        outputs[key] = artifact
    return outputs


def output_folder(artifact: Artifact) -> str:
    """Return the folder that is an attempt's own for this output."""
    if isinstance(artifact, ValueArtifact) and artifact.URI_NAMES_FILE:
        return artifact.uri.removesuffix("/value")
    return artifact.uri


TFX_VERSION = "1.21.0"
"""The TFX whose layout and properties our artifacts have; its tools look at it."""


def stamp(artifact: Artifact) -> None:
    """Add the custom properties that TFX's publisher adds to what a component wrote."""
    artifact.custom_properties.setdefault("tfx_version", TFX_VERSION)
    artifact.custom_properties.setdefault("is_external", 0)
