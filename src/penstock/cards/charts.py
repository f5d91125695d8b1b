"""Charts as inline SVG; colours come from the page's style sheet, so that they follow its theme."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from penstock.cards.markup import Markup, tag

MISSING = "\N{EN DASH}"

_WIDTH, _HEIGHT = 360, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 38
SERIES_COLOURS = 6


def number(value: float | None) -> str:
    """Returns a number as a person reads it: four digits, and thousands set apart."""
    if value is None or not math.isfinite(value):
        return MISSING
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{int(value):,}"
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2e}"
    return f"{value:,.4f}".rstrip("0").rstrip(".") if abs(value) < 10 else f"{value:,.2f}"


def line_chart(
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    x_label: str,
    y_label: str,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    diagonal: bool = False,
    markers: bool = False,
) -> Markup:
    """Returns lines over a plane.

    Args:
        series: Points by name.
        x_label: What is to the right.
        y_label: What is upwards.
        x_range: Ends of the x axis; the data's by default.
        y_range: Ends of the y axis; the data's by default.
        diagonal: Whether the line of equality is drawn.
        markers: Whether each point is marked.
    """
    points = [point for line in series.values() for point in line]
    x_low, x_high = x_range or _range([x for x, _ in points])
    y_low, y_high = y_range or _range([y for _, y in points])
    if y_range is None and 0 < y_low < 0.3 * y_high:
        y_low = 0.0

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / ((x_high - x_low) or 1)
        up = (y - y_low) / ((y_high - y_low) or 1)
        return (
            _LEFT + across * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM),
        )

    parts: list[Markup] = []
    for i in range(5):
        y = y_low + (y_high - y_low) * i / 4
        x = x_low + (x_high - x_low) * i / 4
        (_, down), (across, _) = place(x_low, y), place(x, y_low)
        parts.append(tag("line", class_="grid", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=down, y2=down))
        parts.append(
            tag("text", _tick(y), class_="tick", x=_LEFT - 6, y=down + 3.5, text_anchor="end")
        )
        parts.append(
            tag("text", _tick(x), class_="tick", x=across, y=_HEIGHT - 22, text_anchor="middle")
        )
    if diagonal:
        (x1, y1), (x2, y2) = place(x_low, y_low), place(x_high, y_high)
        parts.append(tag("line", class_="diagonal", x1=x1, y1=y1, x2=x2, y2=y2))
    for i, (name, line) in enumerate(series.items()):
        colour = f"series s{i % SERIES_COLOURS}"
        placed = [place(x, y) for x, y in line if math.isfinite(x) and math.isfinite(y)]
        coordinates = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(tag("polyline", tag("title", name), class_=colour, points=coordinates))
        if markers:
            parts += [
                tag("circle", class_=f"dot s{i % SERIES_COLOURS}", cx=x, cy=y, r=2.5)
                for x, y in placed
            ]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(tag("text", x_label, class_="axis", x=middle, y=_HEIGHT - 6, text_anchor="middle"))
    half = (_HEIGHT - _BOTTOM + _TOP) / 2
    parts.append(
        tag(
            "text",
            y_label,
            class_="axis",
            text_anchor="middle",
            transform=f"translate(11 {half}) rotate(-90)",
        )
    )
    legend = [
        tag("span", tag("i", class_=f"key s{i % SERIES_COLOURS}"), name)
        for i, name in enumerate(series)
    ]
    return tag(
        "div",
        _svg(_WIDTH, _HEIGHT, *parts, label=f"{y_label} by {x_label}"),
        tag("div", legend, class_="legend") if len(series) > 1 else None,
        class_="chart",
    )


def histogram(bars: Sequence[tuple[str, float]], *, width: int = 132, height: int = 34) -> Markup:
    """Returns a small histogram; each bar's name and value show when pointed at."""
    if not bars:
        return tag("span", MISSING, class_="muted")
    highest = max(value for _, value in bars) or 1
    step = width / len(bars)
    rects = []
    for i, (name, value) in enumerate(bars):
        tall = max(0.0, value / highest * (height - 2))
        tall = max(tall, 1.0) if value > 0 else 0.0
        rects.append(
            tag(
                "rect",
                tag("title", f"{name}: {number(value)}"),
                class_="bar",
                x=i * step + 0.5,
                y=height - tall,
                width=max(step - 1, 0.5),
                height=tall,
            )
        )
    base = tag("line", class_="grid", x1=0, x2=width, y1=height - 0.5, y2=height - 0.5)
    return _svg(width, height, base, *rects, label="distribution", class_="spark")


