"""The page about drift: the verdict, then each feature with its shares in training and now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.cards.charts import number, svg
from penstock.cards.html_page import HtmlPage, PageContent, data_page
from penstock.cards.markup import Child, Markup, tag
from penstock.cards.tables import pill, table

if TYPE_CHECKING:
    from penstock.data_validation.drift.report import DriftReport, FeatureDrift, MetricChange

_BARS, _BAR, _HEIGHT, _GAP = 12, 7, 34, 4
_SHOWN_REASONS = 8
_TITLES = {"drift": "Drift", "no drift": "No drift", "too few rows": "Not judged"}


def display_drift(report: DriftReport, title: str = "Drift") -> HtmlPage:
    """Make a page about drift.

    Args:
        report: What `measure_drift` returned.
        title: What to call the rows.

    Example:
        >>> display_drift(measure_drift(statistics, batches)).write("drift.html")
    """
    content = drift_content(report)
    return data_page(kind="Drift", title=title, head=content.head, body=content.body)


def drift_content(report: DriftReport) -> PageContent:
    """Return the content of the page."""
    reasons = report.reasons
    lines = list(reasons[:_SHOWN_REASONS])
    if len(reasons) > _SHOWN_REASONS:
        lines.append(f"and {len(reasons) - _SHOWN_REASONS} more")
    if report.unjudged:
        lines.append(report.unjudged)
    kind = {"drift": "bad", "no drift": "good"}.get(report.verdict, "")
    box = tag(
        "div",
        tag("b", _TITLES[report.verdict]),
        tag("div", f"{number(report.rows)} rows against the training's statistics"),
        tag("ul", [tag("li", line) for line in lines]) if lines else None,
        class_=f"verdict {kind}",
    )
    body: list[Child] = []
    if report.metrics:
        body.append(_section("Metrics on labels that came later", _metrics(report.metrics)))
    if report.predictions:
        body.append(_section("Predictions", _features(report.predictions)))
    if report.features:
        body.append(_section("Features", _features(report.features)))
    return PageContent(head=[box], body=body)


def _section(heading: str, content: Markup) -> Markup:
    return tag("section", tag("h2", heading), content)


def _metrics(changes: Sequence[MetricChange]) -> Markup:
    head = _head(("metric",), ("at training", "now", "may change by"))
    rows = [
        tag(
            "tr",
            tag("td", each.name),
            *(tag("td", number(value), class_="num") for value in (each.before, each.now)),
            tag("td", f"{each.limit:+g}", class_="num"),
            tag("td", pill("exceeded", "bad") if each.reasons else pill("within", "good")),
        )
        for each in changes
    ]
    return table(head, rows)


def _features(features: Sequence[FeatureDrift]) -> Markup:
    head = _head(
        ("feature", "training and now"), ("stability index", "by chance", "divergence", "missing")
    )
    legend = tag(
        "div",
        tag("span", tag("i", class_="key d0"), "training"),
        tag("span", tag("i", class_="key d1"), "now"),
        class_="legend",
    )
    rows = [_row(each) for each in features]
    return tag("div", legend, table(head, rows))


def _head(texts: Sequence[str], numbers: Sequence[str]) -> list[Markup]:
    """Return the head of a table: texts, numbers, and the verdict at the right."""
    return [
        *(tag("th", text) for text in texts),
        *(tag("th", text, class_="num") for text in numbers),
        tag("th", ""),
    ]


def _row(feature: FeatureDrift) -> Markup:
    new = ", ".join(f"{value} ({count})" for value, count in feature.new_values.items())
    before, now = feature.missing
    return tag(
        "tr",
        tag("td", feature.name),
        tag("td", _bars(feature), tag("div", f"new: {new}", class_="muted") if new else None),
        *(
            tag("td", number(value), class_="num")
            for value in (feature.stability_index, feature.by_chance, feature.divergence)
        ),
        tag("td", f"{before:.1%} \N{RIGHTWARDS ARROW} {now:.1%}", class_="num"),
        tag("td", pill("drift", "bad") if feature.reasons else pill("within", "good")),
    )


def _bars(feature: FeatureDrift) -> Markup | None:
    """Return the shares of the parts that are largest on either side, in their order."""
    before, now = feature.shares
    largest = sorted(range(len(before)), key=lambda i: -max(before[i], now[i]))[:_BARS]
    top = max((max(before[i], now[i]) for i in largest), default=0.0)
    if not top:
        return None
    parts: list[Markup] = []
    for place, i in enumerate(sorted(largest)):
        x = place * (2 * _BAR + _GAP)
        told = tag("title", f"{feature.parts[i]}: {before[i]:.1%}, now {now[i]:.1%}")
        for side, share in enumerate((before[i], now[i])):
            tall = share / top * _HEIGHT
            parts.append(
                tag(
                    "rect",
                    told,
                    class_=f"d{side}",
                    x=x + side * _BAR,
                    y=_HEIGHT - tall,
                    width=_BAR - 1,
                    height=tall,
                )
            )
    width = len(largest) * (2 * _BAR + _GAP)
    return svg(width, _HEIGHT, *parts, label=f"shares of {feature.name}")
