"""One image file: its bytes, size and channels, and whether it can be decoded."""

from __future__ import annotations

import io
import os
import warnings
from typing import TYPE_CHECKING, NamedTuple

from penstock.installation import install_command
from penstock.io.files.filesystem import FilePath, open_binary
from penstock.io.images.png import encode_png

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

# A photograph of several views, as some telephones write it, is a JPEG file as well.
_KEPT_FORMATS = ("PNG", "JPEG", "MPO")
_CHANNELS = {"1": 1, "L": 1, "LA": 2, "I": 1, "I;16": 1, "F": 1, "P": 3, "PA": 4, "RGBA": 4}
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_OTHER_MODES = {"1": "L", "L": "L", "LA": "LA", "RGBA": "RGBA", "PA": "RGBA"}


class ImageError(ValueError):
    """A file is no image, or a damaged one; the message names it.

    Args:
        path: The file.
        reason: What is wrong.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason


class ImageFile(NamedTuple):
    """An image as a row holds it.

    Args:
        content: A PNG or JPEG file.
        height: In pixels.
        width: In pixels.
        channels: 1 grey, 2 grey with alpha, 3 colour, 4 colour with alpha.
    """

    content: bytes
    height: int
    width: int
    channels: int


def read_image(path: FilePath) -> ImageFile:
    """Read an image, and decode it once, so that a damaged one is found before training.

    PNG and JPEG files keep their bytes. Other formats that Pillow reads (BMP, GIF, TIFF, WebP) become
    PNG files, of their first picture. JPEG files are not turned by their EXIF orientation, since a
    model that is served does not turn them either.

    Args:
        path: A local path or an fsspec URL.

    Raises:
        FileNotFoundError: If there is no such file.
        ImageError: If it is not an image, or damaged.
        ModuleNotFoundError: If Pillow is not installed.

    Example:
        >>> read_image("cats/1.png").height
        28
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"Reading images needs Pillow. Install it with: {install_command('run')}"
        ) from error

    path = os.fspath(path)
    with open_binary(path) as file:
        content = file.read()
    try:
        with warnings.catch_warnings():
            # More pixels than 89 million: an error, not a warning.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning)
            picture = Image.open(io.BytesIO(content))
            picture.load()
    except UnidentifiedImageError as error:
        raise ImageError(
            path, f"not an image that Pillow can read: it begins with {content[:8]!r}"
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombWarning) as error:
        raise ImageError(path, f"damaged, or too large: {error}") from error
    except Image.DecompressionBombError as error:
        raise ImageError(path, f"too large: {error}") from error
    if picture.format not in _KEPT_FORMATS:
        picture, content = _as_png(picture)
    channels = _CHANNELS.get(picture.mode, 3)
    return ImageFile(content, picture.height, picture.width, channels)


def _as_png(picture: Image) -> tuple[Image, bytes]:
    import numpy as np

    plain = picture.convert(_OTHER_MODES.get(picture.mode, "RGB"))
    return plain, encode_png(np.asarray(plain))


def image_pixels(content: bytes, channels: int | None = None) -> npt.NDArray[np.uint8]:
    """Return the pixels of an image file, for code that uses no TensorFlow.

    Args:
        content: The bytes of the file, such as a value of the feature `image`.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA); by default those of the file.

    Returns:
        uint8 of the shape (height, width, channels), from 0 to 255.

    Raises:
        ValueError: If it is not an image.

    Example:
        >>> image_pixels(read_image("cats/1.png").content, channels=1).shape
        (28, 28, 1)
    """
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(io.BytesIO(content))
    except UnidentifiedImageError as error:
        raise ValueError(f"Not an image: it begins with {content[:8]!r}") from error
    if channels is not None:
        picture = picture.convert(_MODES[channels])
    elif picture.mode not in _MODES.values():
        picture = picture.convert(_OTHER_MODES.get(picture.mode, "RGB"))
    pixels = np.asarray(picture)
    return pixels.reshape(*pixels.shape[:2], -1)
