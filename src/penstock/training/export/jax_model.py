"""A Keras model on JAX as a function of TensorFlow, converted by jax2tf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from penstock.training.transform_graph import declared_inputs


class ConvertedJaxModel:
    """A model that TensorFlow calls: XLA's code, for CPUs and CUDA, with variables of TensorFlow.

    Args:
        model: A Keras model whose backend is JAX.

    Attributes:
        variables: Its weights.
        input: The model's declared inputs.
    """

    def __init__(self, model: Any) -> None:
        import numpy as np
        import tensorflow as tf

        self._model = model
        self.input = declared_inputs(model)
        self._trainable = [
            tf.Variable(np.asarray(each.value), name=each.path)
            for each in model.trainable_variables
        ]
        self._other = [
            tf.Variable(np.asarray(each.value), trainable=False, name=each.path)
            for each in model.non_trainable_variables
        ]
        self.variables = [*self._trainable, *self._other]

    def __call__(self, inputs: Any) -> Any:
        """Return the outputs, as the model gives them when it does not train."""
        import tensorflow as tf
        from jax.experimental import jax2tf

        def call(trainable: Any, other: Any, inputs: Any) -> Any:
            outputs, _ = self._model.stateless_call(trainable, other, inputs, training=False)
            return outputs

        inputs = tf.nest.map_structure(_as_jax_takes_it, inputs)
        names = (f"size{number}" for number in count())
        shapes = tf.nest.map_structure(lambda each: _polymorphic(each.shape, names), inputs)
        converted = jax2tf.convert(
            call,
            polymorphic_shapes=[None, None, shapes],
            with_gradient=False,
            native_serialization_platforms=("cpu", "cuda"),
        )
        trainable = [tf.identity(each) for each in self._trainable]
        return converted(trainable, [tf.identity(each) for each in self._other], inputs)


def _as_jax_takes_it(tensor: Any) -> Any:
    """Return a tensor in 32 bits, which JAX computes in by default."""
    import tensorflow as tf

    kinds: Mapping[Any, Any] = {tf.int64: tf.int32, tf.float64: tf.float32}
    return tf.cast(tensor, kinds[tensor.dtype]) if tensor.dtype in kinds else tensor


def _polymorphic(shape: Any, names: Iterator[str]) -> str:
    sizes = ["rows" if place == 0 else str(size or next(names)) for place, size in enumerate(shape)]
    return f"({', '.join(sizes)})"
