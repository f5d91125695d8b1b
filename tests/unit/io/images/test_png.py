import io

import numpy as np
import pytest
from PIL import Image

from penstock.io.images.png import encode_png

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("shape", "mode"),
    [
        ((28, 28), "L"),
        ((1, 1), "L"),
        ((3, 5, 1), "L"),
        ((7, 4, 2), "LA"),
        ((31, 17, 3), "RGB"),
        ((300, 200, 4), "RGBA"),  # more bytes than one stored block holds
    ],
)
def test_a_reader_finds_the_pixels_again(shape, mode):
    pixels = RANDOM.integers(0, 256, shape, np.uint8)
    image = Image.open(io.BytesIO(encode_png(pixels)))
    assert (image.format, image.mode, image.size) == ("PNG", mode, (shape[1], shape[0]))
    np.testing.assert_array_equal(np.asarray(image).reshape(shape), pixels)


def test_the_bytes_are_those_of_the_specification():
    """One black pixel, by hand: stored, so that no version of zlib has a say."""
    content = encode_png(np.zeros((1, 1), np.uint8))
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert b"IDAT\x78\x01\x01\x02\x00\xfd\xff\x00\x00\x00\x02\x00\x01" in content
    assert content.endswith(b"IEND\xae\x42\x60\x82")


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 2), np.float32),
        np.zeros((2, 2, 5), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 2), np.uint8),
    ],
)
def test_what_is_no_image_is_refused(pixels):
    with pytest.raises(ValueError, match=r"needs uint8 pixels of the shape .* Received: "):
        encode_png(pixels)
