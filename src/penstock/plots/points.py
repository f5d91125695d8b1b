"""Points in a plane with names: a map of vectors that a model has learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.plots.canvas import colour, legend, new_figure, styled

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.figure import Figure


def map_of_vectors(
    groups: Mapping[str, Sequence[str]],
    vectors: Mapping[str, npt.ArrayLike],
    *,
    named: Sequence[str] = (),
    title: str = "",
) -> Figure:
    """Draw vectors by the two directions in which they differ most (their principal components).

    Args:
        groups: The names of each group; a group has a colour.
        vectors: Vectors of equal length, by name. Only those in groups are drawn and count.
        named: The names that are written beside their points.
        title: What stands above.

    Raises:
        ValueError: If there are fewer than three vectors in the groups.

    Example:
        >>> map_of_vectors({"fruit": ["apple", "pear"], "tool": ["saw"]}, vectors, named=["saw"])
    """
    import numpy as np

    names = [name for members in groups.values() for name in members]
    if len(names) < 3:
        raise ValueError(f"A map needs three vectors. Received: {len(names)}")
    rows = np.stack([np.asarray(vectors[name], dtype=float) for name in names])
    centred = rows - rows.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    # A direction has no sign of its own: the largest part points to the right, and up.
    largest = np.abs(directions[:2]).argmax(axis=1)
    signs = np.sign(directions[[0, 1], largest])
    points = dict(zip(names, centred @ (directions[:2] * signs[:, None]).T, strict=True))
    figure = new_figure(6.4, 5.0)
    axes = styled(figure.add_subplot(), title=title)
    for i, (group, members) in enumerate(groups.items()):
        if members:
            x, y = np.stack([points[name] for name in members]).T
            axes.scatter(x, y, s=14, alpha=0.7, color=colour(i), linewidths=0, label=group)
    for name in named:
        axes.annotate(name, points[name], xytext=(3, 3), textcoords="offset points", fontsize=7)
    axes.set_xticks([])
    axes.set_yticks([])
    legend(axes)
    return figure
