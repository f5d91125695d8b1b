"""A graph as text: one line per node, with rails from producers to consumers.

A rail goes down from each node that a later one reads; it turns right into its readers and ends at
the last one. A rail that is only crossed is drawn whole: `|` between two ends of the line.
"""

from __future__ import annotations

from collections.abc import Callable

from penstock.graph.drawing.diagram import OUTSIDE, Box, Diagram

_MARKS = {
    "COMPLETE": "●", "CACHED": "◆", "FAILED": "✗", "RUNNING": "▶", "CANCELED": "■",
    "PENDING": "○", "SKIPPED": "○", "RETRYING": "▶",
}  # fmt: skip
_ASCII = str.maketrans(
    "●◆✗▶■○◌│─├┼┴╰┤╯←·…", "*=x>#o~|-+++\\+/<.."
)  # fmt: skip

Style = Callable[[str, str], str]
"""Colours text: takes it and what it is (a state, `rail`, `name`, `dim`)."""


def draw_text(
    diagram: Diagram,
    *,
    width: int = 100,
    ascii_only: bool = False,
    style: Style | None = None,
) -> str:
    """Return the drawing, its lines at most `width` wide where the names allow it.

    Args:
        diagram: What to draw.
        width: Columns of the terminal.
        ascii_only: For terminals and files that are not UTF-8.
        style: Colours pieces; by default nothing is coloured.

    Example:
        >>> from penstock.graph.drawing import Box, Line
        >>> boxes = tuple(Box(name, "component") for name in "ABC")
        >>> print(draw_text(Diagram("p", boxes, (Line("A", "B"), Line("A", "C"), Line("B", "C")))))
        ● A
        ├─● B    ← A
        ╰─┴─● C  ← A, B
    """
    paint = style or (lambda text, what: text)
    rails = _rails(diagram)
    widest = max((len(rail) for rail in rails.values()), default=0)
    if widest > max(24, width // 2):
        rails = {box.id: _mark(box) for box in diagram.boxes}
        widest = 1
    reads: dict[str, list[str]] = {box.id: [] for box in diagram.boxes}
    for line in diagram.lines:
        gate = "gate " if line.gate else ""
        reads[line.consumer].append(f"{gate}{line.producer}")
    lefts = {box.id: len(rails[box.id]) + 1 + len(box.id) for box in diagram.boxes}
    left = max(lefts.values(), default=0)
    states = [f"{b.status.state.lower()} {b.status.note}".rstrip() if b.status else ""
              for b in diagram.boxes]  # fmt: skip
    middle = max(map(len, states), default=0)
    lines: list[str] = []
    for box, state in zip(diagram.boxes, states, strict=True):
        rail, mark = rails[box.id][:-1], rails[box.id][-1:]
        kind = box.status.state if box.status else "name"
        text = paint(rail, "rail") + paint(mark, kind) + " " + paint(box.id, "name")
        used = lefts[box.id]
        if middle:
            text += " " * (left - used + 2) + paint(state, kind)
            used = left + 2 + len(state)
        right = _right(box, reads[box.id])
        column = left + 2 + (middle + 2 if middle else 0)
        room = width - column
        if right and room >= 12:
            bad = box.status is not None and box.status.verdict and not box.status.verdict.ok
            text += " " * (column - used) + paint(_cut(right, room), "warning" if bad else "dim")
        lines.append(text.rstrip())
    drawing = "\n".join(lines)
    return drawing.translate(_ASCII) if ascii_only else drawing


def _mark(box: Box) -> str:
    if box.kind == OUTSIDE:
        return "◌"
    return _MARKS.get(box.status.state, "○") if box.status else "●"


def _right(box: Box, producers: list[str]) -> str:
    if box.kind == OUTSIDE:
        return "· from an earlier run"
    reads = f"← {', '.join(producers)}" if producers else ""
    label = f"· {box.label}" if box.label else ""
    said = box.status.short_verdict if box.status else ""
    return "  ".join(filter(None, (said, reads, label)))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def _rails(diagram: Diagram) -> dict[str, str]:
    """Return what stands left of each name: rails, connectors, and the node's mark last."""
    readers: dict[str, set[str]] = {box.id: set() for box in diagram.boxes}
    producers: dict[str, set[str]] = {box.id: set() for box in diagram.boxes}
    for line in diagram.lines:
        readers[line.producer].add(line.consumer)
        producers[line.consumer].add(line.producer)
    lanes: list[str | None] = []
    rails: dict[str, str] = {}
    for box in diagram.boxes:
        inputs = [place for place, owner in enumerate(lanes) if owner in producers[box.id]]
        for place in inputs:
            readers[str(lanes[place])].discard(box.id)
        ending = {place for place in inputs if not readers[str(lanes[place])]}
        own = max(inputs) + 1 if inputs else 0
        while own < len(lanes) and lanes[own] is not None:
            own += 1
        rails[box.id] = _row(lanes, inputs, ending, own) + _mark(box)
        for place in ending:
            lanes[place] = None
        while len(lanes) <= own:
            lanes.append(None)
        lanes[own] = box.id if readers[box.id] else None
        while lanes and lanes[-1] is None:
            lanes.pop()
    return rails


def _row(lanes: list[str | None], inputs: list[int], ending: set[int], own: int) -> str:
    """Return the columns left of a node in lane `own`, two characters a lane."""
    first = inputs[0] if inputs else own
    row = ""
    for place in range(own):
        if place in inputs:
            if place == first:
                row += "╰" if place in ending else "├"
            else:
                row += "┴" if place in ending else "┼"
        elif place < len(lanes) and lanes[place] is not None:
            row += "│"
        else:
            row += "─" if place > first else " "
        row += "─" if place >= first else " "
    return row
