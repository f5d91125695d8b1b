"""Figures and axes with Penstock's look, without any state outside of the figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The colours of Okabe and Ito (2008), which people with any colour vision tell apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b6b6b")
_SOFT = "#767676"
_SMALL = 8.5


def new_figure(width: float = 6.4, height: float = 3.6) -> Figure:
    """Return an empty figure that is drawn by Agg, for a plot of your own.

    Args:
        width: Inches; 100 pixels each where it is written.
        height: Inches.

    Raises:
        ModuleNotFoundError: If Matplotlib is not installed; the message says how to get it.

    Example:
        >>> figure = new_figure(4, 3)
        >>> figure.add_subplot().plot([1, 4, 9])
        >>> write_pictures("plots", {"squares": figure})
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Plots are drawn with Matplotlib, which is not installed: pip install matplotlib (the extra "
            "'run' brings it)."
        ) from error
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def styled(axes: Axes, *, x_label: str = "", y_label: str = "", title: str = "") -> Axes:
    """Give axes light frames, a grid and small letters, and return them."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_SOFT)
    axes.tick_params(labelsize=_SMALL, color=_SOFT)
    axes.grid(visible=True, color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_xlabel(x_label, fontsize=9)
    axes.set_ylabel(y_label, fontsize=9)
    if title:
        axes.set_title(title, fontsize=10, loc="left")
    return axes


def bare(axes: Axes, title: str = "") -> Axes:
    """Leave only what is drawn: no frame, ticks or labels; for pictures."""
    axes.set_axis_off()
    if title:
        axes.set_title(title, fontsize=_SMALL)
    return axes


def legend(axes: Axes, **places: Any) -> None:
    """Name the lines of axes."""
    axes.legend(fontsize=_SMALL, frameon=False, **places)


def colour(index: int) -> str:
    """Return the colour of a series by its number."""
    return COLOURS[index % len(COLOURS)]


def grid_of(count: int, columns: int) -> tuple[int, int]:
    """Return rows and columns that hold so many cells."""
    columns = max(1, min(columns, count))
    return -(-count // columns), columns
