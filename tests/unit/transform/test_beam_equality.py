"""The local driver against TensorFlow Transform on Beam: same vocabularies, same features."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from penstock.beam import AnalyzeOnBeam
from penstock.io import read_record_batches
from penstock.transform import AnalysisElsewhere, TransformFolders, transform

pytestmark = pytest.mark.tensorflow

FEATURES = {
    "x": "FLOAT",
    "y": "FLOAT",
    "count": "INT",
    "label": "INT",
    "weight": "FLOAT",
    "key": "BYTES",
    "word": "BYTES",
    "text": "BYTES",
    "tags": "BYTES?",
    "maybe": "FLOAT?",
    "ints": "INT?",
}
ROWS = 240
BATCH_SIZE = 70
REDUCTIONS = ("min", "max", "sum", "mean", "var", "size")


def random_rows(rows: int) -> dict[str, list]:
    rng = random.Random(7)
    words = ["ant", "bee", "cat", "dog", "eel", "fox", "", "gnu\nline", "h\u00e9"]

    def some(choices, most):
        return [rng.choice(choices) for _ in range(rng.randrange(most))]

    return {
        "x": [rng.gauss(3, 2) for _ in range(rows)],
        "y": [float(rng.randrange(5)) for _ in range(rows)],
        "count": [rng.randrange(-50, 50) for _ in range(rows)],
        "label": [rng.randrange(2) for _ in range(rows)],
        # Dyadic, so that sums do not depend on their order.
        "weight": [rng.randrange(1, 16) / 8 for _ in range(rows)],
        "key": [rng.choice(["u", "v", "w"]) for _ in range(rows)],
        "word": [rng.choice(words) for _ in range(rows)],
        "text": [" ".join(some(words[:6], 6)) for _ in range(rows)],
        "tags": [some(words[:6], 4) or None for _ in range(rows)],
        "maybe": [None if rng.random() < 0.4 else rng.gauss(0, 1) for _ in range(rows)],
        "ints": [some(range(9), 4) or None for _ in range(rows)],
    }


def common_analyzers(inputs):
    """What pipelines use most, in two phases."""
    import tensorflow as tf
    import tensorflow_transform as tft

    maybe = inputs["maybe"]
    one_column = tf.SparseTensor(maybe.indices, maybe.values, [maybe.dense_shape[0], 1])
    score = tft.scale_to_z_score(inputs["x"])
    return {
        "score": score,
        "unit": tft.scale_to_0_1(inputs["y"]),
        "bucket": tft.bucketize(inputs["x"], 5),
        "score_bucket": tft.bucketize(score, 4),
        "word": tft.compute_and_apply_vocabulary(inputs["word"], vocab_filename="common_words"),
        "tag": tft.compute_and_apply_vocabulary(inputs["tags"], top_k=3, num_oov_buckets=2),
        "filled": tft.scale_to_z_score(tf.sparse.to_dense(one_column)),
    }


def constants(rows_of, **values):
    """Results of analyzers as features: each is repeated for every row."""
    import tensorflow as tf

    rows = tf.shape(rows_of)[0]
    return {
        name: tf.tile(
            tf.reshape(
                value if value.dtype in (tf.string, tf.int64) else tf.cast(value, tf.float32),
                [1, -1],
            ),
            [rows, 1],
        )
        for name, value in values.items()
    }


def numeric_analyzers(inputs):
    import tensorflow as tf
    import tensorflow_transform as tft

    x, count = inputs["x"], inputs["count"]
    numbers = tf.concat([x, inputs["y"], inputs["weight"]], axis=1)
    categories, _ = tft.histogram(inputs["key"], categorical=True)
    outputs = constants(
        x,
        **{f"{reduce}_x": getattr(tft, reduce)(x) for reduce in REDUCTIONS},
        **{f"{reduce}_count": getattr(tft, reduce)(count) for reduce in REDUCTIONS},
        min_rows=tft.min(numbers, reduce_instance_dims=False),
        mean_rows=tft.mean(numbers, reduce_instance_dims=False),
        mean_maybe=tft.mean(inputs["maybe"]),
        tukey=tft.tukey_location(x),
        covariance=tft.covariance(numbers, tf.float32),
        quantiles=tft.quantiles(x, 6, epsilon=0.01),
        weighted_quantiles=tft.quantiles(x, 4, 0.01, weights=inputs["weight"]),
        quantiles_rows=tft.quantiles(numbers, 3, 0.01, reduce_instance_dims=False),
        histogram=tf.reshape(categories, [3]),
    )
    outputs["pca"] = tf.matmul(numbers, tft.pca(numbers, 2, tf.float32))
    outputs["gaussian"] = tft.scale_to_gaussian(x)
    outputs["min_max"] = tft.scale_by_min_max(x, -1, 1)
    outputs["interpolated"] = tft.apply_buckets_with_interpolation(
        x, tft.quantiles(x, 5, epsilon=0.01)
    )
    return outputs


def three_phases(inputs):
    import tensorflow as tf
    import tensorflow_transform as tft

    x = inputs["x"]
    bucket = tft.bucketize(tft.scale_to_z_score(x), 7)
    return {"x": tft.scale_to_0_1(tf.cast(bucket, tf.float32) * tft.scale_to_0_1(x))}


def analyzers_by_key(inputs):
    import tensorflow as tf
    import tensorflow_transform as tft

    x = tf.reshape(inputs["x"], [-1])
    key = tf.reshape(inputs["key"], [-1])
    keys, counts = tft.count_per_key(key)
    outputs = constants(inputs["x"], keys=tf.reshape(keys, [3]), counts=tf.reshape(counts, [3]))
    by_key = {
        "z": tft.scale_to_z_score_per_key(x, key),
        "z_file": tft.scale_to_z_score_per_key(x, key, key_vocabulary_filename="keys_z"),
        "unit": tft.scale_to_0_1_per_key(x, key),
        "unit_file": tft.scale_to_0_1_per_key(x, key, key_vocabulary_filename="keys_unit"),
        "bucket": tft.bucketize_per_key(x, key, 3),
    }
    return outputs | {name: value[:, tf.newaxis] for name, value in by_key.items()}


def text_analyzers(inputs):
    import tensorflow as tf
    import tensorflow_transform as tft

    text = tf.compat.v1.strings.split(tf.reshape(inputs["text"], [-1]))
    tokens = tft.compute_and_apply_vocabulary(text, vocab_filename="text_words")
    outputs = {
        "hash": tft.hash_strings(inputs["word"], 10),
        "bag": tft.bag_of_words(inputs["tags"], (1, 2), " "),
        "words": tft.word_count(inputs["tags"])[:, tf.newaxis],
        "ints": tft.compute_and_apply_vocabulary(inputs["ints"], vocab_filename="ints"),
        "records": tft.compute_and_apply_vocabulary(
            inputs["word"], vocab_filename="records", file_format="tfrecord_gzip"
        ),
    }
    outputs["tfidf_index"], outputs["tfidf_weight"] = tft.tfidf(tokens, 12)
    return outputs


def vocabularies(inputs):
    import tensorflow_transform as tft

    word = inputs["word"]
    for name, options in {
        "frequency": {"store_frequency": True},
        "top": {"top_k": 2},
        "threshold": {"frequency_threshold": 27, "store_frequency": True},
        "nothing": {"frequency_threshold": 10_000},
        "nothing_on_top": {"frequency_threshold": 10_000, "top_k": 3},
        "shuffled": {"fingerprint_shuffle": True},
        "weighted": {"weights": inputs["weight"], "store_frequency": True},
        "reserved": {"reserved_tokens": ["fox", "yak"], "top_k": 4},
        "coverage": {"top_k": 1, "coverage_top_k": 1, "key_fn": lambda token: token[:1] > b"c"},
    }.items():
        tft.vocabulary(word, vocab_filename=name, name=name, **options)
    tft.vocabulary(inputs["count"], top_k=9, store_frequency=True, vocab_filename="integers")
    tft.experimental.approximate_vocabulary(
        word, top_k=20, vocab_filename="approximate", store_frequency=True
    )
    return {"word": word}


def informative_vocabularies(inputs):
    import tensorflow as tf
    import tensorflow_transform as tft

    word, label = tf.reshape(inputs["word"], [-1]), tf.reshape(inputs["label"], [-1])
    weight = tf.reshape(inputs["weight"], [-1])
    for name, options in {
        "plain": {"min_diff_from_avg": 0.0},
        "adjusted": {"use_adjusted_mutual_info": True, "min_diff_from_avg": 0.0, "top_k": 5},
        "regularized": {},
        "threshold": {"frequency_threshold": 0.5, "min_diff_from_avg": 0.0},
        "weighted": {"weights": weight, "min_diff_from_avg": 0.0},
    }.items():
        tft.vocabulary(word, labels=label, vocab_filename=name, name=name, **options)
    return {"word": inputs["word"]}


def columns_apart(inputs):
    """Analyzers of each column for itself, and of what a sparse feature has."""
    import tensorflow as tf
    import tensorflow_transform as tft

    x, maybe = inputs["x"], inputs["maybe"]
    columns = tf.concat([x, inputs["y"]], axis=1)
    reductions = {
        f"{reduce}_columns": getattr(tft, reduce)(columns, reduce_instance_dims=False)
        for reduce in REDUCTIONS
    }
    reductions |= {f"{reduce}_maybe": getattr(tft, reduce)(maybe) for reduce in REDUCTIONS}
    return constants(x, **reductions) | {
        "z": tft.scale_to_z_score(columns, elementwise=True),
        "unit": tft.scale_by_min_max(columns, elementwise=True),
        "gaussian": tft.scale_to_gaussian(columns, elementwise=True),
        "bucket": tft.bucketize(columns, 4, elementwise=True),
        "heavy_bucket": tft.bucketize(x, 5, weights=inputs["weight"]),
        "maybe_z": tft.scale_to_z_score(maybe),
        "maybe_bucket": tft.bucketize(maybe, 3),
        "density": tft.estimated_probability_density(x, boundaries=10),
        "word_density": tft.estimated_probability_density(inputs["word"], categorical=True),
    }


def text_mappers(inputs):
    """N-grams, document frequencies, and vocabularies by label or by sketch."""
    import tensorflow as tf
    import tensorflow_transform as tft

    word, label = (tf.reshape(inputs[name], [-1]) for name in ("word", "label"))
    text = tf.compat.v1.strings.split(tf.reshape(inputs["text"], [-1]))
    grams = tft.ngrams(text, (1, 2), " ")
    tokens = tft.compute_and_apply_vocabulary(text, vocab_filename="tokens")
    tags = tf.RaggedTensor.from_sparse(inputs["tags"])
    approximate = tft.experimental.compute_and_apply_approximate_vocabulary
    by_label = {"labels": label, "min_diff_from_avg": 0.0, "num_oov_buckets": 1, "top_k": 3}
    return {
        "grams": tft.compute_and_apply_vocabulary(
            grams, frequency_threshold=2, num_oov_buckets=3, vocab_filename="grams"
        ),
        "distinct": tft.word_count(tft.deduplicate_tensor_per_row(grams))[:, tf.newaxis],
        "frequency": tft.experimental.document_frequency(tokens, 9),
        "idf": tft.experimental.idf(tokens, 9, smooth=False),
        "tags": tft.compute_and_apply_vocabulary(tags, vocab_filename="ragged_tags"),
        "first_tags": tft.sparse_tensor_to_dense_with_shape(inputs["tags"], [None, 4], "-"),
        "by_label": tft.compute_and_apply_vocabulary(word, vocab_filename="label", **by_label)[
            :, tf.newaxis
        ],
        "shuffled": tft.compute_and_apply_vocabulary(
            inputs["word"], fingerprint_shuffle=True, vocab_filename="by_hash"
        ),
        "often": tft.compute_and_apply_vocabulary(
            inputs["ints"], frequency_threshold=60, default_value=-7, vocab_filename="often"
        ),
        "approximate": approximate(inputs["word"], top_k=5, vocab_filename="sketch"),
        "heavy": approximate(
            inputs["word"], top_k=5, weights=inputs["weight"], vocab_filename="heavy_sketch"
        ),
    }


def python_code(inputs):
    import numpy as np
    import tensorflow as tf
    import tensorflow_transform as tft

    def double(x):
        return (x * 2).astype(np.float32)

    doubled = tft.apply_pyfunc(double, tf.float32, False, "double", inputs["x"])
    doubled.set_shape([None, 1])
    return {"x": tft.scale_to_0_1(doubled)}


class BothEngines:
    """One `preprocessing_fn`, analyzed by each engine; rows are transformed by the same code."""

    def __init__(self, data, preprocessing_fn, root: Path) -> None:
        self.columns = {}
        self.schemas = {}
        self.assets = {}
        for engine in ("local", "beam"):
            result = transform(
                preprocessing_fn=preprocessing_fn,
                schema=data.schema,
                analyze=data.splits("train"),
                transform=data.splits("train"),
                folders=TransformFolders(
                    str(root / engine / "graph"), str(root / engine / "examples")
                ),
                batch_size=BATCH_SIZE,
                elsewhere=AnalysisElsewhere(AnalyzeOnBeam(), engine == "beam"),
            )
            self.schemas[engine] = text_format.MessageToString(result.transformed_schema)
            folder = root / engine / "graph/transform_fn/assets"
            self.assets[engine] = {
                name: (folder / name).read_bytes() for name in os.listdir(folder)
            }
            (file,) = (root / engine / "examples/Split-train").iterdir()
            (batch,) = read_record_batches([str(file)])
            self.columns[engine] = {
                name: batch.column(name).to_pylist() for name in batch.schema.names
            }

    def check(self) -> None:
        local, beam = self.assets["local"], self.assets["beam"]
        assert sorted(local) == sorted(beam)
        differing = [name for name in local if local[name] != beam[name]]
        # gzip's header differs; the content is compared through the features made from it.
        assert [name for name in differing if not name.endswith(".gz")] == []
        assert self.schemas["local"] == self.schemas["beam"]
        local, beam = self.columns["local"], self.columns["beam"]
        assert sorted(local) == sorted(beam)
        for name in local:
            mine, theirs = (
                [cell if cell is not None else [] for cell in side[name]] for side in (local, beam)
            )
            assert [len(cell) for cell in mine] == [len(cell) for cell in theirs], name
            flat = [np.array([value for cell in side for value in cell]) for side in (mine, theirs)]
            if flat[0].dtype.kind == "f":
                np.testing.assert_allclose(*flat, rtol=2e-5, atol=2e-6, err_msg=name)
            else:
                np.testing.assert_array_equal(*flat, err_msg=name)


def test_common_analyzers(data_set, tmp_path):
    data = data_set(FEATURES, train=random_rows(ROWS))
    BothEngines(data, common_analyzers, tmp_path).check()


@pytest.mark.slow
@pytest.mark.parametrize(
    "preprocessing_fn",
    [
        numeric_analyzers,
        three_phases,
        analyzers_by_key,
        text_analyzers,
        vocabularies,
        informative_vocabularies,
        columns_apart,
        text_mappers,
        python_code,
    ],
)
def test_every_analyzer(data_set, tmp_path, preprocessing_fn):
    data = data_set(FEATURES, train=random_rows(ROWS))
    BothEngines(data, preprocessing_fn, tmp_path).check()
