"""The confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.figure import Figure

from penstock.plots.canvas import new_figure, styled

_MOST_NUMBERS = 20


def confusion_matrix(
    counts: npt.ArrayLike,
    class_names: Sequence[str] | None = None,
    *,
    title: str = "",
) -> Figure:
    """Draw how often each class was taken for each; the colour is the share of the class's rows.

    Args:
        counts: A square matrix: rows are the classes that are right, columns those that were predicted.
        class_names: The classes in that order; their numbers by default.
        title: What stands above.

    Raises:
        ValueError: If it is not square, or the names are not as many.

    Example:
        >>> confusion_matrix([[8, 1], [0, 9]], ["cat", "dog"])
    """
    import numpy as np

    matrix = np.asarray(counts, dtype=float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"A confusion matrix is square. Received the shape {matrix.shape}")
    size = len(matrix)
    names = [str(i) for i in range(size)] if class_names is None else list(map(str, class_names))
    if len(names) != size:
        raise ValueError(f"The matrix has {size} classes. Received {len(names)} class_names")
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = min(max(0.42 * size + 1.8, 3.0), 9.0)
    figure = new_figure(side + 0.6, side)
    axes = styled(figure.add_subplot(), x_label="predicted", y_label="actual", title=title)
    axes.grid(visible=False)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(size), names, rotation=90 if max(map(len, names)) > 2 else 0)
    axes.set_yticks(range(size), names)
    if size <= _MOST_NUMBERS:
        for row, column in np.ndindex(size, size):
            if matrix[row, column]:
                axes.text(
                    column,
                    row,
                    f"{matrix[row, column]:g}",
                    ha="center",
                    va="center",
                    fontsize=7.5,
                    color="white" if shares[row, column] > 0.5 else "black",
                )
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the row")
    return figure
