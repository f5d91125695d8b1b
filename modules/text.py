"""Texts in 16 languages: which language is it?

User code of `pipelines/text.py`: Transform calls `preprocessing_fn`, the Trainer `run_fn`, and the
BaselineComparison `baseline_fn`. `modules/text_transformer.py` uses all of it but the layers in between.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf
import tensorflow_transform as tft
from keras import layers

from penstock.training import Batches, FnArgs, embedding_matrix, export_model, fit, write_embeddings
from penstock.transform import character_ngrams, fill_missing, token_ids

LABEL = "label"
TOKENS = "tokens"
# Most texts are shorter; a language shows in the first words.
MAX_TOKENS = 40
VOCABULARY_SIZE = 6000
DIM = 48
UNITS = 32
BATCH_SIZE = 64


def preprocessing_fn(inputs):
    # "Ja, bitte" is " ja", "ja,", "a, ", ", b", " bi", "bit", ... Transform learns which pieces are
    # frequent, and the lookup becomes part of the model that is served: it takes strings.
    pieces = character_ngrams(inputs["text"], 3)
    return {
        TOKENS: token_ids(pieces, MAX_TOKENS, vocab_filename=TOKENS, top_k=VOCABULARY_SIZE),
        "label_xf": tft.compute_and_apply_vocabulary(
            fill_missing(inputs[LABEL]), vocab_filename=LABEL
        ),
    }


def recurrent(kind: str) -> keras.Layer:
    """Return a layer that reads a text from left to right, and perhaps also back."""
    cells = {"simple": layers.SimpleRNN, "gru": layers.GRU, "lstm": layers.LSTM}
    direction, _, cell = kind.rpartition("_")
    if cell not in cells or direction not in ("", "bidirectional"):
        names = [*cells, *(f"bidirectional_{name}" for name in cells)]
        raise ValueError(f"rnn must be one of {', '.join(names)}. Received: rnn={kind!r}")
    # An output at each token, not only at the last.
    layer = cells[cell](UNITS, return_sequences=True, name=kind)
    return layers.Bidirectional(layer, name=kind) if direction else layer


def build_model(vocabulary_size: int, languages: int, rnn: str = "bidirectional_gru"):
    tokens = keras.Input((MAX_TOKENS,), dtype="int64", name=TOKENS)
    # mask_zero: layers behind it leave the padding out, here the RNN and the averages.
    embedded = layers.Embedding(vocabulary_size, DIM, mask_zero=True, name="embedding")(tokens)
    embedded = layers.Dropout(0.4)(embedded)
    hidden = recurrent(rnn)(embedded)
    # The average of the embeddings knows which pieces occur, what the RNN says knows in which order.
    mean = layers.Concatenate()(
        [layers.GlobalAveragePooling1D()(embedded), layers.GlobalAveragePooling1D()(hidden)]
    )
    mean = layers.Dropout(0.4)(mean)
    probabilities = layers.Dense(languages, activation="softmax", dtype="float32")(mean)
    return keras.Model({TOKENS: tokens}, probabilities)


def dataset(fn_args: FnArgs, split: str) -> Batches:
    return fn_args.dataset(split, batch_size=BATCH_SIZE, label_key="label_xf")


def run_fn(fn_args: FnArgs) -> keras.callbacks.History:
    config = fn_args.custom_config
    pieces = fn_args.vocabulary(TOKENS)

    def build(vocabulary_size: int, languages: int) -> keras.Model:
        model = build_model(vocabulary_size, languages, config["rnn"])
        if config["embeddings"]:
            # Vectors of an earlier training, or anybody's in the format of word2vec and GloVe.
            embedding = model.get_layer("embedding")
            embedding.set_weights([embedding_matrix(config["embeddings"], ["", "", *pieces], DIM)])
        return model

    model, history = train_and_export(fn_args, build, config["epochs"])
    (vectors,) = model.get_layer("embedding").get_weights()
    if fn_args.is_chief:
        write_embeddings(f"{fn_args.model_run_dir}/embeddings.txt", pieces, vectors[2:])
    return history


def train_and_export(
    fn_args: FnArgs, build: Callable[[int, int], keras.Model], epochs: int
) -> tuple[keras.Model, keras.callbacks.History]:
    """Train what `build` makes, keep its best epoch, and export it so that it takes a string."""
    languages = fn_args.vocabulary(LABEL)
    with fn_args.strategy.scope():
        # 0 is padding, 1 a piece that is not in the vocabulary.
        model = build(len(fn_args.vocabulary(TOKENS)) + 2, len(languages))
        model.compile(
            optimizer=keras.optimizers.Adam(3e-3),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
    history = fit(
        model,
        dataset(fn_args, "train"),
        validation_data=dataset(fn_args, "eval"),
        fn_args=fn_args,
        epochs=epochs,
        callbacks=[
            keras.callbacks.EarlyStopping("val_accuracy", patience=2, restore_best_weights=True)
        ],
    )
    names = tf.constant(languages)

    def name_language(probabilities):
        return {
            "probabilities": probabilities,
            "language": tf.gather(names, tf.argmax(probabilities, axis=1)),
        }

    export_model(
        model,
        fn_args.serving_model_dir,
        transform_output=fn_args.transform_graph_path,
        label_key=LABEL,
        postprocess=name_language,
    )
    return model, history


def baseline_fn(train, test):
    """Predict by a logistic regression on how often each word occurs."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    words = CountVectorizer(token_pattern=r"\w+", decode_error="replace")
    model = make_pipeline(words, LogisticRegression(C=10, max_iter=200))
    model.fit(train["text"], train[LABEL].astype(str))
    return model.predict_proba(test["text"])


def pieces_baseline_fn(train, test):
    """Predict by a logistic regression on pieces of one to three characters, weighted by their rarity."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    pieces = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(1, 3), sublinear_tf=True, decode_error="replace"
    )
    model = make_pipeline(pieces, LogisticRegression(C=10, max_iter=200))
    model.fit(train["text"], train[LABEL].astype(str))
    return model.predict_proba(test["text"])
