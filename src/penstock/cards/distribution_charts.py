"""Charts of a feature's distribution in one data set, or in two over one another."""

from __future__ import annotations

import math
from collections.abc import Sequence

from penstock.cards.charts import number
from penstock.cards.feature_summary import FeatureSummary
from penstock.cards.markup import Markup, tag

_WIDTH, _HEIGHT, _AXIS = 320, 92, 30
_BAR_ROWS = 6
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_Bucket = tuple[float, float, float]


def numeric_chart(sides: Sequence[FeatureSummary | None]) -> Markup | None:
    """Draws the equi-width histograms of up to two data sets on one axis, with their deciles below.

    Heights are shares of rows by width, so that data sets of different size can be compared. Each shape
    is drawn twice, for a linear and for a logarithmic scale; the page shows one of them.
    """
    finite = [
        (i, [b for b in side.buckets if math.isfinite(b[0]) and math.isfinite(b[1])])
        for i, side in enumerate(sides)
        if side is not None
    ]
    finite = [(i, buckets) for i, buckets in finite if buckets]
    if not finite:
        return None
    least = min(bucket[0] for _, buckets in finite for bucket in buckets)
    greatest = max(bucket[1] for _, buckets in finite for bucket in buckets)
    low, high = _middle([sides[i] for i, _ in finite], least, greatest)
    if (low, high) != (least, greatest):
        # A few outliers would leave one bar: the quantiles show where the rest of the values is.
        finite = [(i, _within(sides[i], low, high)) for i, _ in finite]
    span = high - low
    if not math.isfinite(span):
        return None
    if span <= 0:
        low, high, span = low - 0.5, high + 0.5, 1.0
    densities = {i: _densities(buckets, span) for i, buckets in finite}
    tallest = max((d for shape in densities.values() for *_, d, _ in shape), default=0) or 1.0
    parts = []
    for scale in ("linear", "log"):
        shapes = []
        for i, shape in densities.items():
            for left, right, density, title in shape:
                tall = _height(density, tallest, scale)
                x = (left - low) / span * _WIDTH
                width = max((right - left) / span * _WIDTH - 0.8, 1.4)
                shapes.append(
                    tag(
                        "rect",
                        tag("title", title),
                        class_=f"d{i}",
                        x=min(x, _WIDTH - width),
                        y=_HEIGHT - tall,
                        width=width,
                        height=tall,
                    )
                )
        parts.append(tag("g", shapes, class_=scale))
    parts.append(tag("line", class_="grid", x1=0, x2=_WIDTH, y1=_HEIGHT, y2=_HEIGHT))
    below = _HEIGHT + 5.0
    for i, _ in finite:
        side = sides[i]
        assert side is not None
        parts += _deciles(side.boundaries, low, span, below, i)
        below += 6.0
    text = below + 9
    first = number(low) if low <= least else f"{number(least)} {_ELLIPSIS} {number(low)}"
    last = number(high) if high >= greatest else f"{number(high)} {_ELLIPSIS} {number(greatest)}"
    parts.append(tag("text", first, class_="tick", x=0, y=text))
    parts.append(tag("text", last, class_="tick", x=_WIDTH, y=text, text_anchor="end"))
    return tag(
        "svg",
        parts,
        viewBox=f"0 0 {_WIDTH} {text + 3:g}",
        width=_WIDTH,
        height=text + 3,
        role="img",
        aria_label="histogram",
        class_="distribution",
    )


def _middle(
    sides: Sequence[FeatureSummary | None], least: float, greatest: float
) -> tuple[float, float]:
    """Return the part of the axis to draw: all, unless 8 of 10 values share a tenth of it."""
    deciles = [side.boundaries for side in sides if side is not None and len(side.boundaries) > 2]
    ends = [value for each in deciles for value in (each[1], each[-2]) if math.isfinite(value)]
    width = max(ends) - min(ends) if ends else 0.0
    if not 0 < width < 0.1 * (greatest - least):
        return least, greatest
    return max(least, min(ends) - width), min(greatest, max(ends) + width)


