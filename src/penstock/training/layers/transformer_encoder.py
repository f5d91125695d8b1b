"""A block of a transformer's encoder."""

from __future__ import annotations

from typing import Any

import keras

from penstock.training.layers.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable(package="penstock")
class TransformerEncoder(TransformerBlock):
    """Lets each place of a sequence look at all others, then changes each by itself.

    It is the block of "Attention Is All You Need" (Vaswani et al., 2017): multi-head self-attention and a
    feed-forward network, each with a residual connection. With `norm_first` add a `LayerNormalization`
    after the last block.

    The arguments are those of `TransformerBlock`: `num_heads`, `units`, `dropout`, `activation` and
    `norm_first`.

    Call arguments:
        x: Floats of shape `(batch, length, dim)`.
        mask: Booleans of shape `(batch, length)`, True where there is something to look at. By
            default the mask that comes with `x`, as from an embedding with `mask_zero`.
        return_attention_scores: Whether to return who looked at whom, too.

    Returns:
        Floats of shape `(batch, length, dim)`. With `return_attention_scores` a pair: these, and
        the scores of shape `(batch, num_heads, length, length)`: a row of them belongs to the place
        that looks, and sums to 1.

    Raises:
        ValueError: If `dim` does not divide by `num_heads`.

    Example:
        x = TransformerEncoder(num_heads=4, units=128, dropout=0.1)(x)
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        self.attention = self.new_attention(input_shape, "attention")
        self.attention.build(input_shape, input_shape)
        self.attention_norm = self.new_norm(input_shape, "attention_norm")
        self.dropout = self.new_dropout(input_shape)
        self.feed_forward = self.new_feed_forward(input_shape)
        self.feed_forward_norm = self.new_norm(input_shape, "feed_forward_norm")

    def call(
        self,
        x: Any,
        mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        """Encode the sequence."""
        seen = self.read(self.attention_norm, x)
        change, scores = self.attend(
            self.attention,
            seen,
            seen,
            mask,
            return_attention_scores=return_attention_scores,
            training=training,
        )
        x = self.write(self.attention_norm, x, self.dropout(change, training=training))
        change = self.feed_forward(self.read(self.feed_forward_norm, x), training=training)
        x = self.write(self.feed_forward_norm, x, change)
        return (x, scores) if return_attention_scores else x
