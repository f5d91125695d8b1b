"""Serialized tf.Examples of a batch, as a list and as a tensor."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


class SerializedExamples(list[bytes]):
    """A list of serialized tf.Examples; what TensorFlow takes is made of it once."""

    @cached_property
    def tensor(self) -> tf.Tensor:
        """The examples as strings, `[rows]`."""
        import tensorflow as tf

        return tf.constant(list(self), dtype=tf.string)
