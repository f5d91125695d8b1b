"""A series with its forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.plots.canvas import colour, legend, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def forecast(
    times: Any,
    actual: Any,
    forecasts: Mapping[str, tuple[Any, Any]],
    *,
    y_label: str = "value",
    x_label: str = "",
    title: str = "",
) -> Figure:
    """Draw a series, and what was forecast for some of its times.

    Args:
        times: Where the values are: numbers, dates or `numpy.datetime64`.
        actual: The series, as many values.
        forecasts: By name (of a model, of a baseline) its times and its values.
        y_label: What the values are.
        x_label: What the times are.
        title: What stands above.

    Raises:
        ValueError: If there are not as many times as values.

    Example:
        >>> forecast([1, 2, 3, 4], [5.0, 6.0, 7.0, 8.0], {"model": ([3, 4], [6.8, 8.3])})
    """
    for name, (where, values) in {"actual": (times, actual), **forecasts}.items():
        if len(where) != len(values):
            raise ValueError(f"{name!r} has {len(where)} times and {len(values)} values.")
    figure = new_figure(8.0, 3.4)
    axes = styled(figure.add_subplot(), x_label=x_label, y_label=y_label, title=title)
    axes.plot(times, actual, color="#9a9a9a", linewidth=1.2, label="actual")
    for i, (name, (where, values)) in enumerate(forecasts.items()):
        marker = "o" if len(where) <= 60 else None
        axes.plot(
            where, values, color=colour(i), linewidth=1.4, marker=marker, markersize=2.5, label=name
        )
    legend(axes)
    return figure
