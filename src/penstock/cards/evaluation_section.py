"""The sections of a model card about how good the model is: metrics, plots, thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.cards.charts import heatmap, line_chart, number
from penstock.cards.markup import Markup, join, tag
from penstock.cards.metric_words import (
    are_weighted,
    is_of_the_whole,
    is_share,
    metric_words,
    quality_first,
)
from penstock.cards.tables import Section, pill, table

_MOST_COLUMNS = 8
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
    calibration = evaluation.get("calibration") or {}
    points = [point for line in calibration.values() for point in line]
    if points and all(0 <= p <= 1 and 0 <= label <= 1 for p, label, _ in points):
        chart = line_chart(
            {name: [(p, label) for p, label, _ in line] for name, line in calibration.items()},
            x_label="mean prediction",
            y_label="mean label",
            ranges=(_UNIT, _UNIT),
            reference="diagonal",
            markers=True,
        )
        figures.append(tag("div", tag("h3", "Calibration"), chart))
    elif points:
        figures += _regression_figures(calibration)
    return figures


def _regression_figures(calibration: Mapping[str, Sequence[Sequence[float]]]) -> list[Markup]:
    """Return what a regression predicts against what is true, and the residuals."""
    if all(len(line) < 2 for line in calibration.values()):
        text = (
            "All predictions lie in one bucket. Give the metric CalibrationPlot the range of the label, "
            'such as config=\'"left": 0, "right": 50\', to see predictions against labels and the '
            "residuals."
        )
        return [tag("p", text, class_="muted")]
    against = line_chart(
        {name: [(p, label) for p, label, _ in line] for name, line in calibration.items()},
        x_label="mean prediction",
        y_label="mean label",
        reference="diagonal",
        markers=True,
    )
    residuals = line_chart(
        {name: [(p, label - p) for p, label, _ in line] for name, line in calibration.items()},
        x_label="mean prediction",
        y_label="mean label minus mean prediction",
        reference="zero",
        markers=True,
    )
    return [
        tag("div", tag("h3", "Label by prediction"), against),
        tag("div", tag("h3", "Residuals"), residuals),
    ]


def _slice_table(
    slices: Sequence[Mapping[str, Any]], names: Sequence[str], weighted: bool
) -> Markup:
    rows = []
    for i, entry in enumerate(slices):
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
    return table(head, rows)


def thresholds_section(data: Mapping[str, Any]) -> Section | None:
    """Each threshold with its value, bound and slice; those that failed come first."""
    checks = (data.get("evaluation") or {}).get("checks") or []
    if not checks:
        return None
    weighted = are_weighted(data["evaluation"]["slices"][0]["metrics"])
    rows = []
    for check in sorted(checks, key=lambda c: c["passed"]):
        passed, change = check["passed"], check["baseline"] is not None
        rows.append(
            tag(
                "tr",
                tag("td", pill("held" if passed else "failed", "good" if passed else "bad")),
                tag("td", metric_words(check["metric"], all_weighted=weighted)),
                tag("td", check["slice"]),
                tag("td", number(check["value"]), class_="num"),
                tag("td", number(check["baseline"]) if change else None, class_="num"),
                tag("td", bound_words(check["bounds"], check["direction"])),
            )
        )
    head = [tag("th", name) for name in ("", "Metric", "Slice")]
    head += [tag("th", name, class_="num") for name in ("Value", "Baseline")]
    return "thresholds", "Thresholds", table([*head, tag("th", "Bound")], rows)


def bound_words(bounds: Mapping[str, float], direction: str) -> str:
    """Return what a threshold asks for.

    Example:
        >>> bound_words({"lower": 0.7, "upper": 1.0}, "")
        'at least 0.7, at most 1'
        >>> bound_words({"absolute": -0.02}, "higher is better")
        'change of at least -0.02'
    """
    side = "at most" if direction == "lower is better" else "at least"
    words = {
        "lower": lambda bound: f"at least {number(bound)}",
        "upper": lambda bound: f"at most {number(bound)}",
        "absolute": lambda bound: f"change of {side} {number(bound)}",
        "relative": lambda bound: f"change of {side} {number(100 * bound)}%",
    }
    return ", ".join(words[name](bound) for name, bound in bounds.items())
