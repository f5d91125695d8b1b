"""Charts of a feature's distribution in one data set, or in two over one another."""

from __future__ import annotations

import math
from collections.abc import Sequence

from penstock.cards.charts import number
from penstock.cards.feature_summary import FeatureSummary
from penstock.cards.markup import Markup, tag

_WIDTH, _HEIGHT, _AXIS = 320, 92, 30
_BAR_ROWS = 6


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
    low = min(bucket[0] for _, buckets in finite for bucket in buckets)
    high = max(bucket[1] for _, buckets in finite for bucket in buckets)
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
    parts.append(tag("text", number(low), class_="tick", x=0, y=text))
    parts.append(tag("text", number(high), class_="tick", x=_WIDTH, y=text, text_anchor="end"))
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


def _densities(
    buckets: Sequence[tuple[float, float, float]], span: float
) -> list[tuple[float, float, float, str]]:
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
