"""Charts as inline SVG; colours come from the page's style sheet, so that they follow its theme."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from penstock.cards.axes import rounded_range, tick_labels, ticks
from penstock.cards.markup import Markup, tag

MISSING = "\N{EN DASH}"

WIDTH, HEIGHT = 480, 280
_RIGHT, _TOP, _BOTTOM = 16, 12, 42
_MARGIN, _LETTER = 30, 6.5
"""To the left of the numbers of the y axis, and for each letter of them."""
SERIES_COLOURS = 6


def number(value: float | None) -> str:
    """Return a number as a person reads it: four digits, and thousands set apart."""
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
    ranges: tuple[tuple[float, float] | None, tuple[float, float] | None] = (None, None),
    reference: Literal["diagonal", "zero"] | None = None,
    markers: bool = False,
    whole_x: bool = False,
) -> Markup:
    """Return lines over a plane.

    Args:
        series: Points by name.
        x_label: What is to the right.
        y_label: What is upwards.
        ranges: Ends of the x and the y axis; round numbers around the data by default.
        reference: A dashed line to compare with: where both are equal, or where y is 0.
        markers: Whether each point is marked.
        whole_x: Whether x is a number of something, such as epochs.
    """
    points = [point for line in series.values() for point in line]
    plane = Plane(points, ranges, zero=reference == "zero", whole_x=whole_x)
    parts = plane.grid()
    if reference is not None:
        (x0, x1), (y0, y1) = plane.x_range, plane.y_range
        low, high = max(x0, y0), min(x1, y1)
        ends = [(low, low), (high, high)] if reference == "diagonal" else [(x0, 0.0), (x1, 0.0)]
        (left, bottom), (right, top) = (plane.place(x, y) for x, y in ends)
        parts.append(tag("line", class_="diagonal", x1=left, y1=bottom, x2=right, y2=top))
    for i, (name, line) in enumerate(series.items()):
        colour = f"s{i % SERIES_COLOURS}"
        placed = [plane.place(x, y) for x, y in line if math.isfinite(x) and math.isfinite(y)]
        coordinates = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(
            tag("polyline", tag("title", name), class_=f"series {colour}", points=coordinates)
        )
        if markers:
            parts += [tag("circle", class_=f"dot {colour}", cx=x, cy=y, r=2.5) for x, y in placed]
    parts += plane.labels(x_label, y_label)
    legend = [
        tag("span", tag("i", class_=f"key s{i % SERIES_COLOURS}"), name)
        for i, name in enumerate(series)
    ]
    return tag(
        "div",
        svg(WIDTH, HEIGHT, *parts, label=f"{y_label} by {x_label}"),
        tag("div", legend, class_="legend") if len(series) > 1 else None,
        class_="chart plane",
    )


class Plane:
    """Two axes with round ends, and where a point lies between them.

    Args:
        points: What is to have room.
        ranges: Ends of the x and the y axis; round numbers around the points by default.
        zero: Whether 0 is upwards, too.
        whole_x: Whether x is a number of something, such as epochs.
    """

    def __init__(
        self,
        points: Sequence[tuple[float, float]],
        ranges: tuple[tuple[float, float] | None, tuple[float, float] | None],
        *,
        zero: bool = False,
        whole_x: bool = False,
    ) -> None:
        across, up = [x for x, _ in points], [y for _, y in points]
        if whole_x:
            self.x_range = ranges[0] or (min(across, default=0.0), max(across, default=1.0))
        else:
            self.x_range = ranges[0] or rounded_range(across)
        self.y_range = ranges[1] or rounded_range([*up, 0.0] if zero else up)
        self._x_ticks = ticks(*self.x_range, whole=whole_x)
        self._y_ticks = ticks(*self.y_range)
        self._x_labels = tick_labels(self._x_ticks)
        self._y_labels = tick_labels(self._y_ticks)
        widest = max(map(len, self._y_labels), default=0)
        self._left = _MARGIN + _LETTER * widest

    def name_x(self, marks: Sequence[tuple[float, str]]) -> None:
        """Mark places of the x axis by names instead of round numbers."""
        self._x_ticks = [place for place, _ in marks]
        self._x_labels = [text for _, text in marks]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point lies in the picture."""
        (x_low, x_high), (y_low, y_high) = self.x_range, self.y_range
        across = (x - x_low) / ((x_high - x_low) or 1)
        up = (y - y_low) / ((y_high - y_low) or 1)
        return (
            self._left + across * (WIDTH - self._left - _RIGHT),
            HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM),
        )

    def grid(self) -> list[Markup]:
        """Return the lines and numbers of the axes."""
        parts = []
        for y, label in zip(self._y_ticks, self._y_labels, strict=True):
            _, down = self.place(self.x_range[0], y)
            parts += [
                tag("line", class_="grid", x1=self._left, x2=WIDTH - _RIGHT, y1=down, y2=down),
                tag(
                    "text", label, class_="tick", x=self._left - 6, y=down + 3.5, text_anchor="end"
                ),
            ]
        for x, label in zip(self._x_ticks, self._x_labels, strict=True):
            across, _ = self.place(x, self.y_range[0])
            parts.append(
                tag("text", label, class_="tick", x=across, y=HEIGHT - 24, text_anchor="middle")
            )
        return parts

    def labels(self, x_label: str, y_label: str) -> list[Markup]:
        """Return what the axes are."""
        middle, half = (self._left + WIDTH - _RIGHT) / 2, (HEIGHT - _BOTTOM + _TOP) / 2
        turned = f"translate(12 {half}) rotate(-90)"
        return [
            tag("text", x_label, class_="axis", x=middle, y=HEIGHT - 6, text_anchor="middle"),
            tag("text", y_label, class_="axis", text_anchor="middle", transform=turned),
        ]


