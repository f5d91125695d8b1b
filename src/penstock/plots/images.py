"""Images in a grid, and a heat map over an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock.plots.canvas import bare, grid_of, new_figure

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_IMAGES = 100


def image_grid(
    images: Sequence[npt.ArrayLike],
    titles: Sequence[str] | None = None,
    *,
    columns: int = 8,
    title: str = "",
) -> Figure:
    """Draw images side by side, 100 at most.

    Args:
        images: Each of the shape (height, width), (height, width, 1) or (height, width, 3 or 4); integers
            0 to 255 or floats 0 to 1. Grey images of another range are spread over it.
        titles: What stands above each.
        columns: How many stand in a row.
        title: What stands above all.

    Raises:
        ValueError: If there is no image, an image has another shape, or there are not as many titles.

    Example:
        >>> image_grid(pixels[:16], [str(label) for label in labels[:16]])
    """
    shown = list(images)[:MOST_IMAGES]
    if not shown:
        raise ValueError("There is no image to draw.")
    if titles is not None and len(titles) < len(shown):
        raise ValueError(f"There are {len(shown)} images and {len(titles)} titles.")
    rows, columns = grid_of(len(shown), columns)
    figure = new_figure(1.1 * columns, 1.1 * rows * (1.2 if titles else 1) + (0.3 if title else 0))
    for i, image in enumerate(shown):
        axes = figure.add_subplot(rows, columns, i + 1)
        draw_image(axes, image, "" if titles is None else str(titles[i]))
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def heat_map_over_image(
    image: npt.ArrayLike, heat: npt.ArrayLike, *, title: str = "", opacity: float = 0.5
) -> Figure:
    """Draw an image, and beside it the same under a heat map, such as Grad-CAM's.

    Args:
        image: As in `image_grid`.
        heat: Of the shape (height, width), the image's or a smaller one, which is stretched over it.
        title: What stands above.
        opacity: How much the heat covers, 0 to 1.

    Raises:
        ValueError: If the heat has other dimensions.

    Example:
        >>> heat_map_over_image(pixels, grad_cam, title="7, taken for 1")
    """
    import numpy as np

    values = np.squeeze(np.asarray(heat, dtype=float))
    if values.ndim != 2:
        raise ValueError(
            f"The heat is a matrix over the image. Received the shape {np.shape(heat)}"
        )
    figure = new_figure(5.2, 2.8)
    left = figure.add_subplot(1, 2, 1)
    draw_image(left, image, "")
    right = figure.add_subplot(1, 2, 2)
    draw_image(right, image, "")
    height, width = plain_image(image).shape[:2]
    drawn = right.imshow(
        values,
        cmap="inferno",
        alpha=opacity,
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        interpolation="bilinear",
    )
    figure.colorbar(drawn, ax=right, shrink=0.75)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def draw_image(axes: Axes, image: npt.ArrayLike, title: str) -> None:
    """Draw one image into axes."""
    pixels = plain_image(image)
    bare(axes, title)
    if pixels.ndim == 2:
        axes.imshow(pixels, cmap="gray", interpolation="nearest")
    else:
        axes.imshow(pixels, interpolation="nearest")


def plain_image(image: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return an image as Matplotlib draws it: without a channel of one, and colours within their range."""
    import numpy as np

    pixels: Any = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        raise ValueError(
            "An image has the shape (height, width) or (height, width, 1, 3 or 4). Received the shape "
            f"{pixels.shape}"
        )
    if pixels.ndim == 3 and pixels.dtype.kind == "f":
        pixels = np.clip(pixels, 0, 1)
    elif pixels.ndim == 3:
        pixels = np.clip(pixels, 0, 255).astype("uint8")
    return np.asarray(pixels)
