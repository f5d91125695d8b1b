"""The value given for a component's parameter, checked against its annotation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.artifacts import Array, Artifact, Table, ValueArtifact
from penstock.dsl import values
from penstock.dsl.channel import Channel
from penstock.dsl.exceptions import ParameterError, WiringError
from penstock.dsl.interface import MISSING, ParameterSpec
from penstock.dsl.node import Node
from penstock.dsl.value_types import fits, value_type


def parameter_value(owner: str, key: str, spec: ParameterSpec, given: Mapping[str, Any]) -> Any:
    """Return a parameter's value, its default, or the channel or artifact that will supply it.

    Args:
        owner: Name of the component, for messages.
        key: Name of the parameter.
        spec: Its declaration.
        given: What the constructor was given, by name.

    Raises:
        ParameterError: If it is missing or does not fit.
        WiringError: If it is a channel of another type.
    """
    if key not in given:
        if spec.default is MISSING:
            raise ParameterError(
                f"{owner} needs {key}={values.describe(spec.annotation)}. Nothing was given."
            )
        return values.copy_of(spec.default)
    value = given[key]
    if isinstance(value, Node) and len(value.outputs) == 1:
        (value,) = value.outputs.values()
    wanted = value_type(spec.annotation)
    if isinstance(value, (Channel, Artifact)):
        given_type = value.type if isinstance(value, Channel) else type(value)
        if not issubclass(given_type, ValueArtifact):
            raise WiringError(
                f"{owner}({key}=...) is a parameter; it takes a value, or a channel of a value "
                f"artifact (Integer, String, ...). Received: {value!r}. To read that artifact, annotate "
                f"{key}: Input[{given_type.__name__}]."
            )
        if wanted is not None and not fits(given_type, wanted):
            raise WiringError(
                f"{owner}({key}=...) takes {values.describe(spec.annotation)}, a channel of "
                f"{wanted.TYPE_NAME}. Received: {value!r}"
            )
        return value
    if wanted in (Table, Array) and value is not None:
        raise ParameterError(
            f"{owner}({key}=...) takes the channel of an output, such as other.outputs['result']; "
            f"data cannot be a parameter. Received: {type(value).__name__}"
        )
    if not values.accepts(spec.annotation, value):
        raise ParameterError(
            f"{owner}({key}=...) takes {values.describe(spec.annotation)}. "
            f"Received: {type(value).__name__} {value!r}"
        )
    return values.copy_of(value)
