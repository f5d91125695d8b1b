"""Encoded images as pixels, inside the transform graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.transform.missing_values import fill_missing

if TYPE_CHECKING:
    import tensorflow as tf

_CHANNELS = (1, 3, 4)


def decode_images(images: Any, height: int, width: int, channels: int = 3) -> tf.Tensor:
    """Decode a feature of image files, and resize what has another size.

    PNG, JPEG, BMP and the first picture of a GIF are read. The function consists of TensorFlow's ops,
    so it becomes part of the serving graph: the served model takes the bytes of a file.

    Args:
        images: A feature with one image file a row, as `ImageExampleGen` writes it: strings of the shape
            (rows, 1), or a `tf.SparseTensor` of them.
        height: Of the result, in pixels.
        width: Of the result, in pixels.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA); images with others are converted.

    Returns:
        float32 of the shape (rows, height, width, channels), from 0 to 1.

    Raises:
        TypeError: If the feature does not hold strings.
        ValueError: If a size or the number of channels is impossible.
        tf.errors.InvalidArgumentError: When the graph runs, if a row is not an image, or has none.

    Example:
        def preprocessing_fn(inputs):
            return {"pixels": decode_images(inputs["image"], 28, 28, channels=1)}
    """
    import tensorflow as tf

    if min(height, width) < 1 or channels not in _CHANNELS:
        raise ValueError(
            "decode_images needs a height and a width of 1 or more, and 1, 3 or 4 channels. "
            f"Received: height={height}, width={width}, channels={channels}"
        )
    if images.dtype != tf.string:
        raise TypeError(
            "decode_images takes a feature of image files, which are strings. Received: "
            f"{images.dtype.name}"
        )

    def decode(content: tf.Tensor) -> tf.Tensor:
        pixels = tf.io.decode_image(content, channels, expand_animations=False)
        pixels.set_shape([None, None, channels])
        return tf.image.resize(pixels, [height, width], antialias=True) / 255.0

    shape = tf.TensorSpec([height, width, channels], tf.float32)
    with tf.name_scope("decode_images"):
        contents = tf.reshape(fill_missing(images), [-1])
        return tf.map_fn(decode, contents, fn_output_signature=shape)