def heatmap(cells: Sequence[Sequence[float]], names: Sequence[str]) -> Markup:
    """Returns a confusion matrix: a row an actual class, a column a predicted one."""
    count = len(names)
    size = max(34, min(64, 300 // max(count, 1)))
    margin = 8.0 + min(96, 7 * max((len(name) for name in names), default=1))
    parts = []
    for i, row in enumerate(cells):
        total = sum(row) or 1
        y = 34 + i * size
        parts.append(
            tag(
                "text", names[i], class_="tick", x=margin - 6, y=y + size / 2 + 4, text_anchor="end"
            )
        )
        for j, value in enumerate(row):
            x = margin + j * size
            share = value / total
            title = f"{number(value)} of actual {names[i]} predicted as {names[j]} ({share:.1%})"
            parts.append(
                tag(
                    "rect",
                    tag("title", title),
                    class_="cell right" if i == j else "cell wrong",
                    x=x,
                    y=y,
                    width=size - 2,
                    height=size - 2,
                    rx=4,
                    fill_opacity=0.07 + 0.85 * share if value else 0.04,
                )
            )
            parts.append(
                tag(
                    "text",
                    number(value),
                    class_="strong" if share > 0.5 else "tick",
                    x=x + size / 2 - 1,
                    y=y + size / 2 + 4,
                    text_anchor="middle",
                )
            )
    for j, name in enumerate(names):
        x = margin + j * size + size / 2 - 1
        parts.append(tag("text", name, class_="tick", x=x, y=28, text_anchor="middle"))
    width, height = margin + count * size + 8, 40.0 + count * size
    middle = margin + count * size / 2
    parts.append(tag("text", "predicted", class_="axis", x=middle, y=11, text_anchor="middle"))
    return tag("div", _svg(width, height, *parts, label="confusion matrix"), class_="chart")


def graph(nodes: Mapping[str, Sequence[str]], states: Mapping[str, str]) -> Markup:
    """Returns a DAG, left to right.

    Args:
        nodes: The upstream nodes of each node.
        states: The state of each node; it becomes the box's class.
    """
    depth: dict[str, int] = {}

    def depth_of(name: str) -> int:
        if name not in depth:
            depth[name] = 0
            above = [depth_of(other) for other in nodes[name] if other in nodes]
            depth[name] = max(above, default=-1) + 1
        return depth[name]

    columns: dict[int, list[str]] = {}
    for name in nodes:
        columns.setdefault(depth_of(name), []).append(name)
    box, high, gap_x, gap_y = 124.0, 30.0, 34.0, 16.0
    tallest = max((len(column) for column in columns.values()), default=0)
    height = tallest * (high + gap_y) + gap_y
    places = {}
    for i, column in columns.items():
        top = (height - len(column) * (high + gap_y) + gap_y) / 2
        for j, name in enumerate(column):
            places[name] = (4 + i * (box + gap_x), top + j * (high + gap_y))
    edges, boxes = [], []
    for name, (x, y) in places.items():
        for other in nodes[name]:
            if other in places:
                x0, y0 = places[other][0] + box, places[other][1] + high / 2
                bend = (x - x0) / 2
                y1 = y + high / 2
                curve = (x0, y0, x0 + bend, y0, x - bend, y1, x, y1)
                path = "M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}".format(*curve)
                edges.append(tag("path", class_="edge", d=path))
        state = states.get(name, "").lower()
        boxes.append(tag("rect", class_=f"node {state}", x=x, y=y, width=box, height=high, rx=7))
        shown = name if len(name) <= 17 else name[:16] + "…"
        boxes.append(
            tag(
                "text",
                tag("title", f"{name}: {state}"),
                shown,
                class_="node-name",
                x=x + box / 2,
                y=y + high / 2 + 4,
                text_anchor="middle",
            )
        )
    width = 8 + len(columns) * (box + gap_x) - gap_x
    return tag(
        "div",
        _svg(width, height, *edges, *boxes, label="lineage"),
        class_="chart wide",
    )


def _svg(width: float, height: float, *parts: Markup, label: str, class_: str = "") -> Markup:
    return tag(
        "svg",
        parts,
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
        aria_label=label,
        class_=class_ or None,
    )


def _tick(value: float) -> str:
    return f"{value:.2g}" if abs(value) < 1 else f"{value:.4g}"


def _range(values: Sequence[float]) -> tuple[float, float]:
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)
