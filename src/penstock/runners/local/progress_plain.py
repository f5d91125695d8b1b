"""Progress where there is no terminal: a line for each change."""

from __future__ import annotations

import contextlib
import os
import time
from functools import partial
from typing import TextIO

from penstock.progress import Listener, at_most_every
from penstock.runners.local.progress import Shown
from penstock.runners.result import (
    NodeResult,
    NodeState,
    RunResult,
    failure_lines,
    resume_lines,
    short_error,
)
from penstock.spelling import counted

_WORTH_SAYING_SECONDS = 0.5

PROGRESS_SECONDS = 30.0
"""From one line about how far a node is to the next."""


class PlainProgress:
    """Prints a line for each change of a node.

    Args:
        stream: Where it is printed.
    """

    explains = True
    tells = True

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began = time.monotonic()
        self._listeners: dict[str, Listener] = {}

    def began(self, graph: Shown, run_id: str, *, seconds: float = 0.0) -> None:
        """Print the run and how many nodes it has."""
        self._began = time.monotonic() - seconds
        nodes = counted(len(graph.nodes), "node")
        self._say(f"run {run_id} of {graph.name}, {nodes}")

    def changed(self, node: NodeResult) -> None:
        """Print the node's new state."""
        if node.state is NodeState.RUNNING:
            say = partial(self._say_progress, node.id)
            self._listeners[node.id] = at_most_every(PROGRESS_SECONDS, say)
        self._say(f"{node.id} {describe(node)}")

    def advanced(self, node: NodeResult) -> None:
        """Print how far the node is, twice a minute."""
        self._listeners[node.id](node.progress)

    def note(self, text: str) -> None:
        """Print it."""
        self._say(text)

    def ended(self, result: RunResult) -> None:
        """Print what failed, and a last line."""
        if result.failed:
            self._print(*failure_lines(result))
        self._say(summary(result))
        if result.state != "COMPLETE":
            self._print(*resume_lines(result))

    def close(self) -> None:
        """Do nothing."""

    def _say_progress(self, node_id: str, text: str) -> None:
        self._say(f"{node_id}: {text}")

    def _say(self, text: str) -> None:
        self._print(f"[{time.monotonic() - self._began:7.1f} s] {text}")

    def _print(self, *lines: str) -> None:
        # Whoever read this may be gone; the run goes on.
        with contextlib.suppress(OSError, ValueError):
            try:
                print(*lines, sep="\n", file=self._stream, flush=True)
            except BrokenPipeError:
                _send_nowhere(self._stream)


def _send_nowhere(stream: TextIO) -> None:
    """Lead a stream that nobody reads to where what it still holds can be written at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def describe(node: NodeResult) -> str:
    """Return a node's state in words."""
    said = f": {node.verdict.text}" if node.verdict is not None else ""
    if node.kept:
        return f"is done already{said}"
    if node.state is NodeState.RUNNING:
        what = f"runs, attempt {node.attempts}" if node.attempts > 1 else "runs"
        return f"{what} ({node.why})" if node.why else what
    if node.state is NodeState.COMPLETE:
        start = started_in(node)
        return f"complete in {elapsed(node.seconds)}{f' ({start})' if start else ''}{said}"
    if node.state is NodeState.CACHED:
        return f"cached{said}"
    if node.state is NodeState.RETRYING:
        return f"failed, retrying: {node.error}"
    if node.state is NodeState.FAILED:
        return f"FAILED after {elapsed(node.seconds)}: {short_error(node)}"
    if node.state is NodeState.SKIPPED:
        return f"skipped: {node.error}"
    return f"{node.state.lower()}: {node.error}" if node.error else node.state.lower()


def started_in(node: NodeResult) -> str:
    """Return how long a node waited for its process and its imports, if that is worth a word."""
    if node.state is not NodeState.COMPLETE or node.start_seconds < _WORTH_SAYING_SECONDS:
        return ""
    return f"after {elapsed(node.start_seconds)} of imports"


def summary(result: RunResult) -> str:
    """Return one line: how the run ended, what its nodes did, how long it took.

    Example:
        >>> summary(RunResult("1", "COMPLETE", {"a": NodeResult("a", NodeState.CACHED)}, 0.31))
        'run 1 complete in 0.3 s: 1 cached'
    """
    words = {
        NodeState.COMPLETE: "ran",
        NodeState.CACHED: "cached",
        NodeState.FAILED: "failed",
        NodeState.SKIPPED: "skipped",
        NodeState.CANCELED: "canceled",
    }
    states = [node.state for node in result.nodes.values() if not node.kept]
    counts = [f"{states.count(state)} {word}" for state, word in words.items() if state in states]
    kept = len(result.nodes) - len(states)
    counts += [f"{kept} done before"] if kept else []
    why = f" ({result.error})" if result.state == "CANCELED" else ""
    bad = [
        node.id
        for node in result.nodes.values()
        if node.state.succeeded and node.verdict is not None and not node.verdict.ok
    ]
    look = f"; look at {', '.join(bad)}" if bad else ""
    return (
        f"run {result.run_id} {result.state.lower()} in {elapsed(result.seconds)}: "
        f"{', '.join(counts)}{why}{look}"
    )


def elapsed(seconds: float) -> str:
    """Return a time span as people read it.

    Example:
        >>> elapsed(0.04), elapsed(61), elapsed(7260)
        ('0.0 s', '1:01 min', '2:01 h')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h"
