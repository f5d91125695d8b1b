"""Calibration: what a model predicts against what is true, for probabilities and for regressions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.cards.charts import histogram, line_chart, number
from penstock.cards.markup import Child, Markup, tag

_UNIT = (0.0, 1.0)


def binned_calibration(buckets: Any) -> list[list[float]]:
    """Mean prediction, mean label and weight, by bins of the prediction.

    Probabilities have ten bins from 0 to 1, other predictions twenty over their range; infinite ones have
    no place in a plot.
    """
    found = [
        (
            bucket.total_weighted_refined_prediction.value,
            bucket.total_weighted_label.value,
            bucket.num_weighted_examples.value,
        )
        for bucket in buckets
        if bucket.num_weighted_examples.value > 0
        and math.isfinite(bucket.total_weighted_refined_prediction.value)
        and math.isfinite(bucket.total_weighted_label.value)
    ]
    if not found:
        return []
    means = [prediction / weight for prediction, _, weight in found]
    low, high, bins = 0.0, 1.0, 10
    if any(not 0 <= mean <= 1 for mean in means):
        low, high, bins = min(means), max(means), 20
    sums = [[0.0, 0.0, 0.0] for _ in range(bins)]
    for mean, values in zip(means, found, strict=True):
        index = min(bins - 1, int((mean - low) / ((high - low) or 1) * bins))
        sums[index] = [total + value for total, value in zip(sums[index], values, strict=True)]
    return [[p / w, label / w, w] for p, label, w in sums if w > 0]


def calibration_figures(
    calibration: Mapping[str, Sequence[Sequence[float]]], where: str = ""
) -> list[Markup]:
    """Return the calibration of probabilities, or the predictions and residuals of a regression.

    Args:
        calibration: Lines of mean prediction, mean label and weight, by name.
        where: What is added to the titles.
    """
    points = [point for line in calibration.values() for point in line]
    if not points:
        return []
    if all(0 <= prediction <= 1 and 0 <= label <= 1 for prediction, label, _ in points):
        chart = line_chart(
            {name: [(p, label) for p, label, _ in line] for name, line in calibration.items()},
            x_label="mean prediction",
            y_label="mean label",
            ranges=(_UNIT, _UNIT),
            reference="diagonal",
            markers=True,
        )
        return [_figure(f"Calibration{where}", chart, _sizes(calibration))]
    return _regression_figures(calibration, where)


def _figure(title: str, *parts: Child) -> Markup:
    return tag("div", tag("h3", title), parts)


def _sizes(calibration: Mapping[str, Sequence[Sequence[float]]]) -> Markup | None:
    """Return how many examples are behind the points of the first line."""
    line = next(iter(calibration.values()))
    if len(line) < 2:
        return None
    bars = [(f"around {number(prediction)}", weight) for prediction, _, weight in line]
    places = [(min(int(p * 10), 9) / 10, min(int(p * 10), 9) / 10 + 0.1) for p, _, _ in line]
    drawn = histogram(bars, places, width=440, height=44)
    return tag("div", drawn, tag("small", "examples by prediction"), class_="chart sizes")


def _regression_figures(
    calibration: Mapping[str, Sequence[Sequence[float]]], where: str
) -> list[Markup]:
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
        _figure(f"Label by prediction{where}", against),
        _figure(f"Residuals{where}", residuals),
    ]
