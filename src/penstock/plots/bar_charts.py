"""Bars: importances, attributions, scores of several models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from penstock.plots.canvas import colour, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def bars(
    values: Mapping[str, float],
    *,
    errors: Mapping[str, float] | None = None,
    x_label: str = "",
    title: str = "",
    most: int = 30,
) -> Figure:
    """Draw a bar for each value, in the order given; negative ones go to the left in another colour.

    Args:
        values: By name.
        errors: Half the length of a line over each bar, such as a standard deviation.
        x_label: What the values are.
        title: What stands above.
        most: How many are shown; the rest is left out.

    Raises:
        ValueError: If there is no value.

    Example:
        >>> bars({"flipper_length_mm": 0.21, "island": 0.05}, x_label="loss of accuracy")
    """
    names = list(values)[:most]
    if not names:
        raise ValueError("There is no value to draw.")
    figure = new_figure(6.4, 0.28 * len(names) + 1.0)
    axes = styled(figure.add_subplot(), x_label=x_label, title=title)
    shown = [float(values[name]) for name in names]
    axes.barh(
        range(len(names)),
        shown,
        color=[colour(0) if value >= 0 else colour(1) for value in shown],
        xerr=None if errors is None else [float(errors.get(name, 0.0)) for name in names],
        ecolor="#555555",
    )
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False, axis="y")
    axes.axvline(0, color="#767676", linewidth=0.8)
    axes.invert_yaxis()
    return figure
