"""Channels: the typed edges between nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.artifacts import Artifact
from penstock.dsl.placeholder import Placeholder

if TYPE_CHECKING:
    from penstock.dsl.node import Node


class Channel(Placeholder):
    """An output of one node that other nodes can read.

    Args:
        producer: The node that writes the output.
        key: The producer's name for the output.
        type: Class of the artifacts.
        optional: Whether the producer may leave the output empty.

    Example:
        `StatisticsGen(examples=example_gen.outputs["examples"])`
    """

    def __init__(
        self, producer: Node, key: str, type: type[Artifact], *, optional: bool = False
    ) -> None:
        self.producer = producer
        self.key = key
        self.type = type
        self.optional = optional

    def __repr__(self) -> str:
        return f"{self.producer.id}.outputs[{self.key!r}] ({self.type.TYPE_NAME})"
