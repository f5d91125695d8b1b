"""Saliency and Grad-CAM: where in an image a score comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.explaining.explained_model import ExplainedModel
from penstock.explaining.layer_calls import changed_calls, leaf_layers
from penstock.spelling import did_you_mean

if TYPE_CHECKING:
    import numpy.typing as npt


def saliency(
    model: Any,
    inputs: Mapping[str, Any],
    name: str,
    *,
    output: str = "",
    target_class: int | None = None,
) -> npt.NDArray[np.float32]:
    """Return how strongly each pixel moves the score: the greatest absolute gradient over the channels.

    Args:
        model: A Keras model on the TensorFlow backend.
        inputs: Its inputs by name, tensors with the rows first.
        name: The input that is an image, of the shape (rows, height, width, channels).
        output: The output to explain, if there are several.
        target_class: The class to explain; by default the model's own answer in each row.

    Returns:
        Shape (rows, height, width).

    Source: Simonyan, Vedaldi, Zisserman (2014), Deep Inside Convolutional Networks,
    https://arxiv.org/abs/1312.6034.

    Example:
        >>> saliency(model, {"image": images}, "image").shape
        (8, 28, 28)
    """
    import tensorflow as tf

    explained = ExplainedModel(model, output, target_class)
    targets = explained.targets(inputs)
    image = tf.cast(inputs[name], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(image)
        score = explained.score({**inputs, name: image}, targets)
    slope = tape.gradient(score, image)
    if slope is None:
        raise ValueError(
            f"The score does not depend on the input {name!r} in a way that has a slope."
        )
    found: npt.NDArray[np.float32] = np.abs(slope.numpy()).max(axis=-1)
    return found


def grad_cam(
    model: Any,
    inputs: Mapping[str, Any],
    *,
    layer: str = "",
    output: str = "",
    target_class: int | None = None,
) -> npt.NDArray[np.float32]:
    """Return which parts of an image speak for the score, 0 to 1 in each row.

    The feature maps of a convolution are added, each with its mean gradient as the weight, and what speaks
    against the class is cut off.

    Args:
        model: A Keras model on the TensorFlow backend, channels last.
        inputs: Its inputs by name, tensors with the rows first.
        layer: The name of the convolution; by default the last one, also inside of a nested model.
        output: The output to explain, if there are several.
        target_class: The class to explain; by default the model's own answer in each row.

    Returns:
        Shape (rows, height, width) of the feature maps, which are smaller than the image.

    Raises:
        ValueError: If there is no convolution, or none of that name.

    Source: Selvaraju et al. (2017), Grad-CAM, https://arxiv.org/abs/1610.02391.

    Example:
        >>> grad_cam(model, {"image": images}).shape
        (8, 7, 7)
    """
    import tensorflow as tf

    explained = ExplainedModel(model, output, target_class)
    targets = explained.targets(inputs)
    chosen = _convolution(model, layer)
    maps: list[Any] = []
    with tf.GradientTape() as tape:

        def watched(_: Any, found: Any) -> Any:
            tape.watch(found)
            maps.append(found)
            return found

        with changed_calls([chosen], watched):
            score = explained.score(inputs, targets)
    slopes = tape.gradient(score, maps[-1])
    weights = tf.reduce_mean(slopes, axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(tf.cast(weights * maps[-1], tf.float32), axis=-1)).numpy()
    greatest = heat.max(axis=(1, 2), keepdims=True)
    found: npt.NDArray[np.float32] = heat / np.where(greatest > 0, greatest, 1)
    return found


def _convolution(model: Any, name: str) -> Any:
    import keras

    kinds = keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D
    found = [each for each in leaf_layers(model) if isinstance(each, kinds)]
    if not found:
        raise ValueError("Grad-CAM needs a convolution over images. The model has none.")
    if not name:
        return found[-1]
    for each in found:
        if each.name == name:
            return each
    names = [each.name for each in found]
    raise ValueError(f"The model has no convolution {name!r}.{did_you_mean(name, names)}")
