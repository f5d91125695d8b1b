"""The interface of a component, read from its declaration."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

from penstock.artifacts import Artifact
from penstock.dsl import values
from penstock.dsl.exceptions import DefinitionError
from penstock.dsl.markers import Marker, OutputField
from penstock.dsl.placeholder import Placeholder

MISSING: Any = dataclasses.MISSING


@dataclasses.dataclass(frozen=True, slots=True)
class InputSpec:
    """An input: its artifact class, and whether it may be left out or is a list."""

    type: type[Artifact]
    optional: bool
    several: bool


@dataclasses.dataclass(frozen=True, slots=True)
class OutputSpec:
    """An output: its artifact class, and whether it may be absent."""

    type: type[Artifact]
    optional: bool


@dataclasses.dataclass(frozen=True, slots=True)
class ParameterSpec:
    """A parameter: its annotation, its default (`MISSING` for none), and its special kind."""

    annotation: Any
    default: Any
    kind: typing.Literal["value", "module_file", "external_path"]


@dataclasses.dataclass(frozen=True, slots=True)
class Interface:
    """Inputs, outputs and parameters of a component, each by name in the order of declaration."""

    inputs: Mapping[str, InputSpec]
    outputs: Mapping[str, OutputSpec]
    parameters: Mapping[str, ParameterSpec]

    @property
    def keywords(self) -> list[str]:
        """The keywords that the constructor takes."""
        return [*self.inputs, *self.parameters]


def read_interface(
    owner: str, annotations: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Interface:
    """Derive an interface from resolved annotations.

    Args:
        owner: Name of the component, for messages.
        annotations: Name to annotation, with `Annotated` kept.
        defaults: Name to default; absent names have none.

    Raises:
        DefinitionError: If an `Input` or `Output` does not name an artifact class.
    """
    inputs: dict[str, InputSpec] = {}
    outputs: dict[str, OutputSpec] = {}
    parameters: dict[str, ParameterSpec] = {}
    for name, annotation in annotations.items():
        inner, marker, optional = _unwrap(annotation)
        default = defaults.get(name, MISSING)
        if marker is None or marker.role in ("module_file", "external_path"):
            kind: Any = "value" if marker is None else marker.role
            _check_parameter(owner, name, annotation, default)
            parameters[name] = ParameterSpec(annotation, default, kind)
            continue
        several = typing.get_origin(inner) is not None
        artifact = typing.get_args(inner)[0] if several else inner
        if not (isinstance(artifact, type) and issubclass(artifact, Artifact)):
            raise DefinitionError(
                f"{owner}.{name}: {marker.role.capitalize()}[...] names an artifact class. "
                f"Received: {inner!r}"
            )
        if marker.role == "input":
            inputs[name] = InputSpec(artifact, optional or default is not MISSING, several)
        else:
            may_lack = isinstance(default, OutputField) and default.optional
            outputs[name] = OutputSpec(artifact, optional or may_lack)
    return Interface(inputs, outputs, parameters)


def _check_parameter(owner: str, name: str, annotation: Any, default: Any) -> None:
    plain = _unwrap(annotation)[0]
    members = typing.get_args(plain) if typing.get_origin(plain) else (plain,)
    for each in members:
        if isinstance(each, type) and issubclass(each, Artifact):
            raise DefinitionError(
                f"{owner}.{name} is annotated {values.describe(annotation)}; an artifact that is read is "
                f"annotated Input[{each.__name__}], one that is written Output[{each.__name__}]"
            )
    # None stands for a value that is not given, whatever is annotated.
    if default is MISSING or default is None or isinstance(default, (Placeholder, OutputField)):
        return
    if not values.accepts(annotation, default):
        raise DefinitionError(
            f"{owner}.{name} is annotated {values.describe(annotation)}, and its default does not fit. "
            f"Received: {type(default).__name__} {default!r}"
        )


def _unwrap(annotation: Any) -> tuple[Any, Marker | None, bool]:
    """Return (annotation without marker and None, marker, whether None is allowed)."""
    if typing.get_origin(annotation) is typing.Annotated:
        inner, *extras = typing.get_args(annotation)
        markers = [each for each in extras if isinstance(each, Marker)]
        return (inner, markers[0], False) if markers else (annotation, None, False)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = typing.get_args(annotation)
        rest = [each for each in members if each is not type(None)]
        if len(rest) == 1 and len(members) == 2:
            inner, marker, _ = _unwrap(rest[0])
            if marker is not None:
                return inner, marker, True
    return annotation, None, False
