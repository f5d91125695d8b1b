"""Attention: how much each place looks at each other one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.plots.canvas import grid_of, new_figure, styled

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.figure import Figure

_MOST_NAMES = 40


def attention_maps(
    scores: npt.ArrayLike,
    queries: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    *,
    titles: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """Draw attention scores, a panel for each head.

    Args:
        scores: Of the shape (heads, queries, keys), or (queries, keys) for one head.
        queries: The tokens that look, from top to bottom.
        keys: The tokens that are looked at, from left to right; `queries` by default.
        titles: What stands above each panel; the head's number by default.
        title: What stands above all.

    Raises:
        ValueError: If the shape is another one, or the tokens are not as many.

    Example:
        >>> attention_maps(scores[0], ["ich", "bin", "da"])
    """
    import numpy as np

    heads = np.asarray(scores, dtype=float)
    heads = heads[None] if heads.ndim == 2 else heads
    if heads.ndim != 3:
        raise ValueError(
            "Attention scores have the shape (heads, queries, keys). Received the shape "
            f"{np.shape(scores)}"
        )
    keys = queries if keys is None and heads.shape[1] == heads.shape[2] else keys
    for names, count, what in (
        (queries, heads.shape[1], "queries"),
        (keys, heads.shape[2], "keys"),
    ):
        if names is not None and len(names) != count:
            raise ValueError(f"There are {count} {what}. Received {len(names)} names")
    rows, columns = grid_of(len(heads), 4)
    side = min(max(0.2 * heads.shape[2] + 1.0, 2.2), 5.0)
    figure = new_figure(side * columns, side * rows + (0.3 if title else 0))
    for i, head in enumerate(heads):
        name = titles[i] if titles else (f"head {i + 1}" if len(heads) > 1 else "")
        axes = styled(figure.add_subplot(rows, columns, i + 1), title=name)
        axes.grid(visible=False)
        axes.imshow(head, cmap="viridis", aspect="auto", interpolation="nearest", vmin=0)
        if keys is not None and len(keys) <= _MOST_NAMES:
            axes.set_xticks(range(len(keys)), list(keys), rotation=90, fontsize=7)
        if queries is not None and len(queries) <= _MOST_NAMES:
            axes.set_yticks(range(len(queries)), list(queries), fontsize=7)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure
