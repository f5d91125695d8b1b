"""The table of metrics by slice: sorted, filtered and drawn by the page itself, without a server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.cards.charts import number
from penstock.cards.markup import Child, Markup, tag
from penstock.cards.metric_words import are_weighted, better, is_of_the_whole, metric_words
from penstock.cards.slice_metrics import OVERALL, Series, SliceMetrics
from penstock.cards.tables import table

SCRIPT = "slices.js"
_MOST_VISIBLE = 6
_WITHOUT_SCRIPT = 50


def slice_table(
    metrics: SliceMetrics,
    primary: tuple[str, bool],
    checks: Sequence[Mapping[str, Any]] = (),
    class_names: Sequence[str] = (),
) -> list[Child]:
    """Return the controls and the table.

    Without JavaScript the first slices stand there as they are sorted.

    Args:
        metrics: The slices, the worst first.
        primary: The metric that they are sorted by, and whether higher is better.
        checks: The threshold checks; bounds that are the same in all slices are drawn.
        class_names: The names of the classes.
    """
    weighted = are_weighted(metrics.columns)
    words = {
        name: metric_words(name, all_weighted=weighted, class_names=class_names)
        for name in metrics.columns
    }
    visible = _visible(metrics.columns, primary[0])
    return [
        _controls(metrics, words, visible),
        tag(
            "div",
            tag(
                "table",
                tag("thead", tag("tr", _head(metrics, words, visible), id="slice-head")),
                tag("tbody", _rows(metrics, visible), id="slice-rows"),
                class_="slices",
            ),
            class_="scroll",
        ),
        tag("button", "show more", id="more", type="button", hidden=True),
        _left_out(metrics),
        _data(metrics, words, visible, primary, checks),
    ]


def plain_table(metrics: SliceMetrics) -> Markup:
    """Return the first slices as they are, without controls."""
    weighted = are_weighted(metrics.columns)
    words = {name: metric_words(name, all_weighted=weighted) for name in metrics.columns}
    visible = metrics.columns[:_MOST_VISIBLE]
    return table(_head(metrics, words, visible), _rows(metrics, visible))


def _visible(columns: Sequence[str], primary: str) -> list[str]:
    shown = sorted(columns, key=lambda name: (name != primary, not is_of_the_whole(name)))
    # How many examples there are has a column of its own.
    shown = [name for name in shown if not name.startswith("example_count")] or shown
    return shown[:_MOST_VISIBLE]


def _controls(metrics: SliceMetrics, words: Mapping[str, str], visible: Sequence[str]) -> Markup:
    cuts = list(dict.fromkeys(metrics.sliced_by))
    parts: list[Child] = [
        tag(
            "input",
            id="find",
            type="search",
            placeholder="filter slices",
            aria_label="filter slices",
        )
    ]
    if len(cuts) > 2:
        options = [tag("option", "all features", value="")]
        options += [
            tag("option", cut or OVERALL, value=i) for i, cut in enumerate(cuts) if cut or i
        ]
        parts.append(tag("label", "sliced by ", tag("select", options, id="by")))
    if _knows_examples(metrics):
        least = tag("input", id="least", type="number", min=0, value=0)
        parts.append(tag("label", "at least ", least, " examples"))
    if len(metrics.models) > 1:
        options = [tag("option", name, value=i) for i, name in enumerate(metrics.models)]
        parts.append(tag("label", "model ", tag("select", options, id="model")))
    parts.append(tag("span", id="count", class_="muted"))
    if len(metrics.columns) > len(visible):
        boxes = [
            tag(
                "label",
                tag("input", type="checkbox", value=i, checked=name in visible),
                f" {words[name]}",
            )
            for i, name in enumerate(metrics.columns)
        ]
        chooser = tag("div", boxes, id="columns", class_="columns")
        parts.append(tag("details", tag("summary", f"{len(boxes)} metrics"), chooser))
    return tag("div", parts, class_="controls", id="slice-controls", hidden=True)


def _head(metrics: SliceMetrics, words: Mapping[str, str], visible: Sequence[str]) -> list[Markup]:
    head = [tag("th", "Slice")]
    if _knows_examples(metrics):
        head.append(tag("th", "Examples", class_="num"))
    return [*head, *(tag("th", words[name], class_="num") for name in visible)]


def _rows(metrics: SliceMetrics, visible: Sequence[str]) -> list[Markup]:
    rows = []
    for i, name in enumerate(metrics.slices[:_WITHOUT_SCRIPT]):
        cells = [tag("td", name, class_="slice")]
        if _knows_examples(metrics):
            cells.append(tag("td", number(metrics.examples[i]), class_="num"))
        for column in visible:
            series = metrics.first_model[column]
            lower, upper = series.lower[i], series.upper[i]
            interval = None
            if lower is not None and upper is not None:
                interval = tag("small", f"{number(lower)} to {number(upper)}")
            cells.append(tag("td", number(series.values[i]), interval, class_="num"))
        rows.append(tag("tr", cells, class_="overall" if name == OVERALL else None))
    return rows


def _left_out(metrics: SliceMetrics) -> Markup | None:
    if not metrics.left_out:
        return None
    text = (
        f"{number(metrics.left_out)} further slices are not on this page, which has the worst. All of "
        "them: penstock.evaluation.load_evaluation(folder)"
    )
    return tag("p", text, class_="muted")


def _knows_examples(metrics: SliceMetrics) -> bool:
    return any(each is not None for each in metrics.examples)


def _data(
    metrics: SliceMetrics,
    words: Mapping[str, str],
    visible: Sequence[str],
    primary: tuple[str, bool],
    checks: Sequence[Mapping[str, Any]],
) -> Markup:
    cuts = list(dict.fromkeys(metrics.sliced_by))
    bounds = _common_bounds(checks)
    columns = []
    for name in metrics.columns:
        direction = better(name)
        if name == primary[0]:
            direction = 1 if primary[1] else -1
        columns.append({"words": words[name], "better": direction, "bounds": bounds.get(name, {})})
    data = {
        "slices": metrics.slices,
        "by": [cuts.index(cut) for cut in metrics.sliced_by],
        "examples": _short(metrics.examples) if _knows_examples(metrics) else None,
        "columns": columns,
        "models": [
            {
                **_parts(model, metrics.columns),
                "changes": [
                    _short(changes[each].values) if each in changes else None
                    for each in metrics.columns
                ],
            }
            for model, changes in zip(
                metrics.models.values(), metrics.changes.values(), strict=True
            )
        ],
        "baseline": _parts(metrics.baseline, metrics.columns) if metrics.baseline else None,
        "primary": metrics.columns.index(primary[0]),
        "visible": [metrics.columns.index(each) for each in visible],
        "notes": {name: metrics.notes[name] for name in metrics.slices if name in metrics.notes},
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    # What would end the script or begin a comment in it.
    return tag(
        "script", Markup(text.replace("<", "\\u003c")), type="application/json", id="slice-data"
    )


def _parts(columns: Mapping[str, Series], names: Sequence[str]) -> dict[str, Any]:
    return {
        "values": [_short(columns[name].values) for name in names],
        "lower": [_short(columns[n].lower) if columns[n].has_intervals else None for n in names],
        "upper": [_short(columns[n].upper) if columns[n].has_intervals else None for n in names],
    }


def _short(values: Sequence[float | None]) -> list[float | None]:
    return [_six_digits(value) for value in values]


def _six_digits(value: float | None) -> float | None:
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return None
    short = float(f"{value:.6g}") if abs(value) < 1e6 else value
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _common_bounds(checks: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the bounds on the values of metrics, where all slices have the same."""
    found: dict[str, list[dict[str, float]]] = {}
    for check in checks:
        if check.get("kind", "value") == "value":
            found.setdefault(check["metric"], []).append(dict(check["bounds"]))
    return {
        name: bounds[0]
        for name, bounds in found.items()
        if all(each == bounds[0] for each in bounds)
    }
