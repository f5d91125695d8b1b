"""Resolvers: artifacts of earlier runs, chosen when the pipeline runs."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Literal

from penstock.artifacts import Artifact, Model, ModelBlessing
from penstock.dsl.channel import Channel
from penstock.dsl.exceptions import ParameterError, WiringError
from penstock.dsl.node import Node, Outputs
from penstock.spelling import names_its_arguments


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class LatestArtifacts:
    """Choose the newest live artifacts of each type that this pipeline published.

    Args:
        count: How many of each at most.

    Raises:
        ParameterError: If `count` is below 1.
    """

    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ParameterError(f"LatestArtifacts.count is at least 1. Received: {self.count!r}")


@dataclasses.dataclass(frozen=True, slots=True)
class LatestBlessedModel:
    """Choose the newest model of this pipeline that an Evaluator blessed, with its blessing."""


Strategy = LatestArtifacts | LatestBlessedModel


class Resolver(Node):
    """Finds artifacts that earlier runs of the pipeline published; it may find none.

    Args:
        strategy: How to choose.
        types: For each output key the artifact class to look for; for `LatestBlessedModel` they are
            `model=Model, model_blessing=ModelBlessing` unless said otherwise.

    Raises:
        WiringError: If a type is no artifact class.

    Example:
        baseline = Resolver(LatestBlessedModel()).with_id("latest_blessed_model")
        Evaluator(..., baseline_model=baseline.outputs["model"])
    """

    KIND: ClassVar[Literal["component", "resolver", "importer"]] = "resolver"
    TYPE_NAME: ClassVar[str] = "tfx.dsl.components.common.resolver.Resolver"

    def __init__(self, strategy: Strategy, /, **types: type[Artifact]) -> None:
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
        self.strategy: Any = strategy
        self.types = dict(types)
        self._outputs = Outputs(
            self, {key: Channel(self, key, each, optional=True) for key, each in types.items()}
        )
