"""What a run tells while it goes on."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Literal, Protocol, TextIO

from penstock.runners.result import NodeResult, RunResult

ProgressKind = Literal["auto", "live", "plain", "none"]


class NamedNode(Protocol):
    """A node of what runs."""

    @property
    def id(self) -> str:
        """Its name."""


class Shown(Protocol):
    """What runs, as far as it is shown: a graph, or a pipeline that is compiled already."""

    @property
    def name(self) -> str:
        """The pipeline's name."""

    @property
    def nodes(self) -> Sequence[NamedNode]:
        """In a topological order."""


class Progress(Protocol):
    """Is told of what happens in a run, in the thread that schedules it.

    Attributes:
        explains: Whether it shows why a node was not found in the cache, and how far it is.
        tells: Whether it shows how the run ended.
    """

    explains: bool
    tells: bool

    def began(self, graph: Shown, run_id: str, *, seconds: float = 0.0) -> None:
        """Say that the run begins, or that it began so many seconds ago."""

    def changed(self, node: NodeResult) -> None:
        """Say that a node's state changed."""

    def advanced(self, node: NodeResult) -> None:
        """Say how far a running node is, if it is time to; called up to five times a second."""

    def note(self, text: str) -> None:
        """Say a line that concerns the whole run."""

    def ended(self, result: RunResult) -> None:
        """Say how the run ended."""

    def close(self) -> None:
        """Leave the terminal as it was found; idempotent."""


class SilentProgress:
    """Says nothing."""

    explains = False
    tells = False

    def began(self, graph: Shown, run_id: str, *, seconds: float = 0.0) -> None:
        """Do nothing."""

    def changed(self, node: NodeResult) -> None:
        """Do nothing."""

    def advanced(self, node: NodeResult) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def ended(self, result: RunResult) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def make_progress(kind: ProgressKind, stream: TextIO | None = None) -> Progress:
    """Return the object that shows a run's progress.

    Args:
        kind: `live`, `plain`, `none`, or `auto` to choose by whether `stream` is a terminal.
        stream: Where it is shown; standard error by default.
    """
    stream = stream or sys.stderr
    if kind == "auto":
        dumb = os.environ.get("TERM") == "dumb" or "CI" in os.environ
        kind = "live" if stream.isatty() and not dumb else "plain"
    if kind == "live":
        from penstock.runners.local.progress_live import LiveProgress

        return LiveProgress(stream)
    if kind == "plain":
        from penstock.runners.local.progress_plain import PlainProgress

        return PlainProgress(stream)
    if kind == "none":
        return SilentProgress()
    raise ValueError(f"progress is 'auto', 'live', 'plain' or 'none'. Received: {kind!r}")
