"""The page that shows runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.cards.charts import MISSING, number
from penstock.cards.html_page import HtmlPage, data_page
from penstock.cards.markup import Child, Markup, tag
from penstock.cards.tables import table

_TITLES = {
    "metrics": "Metrics",
    "slices": "Metrics by slice",
    "verdicts": "Verdicts",
    "parameters": "Parameters",
    "inputs": "Outside data",
    "seconds": "Seconds of nodes",
    "run": "Runs",
}
_MOST = 200


def comparison_page(comparison: Mapping[str, Any], title: str = "") -> HtmlPage:
    """Make a page about runs side by side: what differs, and below it what is equal.

    Args:
        comparison: What `RunComparison.to_json` returned.
        title: What to call it.

    Example:
        comparison_page(compare_runs(store, run_ids).to_json()).write("comparison.html")
    """
    runs: Sequence[str] = comparison["runs"]
    rows = comparison["rows"]
    differing = [row for row in rows if row["differs"]]
    tiles = [
        tag("div", tag("b", count), tag("span", label), class_="tile")
        for count, label in (
            (len(runs), "runs"),
            (sum(row["section"] == "metrics" for row in differing), "metrics differ"),
            (sum(row["section"] == "slices" for row in differing), "values in slices differ"),
            (sum(row["section"] == "parameters" for row in differing), "parameters differ"),
            (len(comparison["changes"]), "nodes with another cache key"),
        )
    ]
    body: list[Child] = []
    for section, heading in _TITLES.items():
        of = [row for row in rows if row["section"] == section]
        if of:
            body.append(_section(heading, of, runs))
    if comparison["changes"]:
        body.append(_changes(comparison["changes"], runs[0]))
    return data_page(
        kind="Comparison",
        title=title or f"{len(runs)} runs",
        head=[tag("div", tiles, class_="tiles")],
        body=body,
    )


def _section(heading: str, rows: Sequence[Mapping[str, Any]], runs: Sequence[str]) -> Markup:
    differing = sorted((row for row in rows if row["differs"]), key=_spread, reverse=True)
    equal = [row for row in rows if not row["differs"]]
    parts: list[Child] = [tag("h2", heading)]
    if differing:
        parts.append(_table(differing, runs))
    if equal:
        summary = tag("summary", f"{len(equal)} equal")
        parts.append(tag("details", summary, _table(equal, runs)))
    return tag("section", parts)


def _table(rows: Sequence[Mapping[str, Any]], runs: Sequence[str]) -> Markup:
    head = [tag("th", ""), *(tag("th", run) for run in runs)]
    body = [
        tag(
            "tr",
            tag("td", row["name"]),
            [
                tag("td", _text(value), class_="" if value == row["values"][0] else "changed")
                for value in row["values"]
            ],
        )
        for row in rows[:_MOST]
    ]
    if len(rows) > _MOST:
        body.append(tag("tr", tag("td", f"and {len(rows) - _MOST} more (penstock compare --json)")))
    return table(head, body)


def _changes(changes: Sequence[Mapping[str, Any]], first: str) -> Markup:
    parts: list[Child] = [tag("h2", f"What changed since {first}")]
    for change in changes:
        parts.append(tag("h3", f"{change['node']} in {change['run']}"))
        parts.append(tag("ul", [tag("li", sentence) for sentence in change["sentences"]]))
    return tag("section", parts)


def _spread(row: Mapping[str, Any]) -> float:
    numbers = [each for each in row["values"] if isinstance(each, float)]
    return max(numbers) - min(numbers) if numbers else 0.0


def _text(value: Any) -> str:
    if value is None:
        return MISSING
    return number(value) if isinstance(value, float) else str(value)
