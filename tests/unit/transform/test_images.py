import io

import numpy as np
import pytest
from PIL import Image

from penstock.io import image_pixels
from penstock.io.images.png import encode_png
from penstock.transform import decode_images

pytestmark = pytest.mark.tensorflow
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 6, 5, 3), np.uint8)


def jpeg(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95, **options)
    return file.getvalue()


def test_the_pixels_of_a_file_from_0_to_1():
    import tensorflow as tf

    feature = tf.constant([[encode_png(image)] for image in PIXELS])
    found = tf.function(lambda images: decode_images(images, 6, 5))(feature)
    assert found.shape == (2, 6, 5, 3)
    np.testing.assert_allclose(found, PIXELS / 255, atol=1e-6)


def test_sizes_and_channels_are_converted():
    import tensorflow as tf

    # A smooth picture: what resizing gives is near the pixel in its place.
    grey = (np.add.outer(np.arange(40), np.arange(60)) * 2).astype(np.uint8)
    files = [jpeg(grey), encode_png(np.stack([grey] * 3, -1))]
    dense = tf.constant([[file] for file in files])
    sparse = tf.sparse.from_dense(dense)
    found = decode_images(sparse, 20, 30, channels=1).numpy()
    assert found.shape == (2, 20, 30, 1)
    expected = np.asarray(Image.fromarray(grey).resize((30, 20), Image.Resampling.BILINEAR)) / 255
    np.testing.assert_allclose(found[1, :, :, 0], expected, atol=0.02)
    np.testing.assert_allclose(found[0], found[1], atol=0.05)


def test_what_is_no_image_fails_when_the_graph_runs():
    import tensorflow as tf

    with pytest.raises(tf.errors.InvalidArgumentError, match="Unknown image file format"):
        decode_images(tf.constant([["words"]]), 2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 2), "Received: height=0, width=2, channels=3"),
        ((2, 2, 2), "Received: height=2, width=2, channels=2"),
    ],
)
def test_impossible_sizes_are_refused(arguments, message):
    import tensorflow as tf

    with pytest.raises(ValueError, match=message):
        decode_images(tf.constant([["x"]]), *arguments)
    with pytest.raises(TypeError, match="which are strings. Received: int64"):
        decode_images(tf.constant([[1]], tf.int64), 2, 2)


def test_pixels_without_tensorflow():
    np.testing.assert_array_equal(image_pixels(encode_png(PIXELS[0])), PIXELS[0])
    assert image_pixels(encode_png(PIXELS[0]), channels=1).shape == (6, 5, 1)
    assert image_pixels(encode_png(PIXELS[0, :, :, 0])).shape == (6, 5, 1)
    with pytest.raises(ValueError, match="Not an image: it begins with b'words'"):
        image_pixels(b"words")
