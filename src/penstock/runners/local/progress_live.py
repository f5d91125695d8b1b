"""Progress on a terminal: a line for each node, redrawn in place."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from penstock.runners.local.progress import Shown
from penstock.runners.local.progress_plain import elapsed, started_in, summary
from penstock.runners.result import NodeResult, NodeState, RunResult, failure_lines, resume_lines

_STYLES = {
    NodeState.PENDING: "dim",
    NodeState.RUNNING: "cyan",
    NodeState.RETRYING: "yellow",
    NodeState.COMPLETE: "green",
    NodeState.CACHED: "blue",
    NodeState.FAILED: "bold red",
    NodeState.SKIPPED: "dim",
    NodeState.CANCELED: "yellow",
}
_GLYPHS = {
    NodeState.PENDING: "·",
    NodeState.RETRYING: "↻",
    NodeState.COMPLETE: "✓",
    NodeState.CACHED: "≡",
    NodeState.FAILED: "✗",
    NodeState.SKIPPED: "-",
    NodeState.CANCELED: "■",
}
_PLAIN_GLYPHS = {
    NodeState.PENDING: ".",
    NodeState.RETRYING: "r",
    NodeState.COMPLETE: "+",
    NodeState.CACHED: "=",
    NodeState.FAILED: "x",
    NodeState.SKIPPED: "-",
    NodeState.CANCELED: "!",
}
_SPINNER, _PLAIN_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
_FRAMES_A_SECOND = 10
_WIDEST_NAME = 40
_MARGIN = 4
"""Lines of the terminal that are left to the rest."""


class LiveProgress:
    """Shows a line for each node: its state, its name, its time, and what is to say of it.

    Where the terminal has fewer lines than the graph has nodes, those that ended or wait are counted
    instead.

    Args:
        stream: A terminal.
    """

    explains = True
    tells = True

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, soft_wrap=False)
        self._nodes: dict[str, NodeResult] = {}
        self._since: dict[str, float] = {}
        self._notes: list[str] = []
        self._title = ""
        self._began = time.monotonic()
        self._live: Live | None = None

    def began(self, graph: Shown, run_id: str, *, seconds: float = 0.0) -> None:
        """Draw every node as waiting."""
        self._nodes = {node.id: NodeResult(node.id) for node in graph.nodes}
        self._title = f"{graph.name}  {run_id}"
        self._began = time.monotonic() - seconds
        self._live = Live(
            self,
            console=self._console,
            refresh_per_second=_FRAMES_A_SECOND,
            transient=True,
            redirect_stdout=False,
        )
        self._live.start()

    def changed(self, node: NodeResult) -> None:
        """Draw the node's new state with the next frame."""
        if node.state is NodeState.RUNNING:
            self._since[node.id] = time.monotonic() - node.seconds
        self._nodes[node.id] = node

    def advanced(self, node: NodeResult) -> None:
        """Draw it with the next frame."""
        self._nodes[node.id] = node

    def note(self, text: str) -> None:
        """Show it below the nodes."""
        self._notes.append(text)

    def ended(self, result: RunResult) -> None:
        """Leave the last state of each node, what failed, and a last line."""
        self.close()
        for line in self._lines(self._nodes.values()):
            self._console.print(line)
        self._console.print()
        for text in failure_lines(result):
            self._console.print(Text(text), soft_wrap=True)
        if result.failed:
            self._console.print()
        style = "green" if result.state == "COMPLETE" else "red"
        self._console.print(Text(summary(result), style=style), soft_wrap=True)
        for text in resume_lines(result):
            self._console.print(Text(text), soft_wrap=True)

    def close(self) -> None:
        """Stop drawing."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw a frame."""
        room = max(3, options.size.height - _MARGIN - len(self._notes))
        nodes = list(self._nodes.values())
        if len(nodes) > room:
            nodes = _most_telling(nodes, room)
        yield from self._lines(nodes)
        done = [node for node in self._nodes.values() if node.state.ended]
        cached = sum(node.state is NodeState.CACHED for node in done)
        text = f"  {len(done)} of {len(self._nodes)} nodes"
        text += f", {cached} cached" if cached else ""
        yield Text(f"{text}   {elapsed(time.monotonic() - self._began)}", style="dim")

    def _lines(self, nodes: Iterable[NodeResult]) -> Iterator[Text]:
        """Yield a title, a line for each node, and the notes."""
        nodes = list(nodes)
        yield Text(self._title, style="bold", no_wrap=True, overflow="ellipsis")
        width = min(max((cell_len(node.id) for node in nodes), default=0), _WIDEST_NAME)
        for node in nodes:
            quiet = "dim" if node.state in (NodeState.PENDING, NodeState.SKIPPED) else ""
            failed = node.state is NodeState.FAILED
            bad = node.verdict is not None and not node.verdict.ok
            yield Text.assemble(
                (f" {self._glyph(node.state)}  ", _STYLES[node.state]),
                (set_cell_size(node.id, width), quiet),
                (f"  {self._time(node):>8}  ", "dim"),
                (remark(node), "red" if failed else "yellow" if bad else "dim"),
                no_wrap=True,
                overflow="ellipsis",
            )
        for note in self._notes:
            yield Text(f"    {note}", style="yellow", no_wrap=True, overflow="ellipsis")

    def _glyph(self, state: NodeState) -> str:
        unicode = self._console.encoding.startswith("utf")
        if state is NodeState.RUNNING:
            frames = _SPINNER if unicode else _PLAIN_SPINNER
            return frames[int(time.monotonic() * _FRAMES_A_SECOND) % len(frames)]
        glyphs: Mapping[NodeState, str] = _GLYPHS if unicode else _PLAIN_GLYPHS
        return glyphs[state]

    def _time(self, node: NodeResult) -> str:
        if node.state is NodeState.RUNNING:
            return elapsed(time.monotonic() - self._since[node.id])
        if node.state in (NodeState.COMPLETE, NodeState.FAILED):
            return elapsed(node.seconds)
        return ""


def remark(node: NodeResult) -> str:
    """Return what is to say of a node besides its state and time."""
    said = node.verdict.text if node.verdict is not None and node.state.ended else ""
    if node.kept:
        return ", ".join(filter(None, ["done already", said]))
    if node.state is NodeState.CACHED:
        return ", ".join(filter(None, ["cached", said]))
    if node.state is NodeState.RETRYING:
        return f"attempt {node.attempts} failed, retrying: {node.error}"
    if node.state is NodeState.FAILED and said and node.rejected:
        return said
    if node.state in (NodeState.FAILED, NodeState.SKIPPED, NodeState.CANCELED):
        return node.error or ""
    if node.state is NodeState.COMPLETE and said:
        return ", ".join(filter(None, [said, started_in(node)]))
    attempt = f"attempt {node.attempts}" if node.attempts > 1 else ""
    if node.state is NodeState.RUNNING and node.progress:
        return ", ".join(filter(None, [attempt, node.progress]))
    return ", ".join(filter(None, [attempt, node.why, started_in(node)]))


def _most_telling(nodes: list[NodeResult], room: int) -> list[NodeResult]:
    """Return so many nodes, in their order: those that run or failed, then the last that ended."""
    order = {
        NodeState.RUNNING: 0,
        NodeState.RETRYING: 0,
        NodeState.FAILED: 1,
        NodeState.CANCELED: 2,
        NodeState.PENDING: 4,
        NodeState.SKIPPED: 5,
    }
    places = range(len(nodes))
    best = sorted(places, key=lambda place: (order.get(nodes[place].state, 3), -place))[:room]
    return [nodes[place] for place in sorted(best)]
