"""The part of a transformer block that looks at each place of the sequence alone."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="penstock")
class FeedForward(keras.layers.Layer):  # type: ignore[misc]
    """Two dense layers, the same ones at each place; the last gives vectors of the input's size.

    Args:
        units: Size of the layer between them; two to four times the vectors' size is usual.
        activation: Of the layer between them.
        dropout: Share of the outputs that are dropped in training.
        **kwargs: Further arguments of a Keras layer, such as `name` and `dtype`.

    Call arguments:
        x: Floats of shape `(batch, ..., dim)`.

    Returns:
        Floats of the same shape.

    Example:
        x = x + FeedForward(units=128)(x)
    """

    def __init__(
        self, units: int, activation: Any = "gelu", dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.hidden = keras.layers.Dense(
            units, activation=activation, dtype=self.dtype_policy, name="hidden"
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights; the second layer is as wide as the input."""
        self.hidden.build(input_shape)
        self.output_dense = keras.layers.Dense(
            input_shape[-1], dtype=self.dtype_policy, name="output"
        )
        self.output_dense.build((*input_shape[:-1], self.hidden.units))
        self.dropout.build(input_shape)

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Apply both layers."""
        return self.dropout(self.output_dense(self.hidden(x)), training=training)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return dict(super().get_config()) | {
            "units": self.hidden.units,
            "activation": keras.activations.serialize(self.hidden.activation),
            "dropout": self.dropout.rate,
        }
