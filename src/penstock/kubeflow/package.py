"""A compiled pipeline as Kubeflow takes it: its tasks, its parameters, and the name of its content."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Self

from penstock.dsl.exceptions import ParameterError
from penstock.installation import install_command
from penstock.spelling import did_you_mean

_DIGITS = 12
"""Hex digits of the digest in a version's name."""

_NUMBERS = ("NUMBER_INTEGER", "NUMBER_DOUBLE")


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """A task of a pipeline.

    Attributes:
        id: The node, as Kubeflow shows it.
        name: Its name in the IR and in Argo.
        upstream: Names of the tasks before it.
    """

    id: str
    name: str
    upstream: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class PackageParameter:
    """A parameter of a pipeline: its type in the IR, and whether a run may leave it out."""

    name: str
    kind: str
    optional: bool

    def parse(self, value: Any) -> Any:
        """Return a value as the API takes it; text is read as the parameter's type.

        Raises:
            ParameterError: If it is of another type.
        """
        if self.kind == "STRING":
            return value if isinstance(value, str) else json.dumps(value)
        read = value
        if isinstance(value, str):
            text = value.lower() if self.kind == "BOOLEAN" else value
            try:
                read = json.loads(text)
            except ValueError:
                read = None
        whole = isinstance(read, float) and read.is_integer()
        if self.kind == "NUMBER_INTEGER" and whole:
            read = int(read)
        expected: Mapping[str, Any] = {
            "NUMBER_INTEGER": int,
            "NUMBER_DOUBLE": (int, float),
            "BOOLEAN": bool,
            "LIST": list,
            "STRUCT": dict,
        }
        number = self.kind in _NUMBERS and isinstance(read, bool)
        if number or not isinstance(read, expected.get(self.kind, object)):
            raise ParameterError(
                f"The pipeline's parameter {self.name!r} is of type {self.kind}. Received: {value!r}"
            )
        return read


@dataclasses.dataclass(frozen=True, slots=True)
class PipelinePackage:
    """A compiled pipeline.

    Attributes:
        name: Name of the pipeline, as Kubeflow takes it.
        nodes: Its tasks, each after those that it waits for.
        parameters: Its parameters by name.
        text: The YAML.
    """

    name: str
    nodes: tuple[Task, ...]
    parameters: Mapping[str, PackageParameter]
    text: str = dataclasses.field(repr=False, default="")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the pipeline that YAML holds, as `compile_to_yaml` or another compiler of KFP writes it.

        Raises:
            ValueError: If it is no pipeline.

        Example:
            PipelinePackage.parse(compile_to_yaml(graph, config))
        """
        try:
            import yaml  # type: ignore[import-untyped]
        except ImportError as error:
            raise ImportError(
                f"Reading a compiled pipeline needs PyYAML ({error}): {install_command('kubeflow')}"
            ) from None
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            first = next(yaml.load_all(text, Loader=loader), None)
        except yaml.YAMLError as error:
            raise ValueError(f"this is no YAML: {' '.join(str(error).split())}") from None
        return cls.of_spec(first, text)

    @classmethod
    def of_spec(cls, spec: Any, text: str = "") -> Self:
        """Return the pipeline of a PipelineSpec in JSON form, as the API returns it.

        Raises:
            ValueError: If it is none.
        """
        if isinstance(spec, Mapping) and "pipeline_spec" in spec:
            spec = spec["pipeline_spec"]  # beside a platform's own
        try:
            tasks = spec["root"]["dag"]["tasks"]
            name = spec["pipelineInfo"]["name"]
            declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
        except (LookupError, TypeError):
            raise ValueError(
                "this is no pipeline in Kubeflow's IR (v2): it has no root.dag.tasks or pipelineInfo.name"
            ) from None
        return cls(
            name=name,
            nodes=_in_order(
                {
                    key: Task(
                        each.get("taskInfo", {}).get("name", key),
                        key,
                        tuple(each.get("dependentTasks", ())),
                    )
                    for key, each in tasks.items()
                }
            ),
            parameters={
                key: PackageParameter(
                    key, each.get("parameterType", "STRING"), bool(each.get("isOptional"))
                )
                for key, each in declared.items()
            },
            text=text,
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the YAML, as 64 hex digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def version_name(self) -> str:
        """Name of the version: the same for the same content, whoever uploads it and when."""
        return f"{self.name}-{self.digest[:_DIGITS]}"

    def task(self, node_id: str) -> Task:
        """Return the task of a node, by the node's name or the task's.

        Raises:
            ValueError: If there is none, with the nearest name.
        """
        for each in self.nodes:
            if node_id in (each.id, each.name):
                return each
        near = did_you_mean(node_id, [each.id for each in self.nodes])
        raise ValueError(f"Pipeline {self.name!r} has no node {node_id!r}.{near}")

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a run's parameters as the API takes them.

        Raises:
            ParameterError: For an unknown name, a value of another type, or one that is missing.
        """
        for name in given:
            if name not in self.parameters:
                near = did_you_mean(name, self.parameters)
                raise ParameterError(f"Pipeline {self.name!r} has no parameter {name!r}.{near}")
        for name, parameter in self.parameters.items():
            if name not in given and not parameter.optional:
                how = (
                    "Give where all containers write artifacts: --root gs://..."
                    if name == "pipeline_root"
                    else f"Give it: --param {name}=..."
                )
                raise ParameterError(
                    f"The parameter {name!r} of pipeline {self.name!r} has no default. {how}"
                )
        return {name: self.parameters[name].parse(value) for name, value in given.items()}


def _in_order(tasks: Mapping[str, Task]) -> tuple[Task, ...]:
    """Return tasks so that each comes after those that it waits for."""
    ordered: dict[str, Task] = {}

    def add(name: str) -> None:
        if name in ordered or name not in tasks:
            return
        for before in tasks[name].upstream:
            add(before)
        ordered[name] = tasks[name]

    for name in tasks:
        add(name)
    return tuple(ordered.values())
