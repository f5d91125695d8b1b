"""The sections of a model card about how good the model is: metrics, plots, thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.cards.calibration import calibration_figures
from penstock.cards.charts import heatmap, line_chart, number
from penstock.cards.markup import Markup, join, tag
from penstock.cards.metric_words import (
    are_weighted,
    is_of_the_whole,
    is_share,
    metric_words,
    quality_first,
)
from penstock.cards.tables import Section, table

_MOST_COLUMNS = 8
_MOST_SLICES = 100
_MOST_CHECKS = 200
_UNIT = (0.0, 1.0)


def evaluation_section(data: Mapping[str, Any]) -> Section | None:
    """Return the metrics by slice, and the plots of the whole."""
    evaluation = data.get("evaluation")
    if not evaluation or not evaluation["slices"]:
        return None
    slices = evaluation["slices"]
    names = quality_first(dict.fromkeys(name for each in slices for name in each["metrics"]))
    plain = [name for name in names if is_of_the_whole(name)][:_MOST_COLUMNS]
    plain = plain or names[:_MOST_COLUMNS]
    rest = [name for name in names if name not in plain]
    weighted = are_weighted(names)
    figures = _figures(evaluation)
    more = None
    if rest:
        summary = f"{len(rest)} more metrics" if len(rest) > 1 else "1 more metric"
        more = tag("details", tag("summary", summary), _slice_table(slices, rest, weighted))
    body = [
        tag("p", "All metrics are weighted by the examples' weights.") if weighted else None,
        _slice_table(slices, plain, weighted),
        more,
        tag("div", figures, class_="figures") if figures else None,
    ]
    return "evaluation", "Evaluation", join(body)


def _figures(evaluation: Mapping[str, Any]) -> list[Markup]:
    figures = []
    if evaluation.get("confusion"):
        confusion = evaluation["confusion"]
        chart = heatmap(confusion["cells"], confusion["names"])
        figures.append(tag("div", tag("h3", "Confusion matrix"), chart))
    if evaluation.get("roc"):
        curves = {name: [(x, y) for x, y in curve] for name, curve in evaluation["roc"].items()}
        chart = line_chart(
            curves,
            x_label="false positive rate",
            y_label="recall",
            ranges=(_UNIT, _UNIT),
            reference="diagonal",
        )
        figures.append(tag("div", tag("h3", "ROC curve"), chart))
    return [*figures, *calibration_figures(evaluation.get("calibration") or {})]


def _slice_table(
    slices: Sequence[Mapping[str, Any]], names: Sequence[str], weighted: bool
) -> Markup:
    rows = []
    for i, entry in enumerate(slices[:_MOST_SLICES]):
        cells = [tag("td", entry["slice"])]
        for name in names:
            value = entry["metrics"].get(name)
            share = value is not None and 0 <= value <= 1 and is_share(name)
            meter = tag("i", style=f"width:{100 * value:.1f}%") if share else None
            cells.append(
                tag(
                    "td",
                    number(value),
                    tag("span", meter, class_="meter") if share else None,
                    class_="num",
                )
            )
        rows.append(tag("tr", cells, class_="overall" if i == 0 else None))
    shown = [metric_words(name, all_weighted=weighted) for name in names]
    head = [tag("th", "Slice"), *(tag("th", each, class_="num") for each in shown)]
    made = table(head, rows)
    if len(slices) > _MOST_SLICES:
        text = f"and {number(len(slices) - _MOST_SLICES)} more slices, on the evaluation's own page"
        return join([made, tag("p", text, class_="muted")])
    return made
