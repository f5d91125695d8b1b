"""Lines over steps or epochs: one training's curves, and several trainings or methods side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.plots.canvas import colour, grid_of, legend, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_VALIDATION = "val_"
_MARKED = 40


def training_curves(
    history: Mapping[str, Sequence[float]], *, x_label: str = "epoch", title: str = ""
) -> Figure:
    """Draw a training's metrics by epoch, those of training and validation in one panel.

    Args:
        history: Values by name, one for each epoch, as Keras's `History.history`: `val_loss` stands beside
            `loss`.
        x_label: What was counted.
        title: What stands above.

    Raises:
        ValueError: If there is no curve.

    Example:
        >>> training_curves({"loss": [0.9, 0.5], "val_loss": [1.0, 0.7]})
    """
    names = [name for name, values in history.items() if len(values)]
    panels = list(dict.fromkeys(name.removeprefix(_VALIDATION) for name in names))
    if not panels:
        raise ValueError(f"A history holds values by epoch. Received: {dict(history)!r}")
    rows, columns = grid_of(len(panels), 3)
    figure = new_figure(max(3.4 * columns, 4.2), 2.7 * rows + (0.3 if title else 0))
    for i, panel in enumerate(panels):
        axes = styled(figure.add_subplot(rows, columns, i + 1), x_label=x_label, title=panel)
        shown = [(panel, "training"), (_VALIDATION + panel, "validation")]
        for place, (name, label) in enumerate(shown):
            if len(values := history.get(name, ())):
                _draw(axes, range(1, len(values) + 1), values, label, place)
        _whole_numbers(axes)
        if panel in history and _VALIDATION + panel in history:
            legend(axes)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def curve_comparison(
    curves: Mapping[str, Sequence[float] | tuple[Sequence[float], Sequence[float]]],
    *,
    x_label: str = "epoch",
    y_label: str = "loss",
    title: str = "",
    log_x: bool = False,
    log_y: bool = False,
) -> Figure:
    """Draw one quantity of several trainings, optimizers, schedules or losses in one plane.

    Args:
        curves: By name either the values at 1, 2, 3, ..., or a tuple of places and values.
        x_label: What is to the right.
        y_label: What is upwards.
        title: What stands above.
        log_x: Whether the places are spread by their logarithms, as learning rates are.
        log_y: Whether the values are.

    Raises:
        ValueError: If there is no curve.

    Example:
        >>> curve_comparison({"Adam": [0.9, 0.4], "SGD": [1.2, 0.9]}, y_label="val_loss")
    """
    if not curves:
        raise ValueError("There is no curve to draw.")
    figure = new_figure()
    axes = styled(figure.add_subplot(), x_label=x_label, y_label=y_label, title=title)
    counted = True
    for i, (name, curve) in enumerate(curves.items()):
        pair = isinstance(curve, tuple) and len(curve) == 2 and hasattr(curve[0], "__len__")
        places, values = curve if pair else (range(1, len(curve) + 1), curve)
        _draw(axes, places, values, name, i)  # type: ignore[arg-type]
        counted = counted and not pair
    if counted and not log_x:
        _whole_numbers(axes)
    if log_x:
        axes.set_xscale("log")
    if log_y:
        axes.set_yscale("log")
    if len(curves) > 1:
        legend(axes)
    return figure


def _draw(
    axes: Axes, places: Sequence[float], values: Sequence[float], label: str, index: int
) -> None:
    marker = "o" if len(values) <= _MARKED else None
    axes.plot(
        places, values, label=label, color=colour(index), linewidth=1.6, marker=marker, markersize=3
    )


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
