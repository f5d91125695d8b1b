"""Scores of a binary classifier and of a regression: curves, histograms, predictions beside the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.plots.canvas import colour, legend, new_figure, styled

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.figure import Figure


def precision_recall(
    curves: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]],
    *,
    chosen: tuple[float, float] | None = None,
    title: str = "",
) -> Figure:
    """Draw precision over recall for one or several models.

    Args:
        curves: By name of the model the recalls and the precisions.
        chosen: The recall and the precision of the threshold that was chosen; it is marked.
        title: What stands above.

    Example:
        >>> precision_recall({"model": (recall, precision)}, chosen=(0.9, 0.95))
    """
    figure = new_figure(4.8, 3.8)
    axes = styled(figure.add_subplot(), x_label="recall", y_label="precision", title=title)
    for i, (name, (recall, precision)) in enumerate(curves.items()):
        axes.step(recall, precision, where="post", color=colour(i), linewidth=1.6, label=name)
    if chosen is not None:
        axes.plot(*chosen, "o", color="black", markersize=6, label="threshold chosen")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    legend(axes, loc="lower left")
    return figure


def score_histogram(
    scores: Mapping[str, npt.ArrayLike],
    *,
    threshold: float | None = None,
    x_label: str = "score",
    title: str = "",
    log_x: bool = False,
) -> Figure:
    """Draw how the scores of several groups of rows are spread, such as normal rows and outliers.

    Args:
        scores: The scores by name of the group.
        threshold: A score to mark with a line.
        x_label: What the scores are.
        title: What stands above.
        log_x: Whether they are spread by their logarithms; then all are above 0.

    Raises:
        ValueError: If there is no finite score.

    Example:
        >>> score_histogram({"normal": errors[~outlier], "outlier": errors[outlier]}, threshold=0.3)
    """
    import numpy as np

    groups = {name: np.ravel(np.asarray(each, dtype=float)) for name, each in scores.items()}
    every: Any = np.concatenate(list(groups.values())) if groups else np.zeros(0)
    every = every[np.isfinite(every)]
    if not len(every):
        raise ValueError("There is no finite score to draw.")
    low, high = float(every.min()), float(every.max())
    edges = (np.geomspace if log_x else np.linspace)(low, high, 41).tolist()
    figure = new_figure()
    axes = styled(figure.add_subplot(), x_label=x_label, y_label="share of the group", title=title)
    for i, (name, values) in enumerate(groups.items()):
        weights = np.full(len(values), 1 / max(len(values), 1))
        axes.hist(values, bins=edges, weights=weights, color=colour(i), alpha=0.6, label=name)
    if threshold is not None:
        axes.axvline(threshold, color="black", linestyle="--", linewidth=1.2, label="threshold")
    if log_x:
        axes.set_xscale("log")
    legend(axes)
    return figure


def predicted_and_actual(
    actual: npt.ArrayLike, predicted: npt.ArrayLike, *, unit: str = "", title: str = ""
) -> Figure:
    """Draw a regression's predictions over the true values, with the line on which both are equal.

    Args:
        actual: True values.
        predicted: As many predictions.
        unit: What is measured.
        title: What stands above.

    Raises:
        ValueError: If they are not as many.

    Example:
        >>> predicted_and_actual([1.0, 2.0], [1.2, 1.9], unit="minutes")
    """
    import numpy as np

    right = np.ravel(np.asarray(actual, dtype=float))
    said = np.ravel(np.asarray(predicted, dtype=float))
    if len(right) != len(said):
        raise ValueError(f"There are {len(right)} true values and {len(said)} predictions.")
    after = f", {unit}" if unit else ""
    figure = new_figure(4.4, 4.0)
    axes = styled(
        figure.add_subplot(), x_label=f"actual{after}", y_label=f"predicted{after}", title=title
    )
    axes.scatter(right, said, s=6, alpha=0.35, color=colour(0), linewidths=0)
    ends = [float(np.nanmin(right)), float(np.nanmax(right))] if len(right) else [0.0, 1.0]
    axes.plot(ends, ends, color="#555555", linewidth=1, linestyle="--")
    return figure
