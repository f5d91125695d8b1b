"""Texts in 16 languages once more, by a transformer's encoder.

User code of `pipelines/text_transformer.py`. Pieces, labels, training and baselines are those of
`modules/text.py`; only the layers in between are others.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from modules.text import (
    MAX_TOKENS,
    TOKENS,
    baseline_fn,
    pieces_baseline_fn,
    preprocessing_fn,
    train_and_export,
)

from penstock.plots import attention_maps, write_pictures
from penstock.training import FnArgs
from penstock.training.layers import TokenAndPositionEmbedding, TransformerEncoder

__all__ = ["baseline_fn", "pieces_baseline_fn", "preprocessing_fn", "run_fn"]

DIM = 48
HEADS = 4


def build_model(vocabulary_size: int, languages: int, blocks: int = 1) -> keras.Model:
    tokens = keras.Input((MAX_TOKENS,), dtype="int64", name=TOKENS)
    # Attention does not know the order of what it looks at: each place has a vector of its own, which is
    # added to that of the token.
    x = TokenAndPositionEmbedding(vocabulary_size, DIM, MAX_TOKENS, dropout=0.4, name="embedding")(
        tokens
    )
    for number in range(blocks):
        # Each token looks at all others but the padding, at once: no loop over the text as in an RNN.
        block = TransformerEncoder(HEADS, 2 * DIM, dropout=0.2, name=f"encoder_{number + 1}")
        x = block(x)
    x = layers.LayerNormalization(name="encoded")(x)
    # The average of the tokens; its mask leaves the padding out.
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling1D()(x))
    probabilities = layers.Dense(languages, activation="softmax", dtype="float32")(x)
    return keras.Model({TOKENS: tokens}, probabilities)


def run_fn(fn_args: FnArgs) -> keras.callbacks.History:
    config = fn_args.custom_config

    def build(vocabulary_size: int, languages: int) -> keras.Model:
        return build_model(vocabulary_size, languages, config["blocks"])

    model, history = train_and_export(fn_args, build, config["epochs"])
    if fn_args.is_chief:
        draw_attention(model, fn_args)
    return history


def attention_of(model: keras.Model, tokens: np.ndarray) -> np.ndarray:
    """Return the scores of the first encoder, of shape `(batch, heads, places, places)`."""
    embedding, encoder = model.get_layer("embedding"), model.get_layer("encoder_1")
    mask = embedding.compute_mask(tokens)
    _, scores = encoder(embedding(tokens), mask=mask, return_attention_scores=True)
    return keras.ops.convert_to_numpy(scores)


def draw_attention(model: keras.Model, fn_args: FnArgs) -> None:
    """Draw which piece of a text looks at which other one, for a few texts that were not trained on."""
    names = ["", "?", *fn_args.vocabulary(TOKENS)]
    features, _ = next(fn_args.dataset("eval", batch_size=64, label_key="label_xf").epoch(0))
    tokens = features[TOKENS]
    lengths = (tokens != 0).sum(axis=1)
    chosen = np.flatnonzero((lengths > 10) & (lengths < 25))[:3]
    figures = {}
    for number, row in enumerate(chosen, 1):
        length = lengths[row]
        pieces = [names[token].replace(" ", "_") for token in tokens[row, :length]]
        scores = attention_of(model, tokens[row : row + 1])[0, :, :length, :length]
        figures[f"text_{number}"] = attention_maps(scores, pieces)
    caption = "A row is a piece that looks, and the bright places are the pieces that it looks at."
    write_pictures(
        f"{fn_args.model_run_dir}/attention",
        figures,
        title="Attention of the first encoder",
        captions=dict.fromkeys(figures, caption),
    )