def _within(side: FeatureSummary | None, low: float, high: float) -> list[_Bucket]:
    """Return the quantiles' buckets inside of a range; of a cut bucket its share."""
    found = []
    for left, right, count in side.quantiles if side is not None else ():
        start, end = max(left, low), min(right, high)
        if start <= end and math.isfinite(count):
            share = (end - start) / (right - left) if right > left else 1.0
            found.append((start, end, count * share))
    return found


def _densities(buckets: Sequence[_Bucket], span: float) -> list[tuple[float, float, float, str]]:
    total = sum(count for *_, count in buckets) or 1.0
    shape = []
    for left, right, count in buckets:
        width = max((right - left) / span, 0.01)
        title = f"{number(left)} to {number(right)}: {number(round(count))} ({count / total:.1%})"
        if count > 0:
            shape.append((left, right, count / total / width, title))
    return shape


def _height(density: float, tallest: float, scale: str) -> float:
    if scale == "log":
        # Four orders of magnitude below the tallest bar fit.
        share = max(0.0, 1 + math.log10(density / tallest) / 4) if density > 0 else 0.0
        return max(share * (_HEIGHT - 4), 1.0)
    return max(density / tallest * (_HEIGHT - 4), 1.0)


def _deciles(
    quantiles: Sequence[float], low: float, span: float, top: float, side: int
) -> list[Markup]:
    """Draws the middle 80 % as a bar, a tick at each decile, a strong one at the median."""
    if len(quantiles) < 3:
        return []

    def place(value: float) -> float:
        if not math.isfinite(value):
            return _WIDTH if value > 0 else 0.0
        return min(max((value - low) / span, 0.0), 1.0) * _WIDTH

    marks = [place(value) for value in quantiles]
    middle = quantiles[len(quantiles) // 2]
    return [
        tag(
            "rect",
            tag("title", f"8 of 10 values: {number(quantiles[1])} to {number(quantiles[-2])}"),
            class_=f"d{side} band",
            x=marks[1],
            y=top,
            width=max(marks[-2] - marks[1], 1.0),
            height=4,
            rx=1.5,
        ),
        tag(
            "rect",
            tag("title", f"median about {number(middle)}"),
            class_=f"d{side} middle",
            x=min(max(place(middle) - 1.0, 0.0), _WIDTH - 2.0),
            y=top - 1,
            width=2,
            height=6,
        ),
    ]


def value_bars(sides: Sequence[FeatureSummary | None], limit: int = _BAR_ROWS) -> Markup | None:
    """Draws the most frequent values as bars of their share, one bar a data set."""
    known = [side for side in sides if side is not None and side.values]
    if not known:
        return None
    counts = [dict(side.values) if side is not None else {} for side in sides]
    totals = [
        (side.total or sum(dict(side.values).values()) or 1.0) if side else 1.0 for side in sides
    ]
    names = list(dict.fromkeys(name for side in known for name, _ in side.values))
    names.sort(
        key=lambda name: -max(c.get(name, 0) / t for c, t in zip(counts, totals, strict=True))
    )
    most = max(c.get(n, 0) / t for n in names for c, t in zip(counts, totals, strict=True)) or 1.0
    rows = []
    for name in names[:limit]:
        bars = [
            tag(
                "i",
                class_=f"d{i}",
                style=f"width:{100 * own.get(name, 0) / total / most:.2f}%",
                title=f"{name}: {number(own.get(name, 0))} ({own.get(name, 0) / total:.1%})",
            )
            for i, (own, total) in enumerate(zip(counts, totals, strict=True))
        ]
        shares = [
            tag("span", f"{own.get(name, 0) / total:.1%}", class_=f"t{i}")
            for i, (own, total) in enumerate(zip(counts, totals, strict=True))
        ]
        shown = (
            name
            if name.strip()
            else f"\N{LEFT DOUBLE QUOTATION MARK}{name}\N{RIGHT DOUBLE QUOTATION MARK}"
        )
        rows.append(
            tag(
                "div",
                tag("span", shown, class_="value", title=name),
                tag("span", bars, class_="bars"),
                tag("span", shares, class_="share"),
                class_="value-row",
            )
        )
    rest = max((side.unique or len(side.values)) for side in known) - min(limit, len(names))
    more = tag("div", f"and {number(rest)} more", class_="muted more") if rest > 0 else None
    return tag("div", rows, more, class_="values")
