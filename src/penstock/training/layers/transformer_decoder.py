"""A block of a transformer's decoder."""

from __future__ import annotations

from typing import Any

import keras

from penstock.training.layers.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable(package="penstock")
class TransformerDecoder(TransformerBlock):
    """Lets each place look at those before it and at a context, then changes each by itself.

    It is the decoder's block of "Attention Is All You Need" (Vaswani et al., 2017): self-attention with
    a causal mask, so that all places can be trained at once and none sees the answer; attention to
    what the encoder made of the source; a feed-forward network. Without a context it is the block of
    a language model.

    The arguments are those of `TransformerBlock`: `num_heads`, `units`, `dropout`, `activation` and
    `norm_first`.

    Call arguments:
        x: Floats of shape `(batch, length, dim)`.
        context: Floats of shape `(batch, source_length, source_dim)`, or None. A block is built with or
            without one.
        x_mask: Booleans of shape `(batch, length)`; by default the mask that comes with `x`.
        context_mask: Booleans of shape `(batch, source_length)`; by default the mask that comes with
            `context`.
        return_attention_scores: Whether to return who looked at whom, too.

    Returns:
        Floats of shape `(batch, length, dim)`. With `return_attention_scores` a triple: these, the
        scores of the self-attention `(batch, num_heads, length, length)`, and those of the attention
        to the context `(batch, num_heads, length, source_length)`, or None without a context.

    Raises:
        ValueError: If `dim` does not divide by `num_heads`.

    Example:
        y = TransformerDecoder(num_heads=4, units=128)(y, context=encoded)
    """

    def build(
        self,
        x_shape: tuple[int | None, ...],
        context_shape: tuple[int | None, ...] | None = None,
    ) -> None:
        """Create the weights."""
        self.self_attention = self.new_attention(x_shape, "self_attention")
        self.self_attention.build(x_shape, x_shape)
        self.self_attention_norm = self.new_norm(x_shape, "self_attention_norm")
        self.self_dropout = self.new_dropout(x_shape)
        self.cross_attention = None
        if context_shape is not None:
            self.cross_attention = self.new_attention(x_shape, "cross_attention")
            self.cross_attention.build(x_shape, context_shape)
            self.cross_attention_norm = self.new_norm(x_shape, "cross_attention_norm")
            self.cross_dropout = self.new_dropout(x_shape)
        self.feed_forward = self.new_feed_forward(x_shape)
        self.feed_forward_norm = self.new_norm(x_shape, "feed_forward_norm")

    def call(
        self,
        x: Any,
        context: Any = None,
        x_mask: Any = None,
        context_mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Any:
        """Decode the sequence."""
        if (context is None) != (self.cross_attention is None):
            was, now = ("without", "with") if context is not None else ("with", "without")
            raise ValueError(f"{self.name} was built {was} a context, and is called {now} one.")
        options = {"training": training, "return_attention_scores": return_attention_scores}
        seen = self.read(self.self_attention_norm, x)
        change, self_scores = self.attend(
            self.self_attention, seen, seen, x_mask, use_causal_mask=True, **options
        )
        change = self.self_dropout(change, training=training)
        x = self.write(self.self_attention_norm, x, change)
        cross_scores = None
        if self.cross_attention is not None:
            seen = self.read(self.cross_attention_norm, x)
            change, cross_scores = self.attend(
                self.cross_attention, seen, context, context_mask, **options
            )
            change = self.cross_dropout(change, training=training)
            x = self.write(self.cross_attention_norm, x, change)
        change = self.feed_forward(self.read(self.feed_forward_norm, x), training=training)
        x = self.write(self.feed_forward_norm, x, change)
        return (x, self_scores, cross_scores) if return_attention_scores else x
