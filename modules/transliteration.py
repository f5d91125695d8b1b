"""Words into words: Ukrainian in Latin letters, by a transformer's encoder and decoder.

User code of `pipelines/transliteration.py`: Transform calls `preprocessing_fn`, the Trainer `run_fn`, and
the BaselineComparison `baseline_fn` and `metric_fn`.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from penstock.plots import attention_maps, write_pictures
from penstock.training import FnArgs, export_model, fit
from penstock.training.layers import (
    TokenAndPositionEmbedding,
    TransformerDecoder,
    TransformerEncoder,
    beam_search,
    greedy_search,
)
from penstock.transform import character_ngrams, fill_missing, token_ids

# Letters of a word, and of its target between START and END.
SOURCE, TARGET = 16, 20
START, END = "<", ">"
DIM = 64
HEADS = 4
BATCH_SIZE = 64


def preprocessing_fn(inputs):
    letters = character_ngrams(inputs["word"])
    framed = tf.strings.join([START, fill_missing(inputs["target"]), END])
    target = token_ids(character_ngrams(framed), TARGET, vocab_filename="target_letters")
    return {
        "source": token_ids(letters, SOURCE, vocab_filename="source_letters"),
        # The decoder reads "<abc" and shall say "abc>": at each place the letter that comes next.
        "target_in": target[:, :-1] * tf.cast(target[:, 1:] != 0, tf.int64),
        "target_out": target[:, 1:],
    }


def build_models(source_size: int, target_size: int) -> tuple[keras.Model, ...]:
    """Return what is trained, and its encoder and decoder, which have the same weights."""
    source = keras.Input((SOURCE,), dtype="int64", name="source")
    x = TokenAndPositionEmbedding(source_size, DIM, SOURCE, dropout=0.1)(source)
    x = TransformerEncoder(HEADS, 2 * DIM, dropout=0.1)(x)
    encoder = keras.Model(source, layers.LayerNormalization()(x), name="encoder")

    target = keras.Input((TARGET - 1,), dtype="int64", name="target_in")
    context = keras.Input((SOURCE, DIM), name="context")
    seen = keras.Input((SOURCE,), dtype="bool", name="seen")
    y = TokenAndPositionEmbedding(target_size, DIM, TARGET - 1, dropout=0.1, name="embedding")(
        target
    )
    # A causal mask: no letter sees a later one, so all letters of a word are trained at once.
    y = TransformerDecoder(HEADS, 2 * DIM, dropout=0.1, name="attending")(
        y, context=context, context_mask=seen
    )
    logits = layers.Dense(target_size, dtype="float32")(layers.LayerNormalization()(y))
    decoder = keras.Model([target, context, seen], logits, name="decoder")

    both = decoder([target, encoder(source), ops.not_equal(source, 0)])
    return keras.Model({"source": source, "target_in": target}, both), encoder, decoder


def compiled(model: keras.Model, steps: int) -> keras.Model:
    # Attention makes large gradients at first: the rate begins at 0, rises, and falls to 0 again.
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=4e-3, warmup_steps=max(1, steps // 10)
    )
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        # Class 0 is padding, which nobody has to predict.
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0),
        metrics=["accuracy"],
    )
    return model


def run_fn(fn_args: FnArgs) -> keras.callbacks.History:
    config = fn_args.custom_config
    # Ids 0 and 1 are padding and a letter that is not in the vocabulary.
    source_letters, target_letters = (
        ["", "", *fn_args.vocabulary(name)] for name in ("source_letters", "target_letters")
    )
    train, validation = (
        fn_args.dataset(split, batch_size=BATCH_SIZE, label_key="target_out")
        for split in ("train", "eval")
    )
    with fn_args.strategy.scope():
        model, encoder, decoder = build_models(len(source_letters), len(target_letters))
        compiled(model, train.steps_per_epoch * config["epochs"])
    history = fit(
        model, train, validation_data=validation, fn_args=fn_args, epochs=config["epochs"]
    )
    export_model(
        Transliterator(encoder, decoder, target_letters, config["beams"]),
        fn_args.serving_model_dir,
        transform_output=fn_args.transform_graph_path,
        label_key="target",
    )
    if fn_args.is_chief:
        features, _ = next(validation.epoch(0))
        draw_attention(features, (encoder, decoder), (source_letters, target_letters), fn_args)
    return history


class Transliterator:
    """Searches the likeliest target of a word; this is what is exported and served."""

    def __init__(
        self, encoder: keras.Model, decoder: keras.Model, letters: list[str], beams: int
    ) -> None:
        self.encoder, self.decoder, self.beams = encoder, decoder, beams
        self.variables = [*encoder.variables, *decoder.variables]
        self.start, self.end = letters.index(START), letters.index(END)
        self.letters = tf.constant(["" if each in (START, END) else each for each in letters])

    def __call__(self, features):
        source = features["source"]
        # The encoder reads a word once; its beams stand beside each other in the batch.
        context = ops.repeat(self.encoder(source), self.beams, axis=0)
        seen = ops.repeat(ops.not_equal(source, 0), self.beams, axis=0)

        def next_logits(tokens, position):
            return ops.take(self.decoder([tokens, context, seen]), position, axis=1)

        start = ops.full((ops.shape(source)[0],), self.start, "int32")
        found = beam_search(next_logits, start, TARGET - 1, self.end, beams=self.beams)
        letters = tf.gather(self.letters, found.tokens[:, 0])
        return {"target": tf.strings.reduce_join(letters, axis=-1), "score": found.scores[:, 0]}


def draw_attention(features, models, letters, fn_args: FnArgs) -> None:
    """Draw at which letters of a word the decoder looks while it says the letters of the target."""
    encoder, decoder = models
    source, target = features["source"][:3], features["target_in"][:3]
    embedded = decoder.get_layer("embedding")(target)
    _, _, scores = decoder.get_layer("attending")(
        embedded, context=encoder(source), context_mask=source != 0, return_attention_scores=True
    )
    # The average of the heads.
    scores = ops.convert_to_numpy(ops.mean(scores, axis=1))
    figures = {}
    for row in range(len(source)):
        word = [letters[0][token] for token in source[row] if token]
        said = [letters[1][token] for token in target[row] if token]
        shown = scores[row, : len(said), : len(word)]
        # Beside each row the letter that it says: the one after the letter that it reads.
        figures[f"word_{row + 1}"] = attention_maps(shown, [*said[1:], END], word)
    write_pictures(f"{fn_args.model_run_dir}/attention", figures, title="Attention to the word")


def baseline_fn(train, test):
    """Predict by an LSTM that reads the word and another that writes from its last state."""
    words, targets = (
        texts(train["word"]),
        [f"{START}{each}{END}" for each in texts(train["target"])],
    )
    source_letters = ["", "", *sorted(set("".join(words)))]
    letters = ["", "", *sorted(set("".join(targets)))]
    source = keras.Input((SOURCE,), dtype="int32")
    embedded = layers.Embedding(len(source_letters), DIM, mask_zero=True)(source)
    _, *state = layers.LSTM(2 * DIM, return_state=True)(embedded)
    target = keras.Input((TARGET - 1,), dtype="int32")
    y = layers.Embedding(len(letters), DIM, mask_zero=True)(target)
    y = layers.LSTM(2 * DIM, return_sequences=True)(y, initial_state=state)
    model = keras.Model([source, target], layers.Dense(len(letters))(layers.Dropout(0.1)(y)))

    x, y = ids(words, source_letters, SOURCE), ids(targets, letters, TARGET)
    epochs = 25
    compiled(model, len(x) // BATCH_SIZE * epochs)
    model.fit([x, y[:, :-1]], y[:, 1:], batch_size=BATCH_SIZE, epochs=epochs, verbose=0)

    asked = ops.convert_to_tensor(ids(texts(test["word"]), source_letters, SOURCE))
    found = greedy_search(
        lambda tokens, position: ops.take(model([asked, tokens]), position, axis=1),
        np.full(len(asked), letters.index(START)),
        TARGET - 1,
        letters.index(END),
    )
    said = ["".join(letters[token] for token in row) for row in ops.convert_to_numpy(found)]
    return np.array([each.strip(START + END) for each in said])


def texts(column) -> list[str]:
    return [value.decode() for value in column]


def ids(words: list[str], letters: list[str], length: int) -> np.ndarray:
    table = {letter: number for number, letter in enumerate(letters) if letter}
    found = np.zeros((len(words), length), "int32")
    for row, word in enumerate(words):
        found[row, : len(word)] = [table.get(letter, 1) for letter in word[:length]]
    return found


def metric_fn(labels, predictions) -> dict[str, float]:
    """Return the share of words that are right to the last letter."""
    right = [
        as_text(label) == as_text(said) for label, said in zip(labels, predictions, strict=True)
    ]
    return {"words_right": float(np.mean(right))}


def as_text(value) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