def histogram(
    bars: Sequence[tuple[str, float]],
    places: Sequence[tuple[float, float]] | None = None,
    *,
    width: int = 160,
    height: int = 38,
) -> Markup:
    """Return a small histogram; each bar's name and value show when pointed at.

    Args:
        bars: Name and value of each.
        places: Where each begins and ends, from 0 to 1; one after another by default.
        width: Width in pixels.
        height: Height in pixels.
    """
    if not bars:
        return tag("span", MISSING, class_="muted")
    highest = max(value for _, value in bars) or 1
    if places is None:
        # A few values make bars, not blocks.
        step = min(1 / len(bars), 1 / 6)
        places = [(i * step, (i + 1) * step) for i in range(len(bars))]
    rects = []
    for i, (name, value) in enumerate(bars):
        tall = max(0.0, value / highest * (height - 2))
        tall = max(tall, 1.0) if value > 0 else 0.0
        rects.append(
            tag(
                "rect",
                tag("title", f"{name}: {number(value)}"),
                class_="bar",
                x=places[i][0] * width + 0.5,
                y=height - tall,
                width=max((places[i][1] - places[i][0]) * width - 1, 0.5),
                height=tall,
            )
        )
    base = tag("line", class_="grid", x1=0, x2=width, y1=height - 0.5, y2=height - 0.5)
    return svg(width, height, base, *rects, label="distribution", class_="spark")


def heatmap(cells: Sequence[Sequence[float]], names: Sequence[str]) -> Markup:
    """Return a confusion matrix: one row per actual class, one column per predicted class."""
    count = len(names)
    size = max(34, min(76, 380 // max(count, 1)))
    margin = 8.0 + min(110, 7 * max((len(name) for name in names), default=1))
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
    return tag("div", svg(width, height, *parts, label="confusion matrix"), class_="chart")


def graph(nodes: Mapping[str, Sequence[str]], states: Mapping[str, str]) -> Markup:
    """Return a DAG, left to right.

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
    box, high, gap_x, gap_y = 118.0, 30.0, 28.0, 16.0
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
        shown = name if len(name) <= 16 else name[:14] + "…"
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
        svg(width, height, *edges, *boxes, label="lineage"),
        class_="chart wide",
    )


def svg(width: float, height: float, *parts: Markup, label: str, class_: str = "") -> Markup:
    """Return a picture of so many pixels; where there is less room it is made smaller."""
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
