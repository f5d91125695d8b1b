"""The whole data set's metrics: each model beside the baseline, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from penstock.cards.charts import number, svg
from penstock.cards.markup import Child, Markup, tag
from penstock.cards.metric_words import are_weighted, better, metric_words
from penstock.cards.slice_metrics import Series, SliceMetrics
from penstock.cards.tables import table

_WIDTH, _HEIGHT = 180, 26
_MOST = 40


def beside_baseline(metrics: SliceMetrics, class_names: Sequence[str] = ()) -> Markup | None:
    """Return a row for each metric of the first slice, drawn; None where there is nothing to compare.

    Args:
        metrics: The slices, the whole data set first.
        class_names: The names of the classes.
    """
    sides = _sides(metrics)
    if not metrics.slices:
        return None
    intervals = any(s.lower[0] is not None for side in sides.values() for s in side.values())
    if len(sides) < 2 and not intervals:
        return None
    drawn = intervals and len(sides) > 1
    weighted = are_weighted(metrics.columns)
    rows = []
    for column in metrics.columns[:_MOST]:
        numbers = {name: _number(side[column]) for name, side in sides.items() if column in side}
        words = metric_words(column, all_weighted=weighted, class_names=class_names)
        cells: list[Child] = [tag("td", words)]
        cells += [tag("td", _text(*each), class_="num") for each in numbers.values()]
        cells += [_change(metrics, *pair, column) for pair in _pairs(metrics)]
        cells.append(tag("td", _drawing(numbers), class_="forest") if drawn else None)
        rows.append(tag("tr", cells))
    head = [tag("th", "Metric")]
    for i, name in enumerate(sides):
        key = tag("i", class_=f"key s{i % 6}")
        head.append(tag("th", key, name or "model", class_="num"))
    several = len(_pairs(metrics)) > 1
    for model, baseline in _pairs(metrics):
        words = f"{model or 'model'} to {baseline}" if several else "change"
        head.append(tag("th", words, class_="num"))
    return table([*head, *([tag("th")] if drawn else [])], rows)


def _sides(metrics: SliceMetrics) -> Mapping[str, Mapping[str, Series]]:
    return {**metrics.models, **metrics.baselines}


def _pairs(metrics: SliceMetrics) -> list[tuple[str, str]]:
    return [(model, baseline) for model in metrics.models for baseline in metrics.baselines]


def _number(series: Series) -> tuple[float | None, float | None, float | None]:
    return series.values[0], series.lower[0], series.upper[0]


def _text(value: float | None, lower: float | None, upper: float | None) -> Iterator[Child]:
    yield number(value)
    if lower is not None and upper is not None:
        yield tag("small", f"{number(lower)} to {number(upper)}")


def _change(metrics: SliceMetrics, model: str, baseline: str, column: str) -> Markup:
    told = None
    if baseline == next(iter(metrics.baselines)):
        told = metrics.changes.get(model, {}).get(column)
    value, lower, upper = _number(told) if told is not None else (None, None, None)
    if value is None:
        own, other = (
            side[column].values[0] for side in (metrics.models[model], metrics.baselines[baseline])
        )
        value = None if own is None or other is None else own - other
    sign = better(column) * (value or 0.0)
    kind = "up" if sign > 0 else "down" if sign < 0 else None
    plus = "+" if value is not None and value > 0 else ""
    interval = None
    if lower is not None and upper is not None:
        interval = tag("small", f"{number(lower)} to {number(upper)}")
    return tag("td", tag("span", f"{plus}{number(value)}", class_=kind), interval, class_="num")


def _drawing(
    numbers: Mapping[str, tuple[float | None, float | None, float | None]],
) -> Markup | None:
    ends = [end for each in numbers.values() for end in each if end is not None and end == end]
    if not ends or max(ends) in (float("inf"),) or min(ends) == float("-inf"):
        return None
    low, high = min(ends), max(ends)
    if low == high:
        low, high = low - 1, high + 1

    def place(value: float) -> float:
        return 6 + (value - low) / (high - low) * (_WIDTH - 12)

    parts: list[Markup] = []
    step = _HEIGHT / (len(numbers) + 1)
    for i, (value, lower, upper) in enumerate(numbers.values()):
        down = step * (i + 1)
        if lower is not None and upper is not None:
            ends_at = {"x1": place(lower), "x2": place(upper)}
            parts.append(tag("line", class_=f"range s{i % 6}", y1=down, y2=down, **ends_at))
        if value is not None and value == value:
            parts.append(tag("circle", class_=f"dot s{i % 6}", cx=place(value), cy=down, r=3.5))
    return svg(_WIDTH, _HEIGHT, *parts, label="values and intervals")
