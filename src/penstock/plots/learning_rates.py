"""The loss over the learning rate, from a range test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.plots.canvas import colour, legend, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def learning_rate_curve(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    *,
    suggested: float | None = None,
    title: str = "",
) -> Figure:
    """Draw what `penstock.training.learning_rate_range` found.

    Args:
        rates: The learning rate of each step.
        losses: Its loss.
        smoothed: The smoothed loss.
        suggested: A rate to mark with a line.
        title: What stands above.

    Raises:
        ValueError: If there are not as many rates as losses.

    Example:
        >>> found = learning_rate_range(model, train)
        >>> learning_rate_curve(
        ...     found.rates, found.losses, found.smoothed, suggested=found.suggested
        ... )
    """
    if not len(rates) == len(losses) == len(smoothed):
        raise ValueError(
            f"There are {len(rates)} rates, {len(losses)} losses and {len(smoothed)} smoothed losses."
        )
    figure = new_figure()
    axes = styled(figure.add_subplot(), x_label="learning rate", y_label="loss", title=title)
    axes.plot(rates, losses, color="#c4c4c4", linewidth=1, label="of each batch")
    axes.plot(rates, smoothed, color=colour(0), linewidth=1.8, label="smoothed")
    if suggested is not None:
        axes.axvline(
            suggested,
            color=colour(1),
            linestyle="--",
            linewidth=1.2,
            label=f"suggested: {suggested:.2g}",
        )
    axes.set_xscale("log")
    # What diverged would press the rest to the ground.
    highest = max(smoothed[0] * 2, min(smoothed) * 2)
    axes.set_ylim(min(0.0, min(losses)), min(max(losses), highest) * 1.05)
    legend(axes)
    return figure
