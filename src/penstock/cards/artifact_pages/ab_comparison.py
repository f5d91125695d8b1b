"""The page of an ABComparison: the decision, and the difference of two versions in each metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.artifacts import ABComparison, Artifact
from penstock.cards.artifact_pages.blocks import fact_table, row_table, section, verdict
from penstock.cards.charts import svg
from penstock.cards.html_page import PageContent
from penstock.cards.markup import Markup, tag

_SENTENCES = {
    "candidate": "The candidate is better",
    "baseline": "The baseline stays: the candidate is not as good as it must be",
    "undecided": "Undecided: the baseline stays until more is known",
}
_METHODS = {
    "t": "t interval",
    "bootstrap": "bootstrap",
    "sequence": "confidence sequence, for repeated looks",
}
_WIDTH, _HEIGHT, _EDGE = 180, 26, 6


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    assert isinstance(artifact, ABComparison)
    try:
        found = artifact.value
        outcome = found["outcome"]
        rows = [_row(each) for each in found["metrics"]]
    except FileNotFoundError:
        raise FileNotFoundError(f"{artifact.value_uri} is missing") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{artifact.value_uri} is damaged: {error!r}") from error
    head = [verdict(_SENTENCES[outcome], ok=outcome == "candidate")]
    columns = [
        "metric",
        "candidate",
        "baseline",
        "improvement",
        "from",
        "to",
        "margin",
        "speaks for",
        "",
    ]
    how = "both versions saw the same rows" if found["paired"] else "each version had its own rows"
    facts = {
        "candidate": found["candidate"],
        "baseline": found["baseline"],
        "label": found["label"],
        "rows of the candidate": f"{found['rows'][0]:,}",
        "rows of the baseline": f"{found['rows'][1]:,}",
        "compared": how,
        "confidence": f"{found['confidence']:.1%}",
        "intervals": ", ".join(sorted({_METHODS[each["method"]] for each in found["metrics"]})),
    }
    body = [section("What was compared", fact_table(facts))]
    if rows:
        body = [section("Differences", row_table(columns, rows)), *body]
    if found["reasons"]:
        reasons = tag("ul", *(tag("li", each) for each in found["reasons"]))
        body = [section("Why", reasons), *body]
    return PageContent(head=head, body=body)


def _row(metric: Mapping[str, Any]) -> list[Any]:
    name = f"{metric['name']} (lower is better)" if metric["lower_is_better"] else metric["name"]
    keys = ("candidate", "baseline", "improvement", "lower", "upper")
    values = [float(f"{metric[each]:.4g}") for each in keys]
    return [name, *values, metric["margin"], metric["outcome"], _interval(metric)]


def _interval(metric: Mapping[str, Any]) -> Markup:
    """Return a drawing of an interval, on a scale that holds 0 and the margin."""
    margin = metric["margin"] or 0.0
    ends = (metric["lower"], metric["upper"], margin, 0.0)
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return _EDGE + float(value - low) / span * (_WIDTH - 2 * _EDGE)

    middle = _HEIGHT / 2
    ends_at = {"x1": place(metric["lower"]), "x2": place(metric["upper"])}
    return svg(
        _WIDTH,
        _HEIGHT,
        tag("line", class_="bound", x1=place(margin), x2=place(margin), y1=2, y2=_HEIGHT - 2),
        tag("line", class_="range s0", y1=middle, y2=middle, **ends_at),
        tag("circle", class_="dot s0", cx=place(metric["improvement"]), cy=middle, r=4),
        label=f"improvement of {metric['name']} with its interval",
    )
