"""What the blocks of an encoder and a decoder share."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from penstock.training.layers.feed_forward import FeedForward


class TransformerBlock(keras.layers.Layer):  # type: ignore[misc]
    """Base class of `TransformerEncoder` and `TransformerDecoder`: their arguments and parts.

    Args:
        num_heads: Heads of each attention; the vectors' size must divide by it.
        units: Size of the feed-forward network's inner layer.
        dropout: Share of attention and outputs that are dropped in training.
        activation: Of the feed-forward network.
        norm_first: Whether a part normalizes what it reads, which trains steadily without a warm-up, or
            the sum that it writes, as the original transformer did.
        **kwargs: Further arguments of a Keras layer, such as `name` and `dtype`.
    """

    def __init__(
        self,
        num_heads: int,
        units: int,
        dropout: float = 0.0,
        activation: Any = "gelu",
        norm_first: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.units = units
        self.dropout_rate = dropout
        self.activation = keras.activations.get(activation)
        self.norm_first = norm_first
        self.supports_masking = True

    def new_attention(self, shape: tuple[int | None, ...], name: str) -> Any:
        """Return a multi-head attention for vectors of this size.

        Raises:
            ValueError: If the vectors' size is unknown or does not divide by `num_heads`.
        """
        dim = shape[-1]
        if dim is None or dim % self.num_heads:
            raise ValueError(
                f"{self.name} has num_heads={self.num_heads}, and the last axis of its input must "
                f"divide by it. Received: shape {tuple(shape)}"
            )
        return keras.layers.MultiHeadAttention(
            self.num_heads,
            key_dim=dim // self.num_heads,
            dropout=self.dropout_rate,
            dtype=self.dtype_policy,
            name=name,
        )

    def new_norm(self, shape: tuple[int | None, ...], name: str) -> Any:
        """Return a layer normalization, built."""
        norm = keras.layers.LayerNormalization(epsilon=1e-5, dtype=self.dtype_policy, name=name)
        norm.build(shape)
        return norm

    def new_dropout(self, shape: tuple[int | None, ...]) -> Any:
        """Return a dropout, built."""
        dropout = keras.layers.Dropout(self.dropout_rate, dtype=self.dtype_policy)
        dropout.build(shape)
        return dropout

    def new_feed_forward(self, shape: tuple[int | None, ...]) -> FeedForward:
        """Return the feed-forward network, built."""
        network = FeedForward(
            self.units,
            self.activation,
            self.dropout_rate,
            dtype=self.dtype_policy,
            name="feed_forward",
        )
        network.build(shape)
        return network

    def attend(
        self,
        attention: Any,
        x: Any,
        keys: Any,
        mask: Any,
        **options: Any,
    ) -> tuple[Any, Any]:
        """Return what the places of `x` take from `keys`, and the scores if they are asked for.

        Args:
            attention: The attention.
            x: Who looks.
            keys: At what.
            mask: Booleans of shape `(batch, number of keys)`, or None.
            **options: Further arguments of the attention.
        """
        if mask is not None:
            mask = ops.expand_dims(ops.cast(mask, "bool"), 1)
        found = attention(x, keys, attention_mask=mask, **options)
        return found if options.get("return_attention_scores") else (found, None)

    def read(self, norm: Any, x: Any) -> Any:
        """Return what a part reads of `x`."""
        return norm(x) if self.norm_first else x

    def write(self, norm: Any, x: Any, change: Any) -> Any:
        """Return `x` with the change that a part makes to it."""
        return x + change if self.norm_first else norm(x + change)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return dict(super().get_config()) | {
            "num_heads": self.num_heads,
            "units": self.units,
            "dropout": self.dropout_rate,
            "activation": keras.activations.serialize(self.activation),
            "norm_first": self.norm_first,
        }
