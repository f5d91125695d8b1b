"""Texts as token ids, inside the transform graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.transform.missing_values import fill_missing

if TYPE_CHECKING:
    import tensorflow as tf

PADDING = 0
"""The id of places behind the end of a text."""
UNKNOWN = 1
"""The id of a token that is not in the vocabulary."""


def character_ngrams(texts: Any, width: int = 1, *, lower: bool = True) -> tf.RaggedTensor:
    """Cut texts into overlapping pieces of `width` characters each.

    With a width of more than 1, a space is put before and after the text, so that pieces show where words
    begin and end. Pieces of three characters tell most of what words tell, also of words that never
    occurred. The function consists of TensorFlow's ops, so it becomes part of the serving graph.

    Args:
        texts: A feature with one text a row: UTF-8 strings of the shape (rows, 1), or a
            `tf.SparseTensor` of them; a missing one counts as empty.
        width: Characters of a piece.
        lower: Whether the texts are put into lower case, and runs of white space into one space.

    Returns:
        Strings of the shape (rows, number of pieces), ragged.

    Raises:
        TypeError: If the feature does not hold strings.
        ValueError: If `width` is less than 1.

    Example:
        >>> character_ngrams(tf.constant([["Ja"]]), 3)
        <tf.RaggedTensor [[b' ja', b'ja ']]>
    """
    import tensorflow as tf

    if width < 1:
        raise ValueError(f"width must be at least 1. Received: width={width}")
    if texts.dtype != tf.string:
        raise TypeError(f"character_ngrams takes texts. Received: {texts.dtype.name}")
    with tf.name_scope("character_ngrams"):
        rows = tf.reshape(fill_missing(texts), [-1])
        if lower:
            rows = tf.strings.regex_replace(tf.strings.lower(rows, "utf-8"), r"\s+", " ")
            rows = tf.strings.strip(rows)
        if width == 1:
            return tf.strings.unicode_split(rows, "UTF-8")
        padded = tf.strings.join([" ", rows, " "])
        return tf.strings.ngrams(tf.strings.unicode_split(padded, "UTF-8"), width, separator="")


def token_ids(
    tokens: tf.RaggedTensor,
    max_tokens: int,
    *,
    vocab_filename: str,
    top_k: int | None = None,
    frequency_threshold: int | None = None,
) -> tf.Tensor:
    """Learn a vocabulary over the data that is analyzed, and look tokens up in it.

    Ids are 0 for padding, 1 for unknown tokens, and then those of the vocabulary, the most frequent
    first; `len(fn_args.vocabulary(vocab_filename)) + 2` is their number.

    Args:
        tokens: Strings of the shape (rows, number of tokens), ragged.
        max_tokens: Tokens of a row in the result; longer rows are cut, shorter ones padded.
        vocab_filename: The vocabulary's name.
        top_k: How many tokens it has at most.
        frequency_threshold: How often a token must occur to be in it.

    Returns:
        int64 of the shape (rows, max_tokens).

    Raises:
        ValueError: If `max_tokens` is less than 1.

    Example:
        def preprocessing_fn(inputs):
            pieces = character_ngrams(inputs["text"], 3)
            return {"tokens": token_ids(pieces, 40, vocab_filename="tokens", top_k=6000)}
    """
    import tensorflow as tf

    from penstock.transform.imports import import_tensorflow_transform

    tft = import_tensorflow_transform()
    if max_tokens < 1:
        raise ValueError(f"max_tokens must be at least 1. Received: max_tokens={max_tokens}")
    with tf.name_scope("token_ids"):
        # What is cut off is not counted either.
        tokens = tokens[:, :max_tokens]
        indices = tft.compute_and_apply_vocabulary(
            tokens.flat_values,
            vocab_filename=vocab_filename,
            top_k=top_k,
            frequency_threshold=frequency_threshold,
            default_value=-1,
        )
        ids = tokens.with_flat_values(indices + UNKNOWN + 1)
        return ids.to_tensor(PADDING, shape=[None, max_tokens])
