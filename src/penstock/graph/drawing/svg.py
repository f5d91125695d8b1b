"""A graph as SVG: legible on light and on dark pages, with the states of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from penstock.graph.drawing.diagram import OUTSIDE, Box, Diagram
from penstock.graph.drawing.layout import Layout, Point, layered_layout

_HEIGHT = 50.0
_MARGIN = 28.0
_TITLE = 40.0

_STYLE = """
.page { fill: #ffffff } .title { fill: #1c2430; font-size: 17px; font-weight: 600 }
.box { fill: #f5f7fa; stroke: #b4bfcc; stroke-width: 1.2 }
.name { fill: #1c2430; font-size: 14px; font-weight: 600 } .note { fill: #5c6877; font-size: 11.5px }
.edge { fill: none; stroke: #8895a5; stroke-width: 1.4 } .waits { stroke-dasharray: 4 4 }
.head { fill: #8895a5 } .outside { fill: none; stroke-dasharray: 5 4 }
.COMPLETE { fill: #e3f6ea; stroke: #2c9a5b } .dot.COMPLETE { fill: #2c9a5b }
.CACHED { fill: #e4eefb; stroke: #3d7fd1 } .dot.CACHED { fill: #3d7fd1 }
.FAILED { fill: #fce6e3; stroke: #cf4436 } .dot.FAILED { fill: #cf4436 }
.RUNNING, .RETRYING { fill: #fdf3d7; stroke: #c9930e } .dot.RUNNING, .dot.RETRYING { fill: #c9930e }
.CANCELED { fill: #eee8f8; stroke: #8465bd } .dot.CANCELED { fill: #8465bd }
.PENDING, .SKIPPED { fill: #f1f2f4; stroke: #b9bec6 } .dot.PENDING, .dot.SKIPPED { fill: #b9bec6 }
.dot { stroke: none }
@media (prefers-color-scheme: dark) {
.page { fill: #14181f } .title, .name { fill: #e8edf4 } .note { fill: #9fabbb }
.box { fill: #1e2530; stroke: #465364 }
.edge { stroke: #6b7a8d } .head { fill: #6b7a8d } .outside { fill: none }
.COMPLETE { fill: #16301f; stroke: #36a866 } .CACHED { fill: #16263d; stroke: #4b8de0 }
.FAILED { fill: #3a1a18; stroke: #e0594b } .RUNNING, .RETRYING { fill: #362b10; stroke: #d9a522 }
.CANCELED { fill: #2a2140; stroke: #9a7ed0 } .PENDING, .SKIPPED { fill: #1d222b; stroke: #4d5663 } }
""".strip()


def draw_svg(diagram: Diagram) -> str:
    """Return an SVG document; hovering over a line names the artifacts that pass along it."""
    sizes = {box.id: _width(box) for box in diagram.boxes}
    edges = [(line.producer, line.consumer) for line in diagram.lines]
    layout = layered_layout(sizes, edges, box_height=_HEIGHT)
    width = max(layout.width, len(diagram.name) * 9.5) + 2 * _MARGIN
    height = layout.height + 2 * _MARGIN + _TITLE
    shift = _MARGIN + max(0.0, (width - 2 * _MARGIN - layout.width) / 2)
    down = _MARGIN + _TITLE

    def moved(point: Point) -> Point:
        return point[0] + shift, point[1] + down

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" '
        f"aria-label={quoteattr('Pipeline ' + diagram.name)} "
        'font-family="system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif">',
        f"<style>\n{_STYLE}\n</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path class="head" d="M0 0.6 L8 4 L0 7.4 z"/></marker></defs>',
        f'<rect class="page" width="{width:.0f}" height="{height:.0f}" rx="10"/>',
        f'<text class="title" x="{_MARGIN:.0f}" y="{_MARGIN + 10:.0f}">{escape(diagram.name)}</text>',
    ]
    leaving, arriving = _ports(layout, sizes)
    for line in diagram.lines:
        edge = line.producer, line.consumer
        points = [moved(point) for point in layout.paths[edge]]
        points[0] = points[0][0] + leaving[edge], points[0][1]
        points[-1] = points[-1][0] + arriving[edge], points[-1][1]
        waiting = "is held back by it" if line.gate else "waits for it"
        keys = ", ".join(line.keys) or waiting
        tip = f"{line.producer} \N{RIGHTWARDS ARROW} {line.consumer}: {keys}"
        waits = "" if line.keys else " waits"
        parts.append(
            f'<path class="edge{waits}" d="{_curve(points)}" marker-end="url(#head)">'
            f"<title>{escape(tip)}</title></path>"
        )
    for box in diagram.boxes:
        parts.extend(_draw_box(box, moved(layout.centres[box.id]), sizes[box.id]))
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _note(box: Box) -> str:
    if box.kind == OUTSIDE:
        return "from an earlier run"
    state = f"{box.status.state.lower()} {box.status.note}".strip() if box.status else ""
    said = box.status.short_verdict if box.status else ""
    return " · ".join(filter(None, (box.label, state, said))) or box.kind


def _width(box: Box) -> float:
    return (
        max(_text_width(box.id, 14.0, 0.66) + 16.0, _text_width(_note(box), 11.5, 0.6), 96.0) + 34.0
    )


def _text_width(text: str, size: float, factor: float) -> float:
    """Return about how wide text is: sans-serif letters are about 0.6 of the size wide."""
    wide = sum(1.6 if ord(each) > 0x2E7F else 1.0 for each in text)
    return wide * size * factor


Edge = tuple[str, str]


def _ports(
    layout: Layout, sizes: Mapping[str, float]
) -> tuple[dict[Edge, float], dict[Edge, float]]:
    """Return how far from the middle of its boxes each edge leaves and arrives."""
    leaving: dict[Edge, float] = {}
    arriving: dict[Edge, float] = {}
    for offsets, end, beside in ((leaving, 0, 1), (arriving, 1, -2)):
        of_box: dict[str, list[Edge]] = {}
        for edge in layout.paths:
            of_box.setdefault(edge[end], []).append(edge)
        for id, edges in of_box.items():
            edges.sort(key=lambda edge: layout.paths[edge][beside][0])
            step = min(16.0, sizes[id] * 0.6 / len(edges))
            for place, edge in enumerate(edges):
                offsets[edge] = (place - (len(edges) - 1) / 2) * step
    return leaving, arriving


def _curve(points: Sequence[Point]) -> str:
    """Return a path that bends between the layers and goes straight down through each."""
    (x, y), *rest = points
    path = f"M{x:.1f} {y + _HEIGHT / 2:.1f}"
    for index, (to_x, to_y) in enumerate(rest):
        start, end = y + _HEIGHT / 2, to_y - _HEIGHT / 2
        if index == len(rest) - 1:
            end -= 2
        bend = (end - start) * 0.55
        path += f" C{x:.1f} {start + bend:.1f} {to_x:.1f} {end - bend:.1f} {to_x:.1f} {end:.1f}"
        if index < len(rest) - 1:
            path += f" V{to_y + _HEIGHT / 2:.1f}"
        x, y = to_x, to_y
    return path


def _draw_box(box: Box, centre: Point, width: float) -> list[str]:
    left, top = centre[0] - width / 2, centre[1] - _HEIGHT / 2
    state = box.status.state if box.status else ""
    kind = f"box {state}" if state else "box outside" if box.kind == OUTSIDE else "box"
    radius = _HEIGHT / 2 if box.kind == "resolver" else 9
    parts = [
        f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" '
        f'height="{_HEIGHT:.0f}" rx="{radius:.0f}"/>'
    ]
    if state:
        parts.append(
            f'<circle class="dot {state}" cx="{left + width - 15:.1f}" cy="{top + 16:.1f}" r="4.5"/>'
        )
    x = left + 17
    parts.append(f'<text class="name" x="{x:.1f}" y="{top + 21:.1f}">{escape(box.id)}</text>')
    parts.append(f'<text class="note" x="{x:.1f}" y="{top + 38:.1f}">{escape(_note(box))}</text>')
    return parts
