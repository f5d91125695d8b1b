"""Finding the sequence that a model holds for likely, token after token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

_NEVER = -1e9
"""The logarithm of a probability that is as good as 0; sums of it stay finite."""


class BeamSearchResult(NamedTuple):
    """The likeliest sequences that a beam search found, best first.

    Args:
        tokens: int32 of shape `(batch, beams, max_length)`: the start, what was found, the end token,
            padding.
        scores: float32 of shape `(batch, beams)`: the logarithm of the probability, by the length penalty.
    """

    tokens: Any
    scores: Any


def greedy_search(
    next_logits: Callable[[Any, Any], Any],
    start: Any,
    max_length: int,
    end_token: int,
    pad_token: int = 0,
) -> Any:
    """Return sequences made by taking the likeliest token each time.

    The search ends early when every sequence has ended. All its shapes are known beforehand, so it
    can be traced into a serving signature. It works on every backend of Keras.

    Args:
        next_logits: Takes the tokens so far, int32 of shape `(batch, max_length)` with padding
            behind, and the position of the last one, an int32; returns logits of shape
            `(batch, vocabulary)` for the token after it.
        start: int32 of shape `(batch,)`: the token that each sequence begins with.
        max_length: Length of the sequences with their start.
        end_token: The token that ends a sequence.
        pad_token: What fills up a sequence that has ended.

    Returns:
        int32 of shape `(batch, max_length)`: the start, what was found, the end token if it was found,
        padding.

    Example:
        tokens = greedy_search(next_logits, start=ops.ones((8,), "int32"), max_length=20, end_token=2)
    """
    start = ops.cast(start, "int32")
    places = ops.arange(max_length, dtype="int32")

    def goes_on(position: Any, tokens: Any, ended: Any) -> Any:
        return ops.logical_not(ops.all(ended))

    def step(position: Any, tokens: Any, ended: Any) -> tuple[Any, Any, Any]:
        token = ops.cast(ops.argmax(next_logits(tokens, position), axis=-1), "int32")
        token = ops.where(ended, pad_token, token)
        tokens = ops.where(places == position + 1, token[:, None], tokens)
        return position + 1, tokens, ops.logical_or(ended, token == end_token)

    tokens = ops.where(places == 0, start[:, None], pad_token)
    first = ops.convert_to_tensor(0, "int32")
    _, tokens, _ = ops.while_loop(
        goes_on, step, (first, tokens, start == end_token), maximum_iterations=max_length - 1
    )
    return tokens


def beam_search(
    next_logits: Callable[[Any, Any], Any],
    start: Any,
    max_length: int,
    end_token: int,
    pad_token: int = 0,
    beams: int = 4,
    length_penalty: float = 1.0,
) -> BeamSearchResult:
    """Return the likeliest sequences among those that begin with the likeliest beginnings.

    With one beam it finds what `greedy_search` finds.

    Args:
        next_logits: As of `greedy_search`, for `batch * beams` rows: the beams of one sequence lie
            beside each other, so what is computed once a sequence is repeated for them by
            `ops.repeat(context, beams, axis=0)`.
        start: int32 of shape `(batch,)`.
        max_length: Length of the sequences with their start.
        end_token: The token that ends a sequence.
        pad_token: What fills up a sequence that has ended.
        beams: Number of beginnings that are kept, at most the size of the vocabulary.
        length_penalty: The logarithm of a sequence's probability is divided by its length to this power
            when the sequences are ranked at the end. 0 prefers short ones.

    Returns:
        The sequences and their scores.

    Raises:
        ValueError: If `beams` is smaller than 1.

    Example:
        best = beam_search(next_logits, start, max_length=20, end_token=2, beams=4).tokens[:, 0]
    """
    if beams < 1:
        raise ValueError(f"beams must be at least 1. Received: beams={beams}")
    start = ops.cast(start, "int32")
    places = ops.arange(max_length, dtype="int32")

    def goes_on(position: Any, tokens: Any, scores: Any, ended: Any) -> Any:
        return ops.logical_not(ops.all(ended))

    def step(position: Any, tokens: Any, scores: Any, ended: Any) -> tuple[Any, ...]:
        logits = next_logits(ops.reshape(tokens, (-1, max_length)), position)
        size = logits.shape[-1]
        logs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        logs = ops.reshape(logs, (-1, beams, size))
        # A sequence that has ended goes on as itself, and as nothing else.
        padding = ops.where(ops.arange(size) == pad_token, 0.0, _NEVER)
        logs = ops.where(ended[:, :, None], padding, logs)
        scores, best = ops.top_k(ops.reshape(scores[:, :, None] + logs, (-1, beams * size)), beams)
        parent, token = ops.cast(best // size, "int32"), ops.cast(best % size, "int32")
        tokens = ops.take_along_axis(tokens, parent[:, :, None], axis=1)
        tokens = ops.where(places == position + 1, token[:, :, None], tokens)
        ended = ops.take_along_axis(ended, parent, axis=1)
        return position + 1, tokens, scores, ops.logical_or(ended, token == end_token)

    shape = (ops.shape(start)[0], beams)
    tokens = ops.where(places == 0, ops.broadcast_to(start[:, None], shape)[:, :, None], pad_token)
    # All beams begin alike: only the first may go on, or they would stay alike.
    scores = ops.broadcast_to(ops.where(ops.arange(beams) == 0, 0.0, _NEVER)[None], shape)
    ended = ops.broadcast_to((start == end_token)[:, None], shape)
    state = (ops.convert_to_tensor(0, "int32"), tokens, ops.cast(scores, "float32"), ended)
    _, tokens, scores, _ = ops.while_loop(goes_on, step, state, maximum_iterations=max_length - 1)
    lengths = ops.sum(ops.cast(tokens != pad_token, "float32"), axis=-1)
    scores = scores / ops.maximum(lengths - 1.0, 1.0) ** length_penalty
    scores, order = ops.top_k(scores, beams)
    tokens = ops.take_along_axis(tokens, ops.cast(order, "int32")[:, :, None], axis=1)
    return BeamSearchResult(tokens, scores)
