"""Learning curves: each metric by epoch, training and validation in one chart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock.cards.charts import line_chart
from penstock.cards.markup import Markup, tag

_VALIDATION = "val_"
Points = Sequence[tuple[float, float]]


def learning_curves(metrics: Mapping[str, Points]) -> Markup | None:
    """Return a chart for each metric that has more than one point; None if none has.

    Args:
        metrics: Points (epoch, value) by name; a metric of validation has `val_` before its name.
    """
    figures = []
    for name, points in metrics.items():
        base = name.removeprefix(_VALIDATION)
        if base != name and base in metrics:
            continue  # it is in the chart of the other one
        curves = {"validation" if base != name else "training": _finite(points)}
        if base == name and _VALIDATION + name in metrics:
            curves["validation"] = _finite(metrics[_VALIDATION + name])
        if max(map(len, curves.values())) < 2:
            continue
        label = base.replace("_", " ")
        chart = line_chart(
            curves, x_label="epoch", y_label=label, markers=len(points) <= 60, whole_x=True
        )
        figures.append(tag("div", tag("h3", label.capitalize()), chart))
    return tag("div", figures, class_="figures") if figures else None


def points_of_history(history: Mapping[str, Sequence[float | None]]) -> dict[str, Points]:
    """Return the points of a `history.json`: values by name, one for each epoch."""
    return {
        name: [(i + 1, value) for i, value in enumerate(values) if value is not None]
        for name, values in history.items()
    }


def points_of_epochs(epochs: Iterable[Mapping[str, Any]]) -> dict[str, Points]:
    """Return the points of epochs as `penstock show --json` has them: `epoch` and `metrics`."""
    found: dict[str, list[tuple[float, float]]] = {}
    for each in epochs:
        for name, value in each["metrics"].items():
            if value is not None:
                found.setdefault(name, []).append((each["epoch"], value))
    return dict(found)


def _finite(points: Points) -> Points:
    return [(x, y) for x, y in points if math.isfinite(y)]
