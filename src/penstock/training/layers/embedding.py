"""Layers that turn tokens into vectors, and say where in the sequence each of them stands."""

from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np
from keras import ops


def sine_positions(max_length: int, dim: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the fixed position encoding of "Attention Is All You Need" (Vaswani et al., 2017).

    Args:
        max_length: Number of positions.
        dim: Size of a vector. Even components are sines, odd ones cosines of the same angle.

    Returns:
        float32 of shape `(max_length, dim)`, between -1 and 1.
    """
    rates = 10000.0 ** (-2 * (np.arange(dim) // 2) / dim)
    angles = np.arange(max_length)[:, None] * rates
    return np.where(np.arange(dim) % 2, np.cos(angles), np.sin(angles)).astype("float32")


@keras.saving.register_keras_serializable(package="penstock")
class PositionEmbedding(keras.layers.Layer):  # type: ignore[misc]
    """Adds to each vector of a sequence one that says where it stands.

    Attention alone does not know the order of what it sees: shuffled vectors give the same result.

    Args:
        max_length: Length of the longest sequence.
        positions: "learned" trains a vector for each position; "sine" uses the fixed waves of
            `sine_positions`, which also serve positions that were rare in training.
        **kwargs: Further arguments of a Keras layer, such as `name` and `dtype`.

    Call arguments:
        x: Floats of shape `(batch, length, dim)`, with `length` at most `max_length`.

    Returns:
        Floats of the same shape. A padding mask passes through.

    Raises:
        ValueError: If the sequences are longer than `max_length`.

    Example:
        patches = PositionEmbedding(max_length=49)(patches)
    """

    def __init__(
        self, max_length: int, positions: Literal["learned", "sine"] = "learned", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if max_length < 1:
            raise ValueError(f"max_length must be at least 1. Received: max_length={max_length}")
        if positions not in ("learned", "sine"):
            raise ValueError(
                f'positions must be "learned" or "sine". Received: positions={positions!r}'
            )
        self.max_length = max_length
        self.positions = positions
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the vectors of the positions."""
        _, length, dim = input_shape
        if dim is None:
            raise ValueError(
                f"PositionEmbedding needs vectors of a known size. Received: shape {input_shape}"
            )
        self._check_length(length)
        learned = self.positions == "learned"
        fixed = sine_positions(self.max_length, dim)
        self.embeddings = self.add_weight(
            shape=(self.max_length, dim),
            initializer="random_normal" if learned else keras.initializers.Constant(fixed),
            trainable=learned,
            name="embeddings",
        )

    def call(self, x: Any) -> Any:
        """Add the positions' vectors."""
        length = x.shape[1]
        self._check_length(length)
        if isinstance(length, int):
            positions = self.embeddings[:length]
        else:
            # None, or a name of JAX for a length that is not known yet.
            positions = ops.take(self.embeddings, ops.arange(ops.shape(x)[1]), axis=0)
        return x + ops.cast(positions, x.dtype)

    def _check_length(self, length: Any) -> None:
        if isinstance(length, int) and length > self.max_length:
            raise ValueError(
                f"{self.name} knows {self.max_length} positions, and the sequences have {length}. "
                f"Raise max_length, or cut the sequences."
            )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return dict(super().get_config()) | {
            "max_length": self.max_length,
            "positions": self.positions,
        }


@keras.saving.register_keras_serializable(package="penstock")
class TokenAndPositionEmbedding(keras.layers.Layer):  # type: ignore[misc]
    """Looks up a vector for each token, and adds one for its position.

    Args:
        vocabulary_size: Number of different tokens; they are 0 to `vocabulary_size - 1`.
        dim: Size of the vectors.
        max_length: Length of the longest sequence.
        positions: "learned" or "sine"; see `PositionEmbedding`.
        mask_zero: Whether token 0 is padding. Layers that follow leave it out then.
        dropout: Share of the components that are dropped in training.
        **kwargs: Further arguments of a Keras layer, such as `name` and `dtype`.

    Call arguments:
        tokens: Integers of shape `(batch, length)`.

    Returns:
        Floats of shape `(batch, length, dim)`.

    Example:
        x = TokenAndPositionEmbedding(vocabulary_size=500, dim=64, max_length=80)(tokens)
    """

    def __init__(
        self,
        vocabulary_size: int,
        dim: int,
        max_length: int,
        positions: Literal["learned", "sine"] = "learned",
        mask_zero: bool = True,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.dim = dim
        self.mask_zero = mask_zero
        policy = self.dtype_policy
        self.token_embedding = keras.layers.Embedding(
            vocabulary_size, dim, mask_zero=mask_zero, dtype=policy, name="tokens"
        )
        self.position_embedding = PositionEmbedding(
            max_length, positions, dtype=policy, name="positions"
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=policy)
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the tables of vectors."""
        self.token_embedding.build(input_shape)
        self.position_embedding.build((*input_shape, self.dim))
        self.dropout.build((*input_shape, self.dim))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return where there is a token: booleans of shape `(batch, length)`, or None."""
        return self.token_embedding.compute_mask(inputs, mask)

    def call(self, tokens: Any, training: bool | None = None) -> Any:
        """Embed the tokens."""
        return self.dropout(
            self.position_embedding(self.token_embedding(tokens)), training=training
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return dict(super().get_config()) | {
            "vocabulary_size": self.vocabulary_size,
            "dim": self.dim,
            "max_length": self.position_embedding.max_length,
            "positions": self.position_embedding.positions,
            "mask_zero": self.mask_zero,
            "dropout": self.dropout.rate,
        }
