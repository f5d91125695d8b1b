"""Resolvers: artifacts of earlier runs, chosen when the pipeline runs."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Literal

from penstock.artifacts import Artifact, Model, ModelBlessing
from penstock.dsl.channel import Channel
from penstock.dsl.exceptions import ParameterError, WiringError
from penstock.dsl.node import Node, Outputs, as_sources
from penstock.spelling import names_its_arguments

OTHER_THAN = "other_than"
"""Input key of a resolver: the channel whose artifacts it must not find."""


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class LatestArtifacts:
    """Choose the newest live artifacts of each type that a pipeline published.

    Outputs of failed nodes are never chosen.

    Args:
        count: How many of each type at most.
        include_rejected: Whether to include artifacts that a gate rejected, such as an
            ExampleValidator with `fail_on`.
        pipeline: Name of another pipeline of the same store; by default the resolver's own.

    Raises:
        ParameterError: If `count` is below 1.
    """

    count: int = 1
    include_rejected: bool = False
    pipeline: str = ""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ParameterError(
                f"LatestArtifacts.count must be 1 or more. Received: {self.count!r}"
            )


@dataclasses.dataclass(frozen=True, slots=True)
class LatestBlessedModel:
    """Choose the newest model of a pipeline that an Evaluator blessed, with its blessing.

    Args:
        pipeline: Name of another pipeline of the same store; by default the resolver's own.
    """

    pipeline: str = ""


Strategy = LatestArtifacts | LatestBlessedModel


class Resolver(Node):
    """Finds artifacts that earlier runs of this or another pipeline published; it may find none.

    Args:
        strategy: How to choose.
        types: For each output key the artifact class to look for; for `LatestBlessedModel` the
            default is `model=Model, model_blessing=ModelBlessing`.
        other_than: A channel of this run that will be compared with the result. Artifacts are left
            out if they have the same content, if the same node made them from the same Examples,
            or, where the data has spans, if they are not of an earlier span; of earlier spans the
            latest is chosen. So a run that is repeated or resumed finds the same artifacts again,
            and not its own.

    Raises:
        WiringError: If a type is not an artifact class, or `other_than` is not a channel.

    Example:
        baseline = Resolver(LatestBlessedModel(), other_than=trainer.outputs["model"])
        Evaluator(..., baseline_model=baseline.outputs["model"])
    """

    KIND: ClassVar[Literal["component", "resolver", "importer"]] = "resolver"
    TYPE_NAME: ClassVar[str] = "tfx.dsl.components.common.resolver.Resolver"

    def __init__(
        self, strategy: Strategy, /, *, other_than: Any = None, **types: type[Artifact]
    ) -> None:
        super().__init__("Resolver")
        if not isinstance(strategy, (LatestArtifacts, LatestBlessedModel)):
            raise ParameterError(
                "Resolver takes a strategy: LatestArtifacts() or LatestBlessedModel(). "
                f"Received: {strategy!r}"
            )
        if isinstance(strategy, LatestBlessedModel) and not types:
            types = {"model": Model, "model_blessing": ModelBlessing}
        if not types:
            raise WiringError("Resolver(LatestArtifacts(), ...) needs types, such as model=Model")
        for key, each in types.items():
            if not (isinstance(each, type) and issubclass(each, Artifact)):
                raise WiringError(
                    f"Resolver({key}=...) takes an artifact class. Received: {each!r}"
                )
        if other_than is not None:
            self.inputs[OTHER_THAN] = as_sources(
                "Resolver", OTHER_THAN, other_than, Artifact, several=False
            )
        self.strategy: Any = strategy
        self.types = dict(types)
        self._outputs = Outputs(
            self, {key: Channel(self, key, each, optional=True) for key, each in types.items()}
        )
