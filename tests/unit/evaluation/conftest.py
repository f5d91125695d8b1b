"""A model whose answers are known without training, and examples to ask it about."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from penstock.io import ExamplesWriter, split_files

NUM_ROWS = 120


@pytest.fixture(scope="session")
def columns() -> dict[str, list]:
    """Features of 120 rows; `kind` is missing in every tenth."""
    random = np.random.default_rng(5)
    x = random.normal(size=NUM_ROWS).astype(np.float32)
    y = (x + random.normal(scale=0.7, size=NUM_ROWS)).clip(-1.4, 1.4)
    return {
        "x": [[float(value)] for value in x],
        "label": [[int(value)] for value in np.digitize(y, [-0.5, 0.6])],
        "positive": [[int(value > 0)] for value in y],
        "weight": [[float(value)] for value in random.integers(0, 4, NUM_ROWS)],
        "kind": [[] if i % 10 == 0 else [f"k{i % 3}".encode()] for i in range(NUM_ROWS)],
        "size": [[int(value)] for value in random.integers(1, 3, NUM_ROWS)],
    }


@pytest.fixture(scope="session")
def files(columns, tmp_path_factory) -> list[str]:
    """Two shards of serialized tf.Examples."""
    root = tmp_path_factory.mktemp("examples")
    kinds = {"x": pa.float32(), "weight": pa.float32(), "kind": pa.binary()}
    paths = []
    for part in range(2):
        rows = slice(part * NUM_ROWS // 2, (part + 1) * NUM_ROWS // 2)
        arrays = [
            pa.array(values[rows], pa.large_list(kinds.get(name, pa.int64())))
            for name, values in columns.items()
        ]
        with ExamplesWriter(str(root / str(part)), ["eval"]) as writer:
            writer.write("eval", pa.RecordBatch.from_arrays(arrays, list(columns)))
        paths += split_files(str(root / str(part)), "eval")
    return paths


@pytest.fixture(scope="session")
def make_model(tmp_path_factory) -> Callable[..., str]:
    """Writes a SavedModel that scores three classes by `x`, with a slope to tell models apart."""

    def make(slope: float = 1.0) -> str:
        import tensorflow as tf

        spec = {
            "x": tf.io.FixedLenFeature([1], tf.float32),
            "label": tf.io.FixedLenFeature([1], tf.int64, default_value=[-1]),
        }
        signature = [tf.TensorSpec([None], tf.string, name="examples")]

        def serve(examples):
            x = slope * tf.io.parse_example(examples, spec)["x"]
            logits = tf.concat([-2 * x, tf.zeros_like(x), 2 * x - 0.3], axis=1)
            scores = tf.nn.softmax(logits)
            return {"probabilities": scores, "positive": scores[:, 2], "value": x}

        def transform(examples):
            parsed = tf.io.parse_example(examples, spec)
            return {"label_xf": parsed["label"], "sign": tf.cast(parsed["x"] > 0, tf.int64)}

        module = tf.Module()
        functions = {"serving_default": serve, "transform_features": transform}
        path = tmp_path_factory.mktemp("model") / f"slope_{slope}"
        tf.saved_model.save(
            module,
            str(path),
            {n: tf.function(f, signature).get_concrete_function() for n, f in functions.items()},
        )
        return str(path)

    return make


@pytest.fixture(scope="session")
def model(make_model) -> str:
    return make_model()


@pytest.fixture(scope="session")
def worse_model(make_model) -> str:
    return make_model(-0.5)


@pytest.fixture
def by_class() -> Callable[..., dict]:
    """An EvalConfig of the three classes, as a dict."""

    def make(*metrics: dict, **more) -> dict:
        return {
            "model_specs": [{"label_key": "label", "prediction_key": "probabilities"}],
            "metrics_specs": [{"metrics": list(metrics)}],
            **more,
        }

    return make


def scores(x: np.ndarray, slope: float = 1.0) -> np.ndarray:
    """What the model of `make_model` returns."""
    x = np.asarray(x, np.float32).reshape(-1, 1) * np.float32(slope)
    logits = np.concatenate([-2 * x, np.zeros_like(x), 2 * x - np.float32(0.3)], axis=1)
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


@pytest.fixture(scope="session")
def expected_accuracy(columns) -> Callable[..., float]:
    """The accuracy on chosen rows, computed here."""

    def accuracy(rows, slope: float = 1.0) -> float:
        x = np.array(columns["x"])[rows]
        labels = np.array(columns["label"])[rows, 0]
        return float((scores(x, slope).argmax(axis=1) == labels).mean())

    return accuracy


@pytest.fixture
def here(tmp_path: Path) -> str:
    return str(tmp_path / "evaluation")
