"""What a run tells while it goes on."""

from __future__ import annotations

from typing import Protocol

from penstock.graph import Graph
from penstock.runners.result import NodeResult, RunResult


class Progress(Protocol):
    """Is told of what happens in a run, in the thread that schedules it."""

    def began(self, graph: Graph, run_id: str) -> None:
        """Say that the run begins."""

    def changed(self, node: NodeResult) -> None:
        """Say that a node's state changed."""

    def note(self, text: str) -> None:
        """Say a line that concerns the whole run."""

    def ended(self, result: RunResult) -> None:
        """Say how the run ended."""


class SilentProgress:
    """Says nothing."""

    def began(self, graph: Graph, run_id: str) -> None:
        """Do nothing."""

    def changed(self, node: NodeResult) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def ended(self, result: RunResult) -> None:
        """Do nothing."""
