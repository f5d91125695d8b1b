"""A model with heads of every kind, and rows for it."""

from pathlib import Path

import pytest

from penstock.artifacts import Examples
from penstock.io import ExamplesWriter

ROWS = 25


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> str:
    """Signatures that predict, classify and regress from tf.Examples, and one that takes tensors."""
    import tensorflow as tf

    spec = {
        "x": tf.io.FixedLenFeature([], tf.float32),
        "name": tf.io.FixedLenFeature([], tf.string, default_value="none"),
    }
    module = tf.Module()
    module.weight = tf.Variable([1.0, 2.0])
    text = tf.TensorSpec([None], tf.string, name="inputs")

    @tf.function(input_signature=[text])
    def serve(inputs):
        row = tf.io.parse_example(inputs, spec)
        x = row["x"]
        return {
            "scores": x[:, None] * module.weight,
            "half": x / 2,
            "column": x[:, None],
            "whole": tf.cast(x, tf.int64) - 3,
            "small": tf.cast(x, tf.int32)[:, None],
            "positive": x > 3,
            "name": row["name"],
            "names": tf.stack([row["name"], tf.strings.upper(row["name"])], axis=1),
            "double": tf.cast(x, tf.float64),
            "square": x[:, None, None] * tf.ones([2, 2]),
            "none": tf.zeros([tf.shape(x)[0], 0]),
        }

    @tf.function(input_signature=[text])
    def classify(inputs):
        x = tf.io.parse_example(inputs, spec)["x"]
        classes = tf.tile(tf.constant([["low", "higher"]]), [tf.shape(x)[0], 1])
        return {"classes": classes, "scores": x[:, None] * module.weight}

    @tf.function(input_signature=[text])
    def regress(inputs):
        return {"outputs": tf.io.parse_example(inputs, spec)["x"][:, None] * 3}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def halve(x):
        return {"half": x / 2}

    @tf.function(input_signature=[text])
    def total(inputs):
        return {"sum": tf.reduce_sum(tf.io.parse_example(inputs, spec)["x"])}

    path = str(tmp_path_factory.mktemp("model") / "Format-Serving")
    signatures = {
        "serving_default": serve,
        "classify": classify,
        "regress": regress,
        "halve": halve,
        "total": total,
    }
    tf.saved_model.save(module, path, signatures)
    _name_methods(path, {"classify": "classify", "regress": "regress"})
    return path


def _name_methods(path: str, methods: dict[str, str]) -> None:
    """Say which signatures classify and regress, as TensorFlow 1's exporters did."""
    from tensorflow.core.protobuf import saved_model_pb2

    file = Path(path, "saved_model.pb")
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for graph in saved.meta_graphs:
        for name, method in methods.items():
            graph.signature_def[name].method_name = f"tensorflow/serving/{method}"
    file.write_bytes(saved.SerializeToString())


def write_examples(folder, file_format="tfrecords_gzip", rows=ROWS, **properties) -> Examples:
    import pyarrow as pa

    names = [None if i % 5 == 0 else [f"row {i}" * (i % 4)] for i in range(rows)]
    columns = {
        "x": pa.array([[float(i)] for i in range(rows)], pa.large_list(pa.float32())),
        "name": pa.array(names, pa.large_list(pa.large_string())).cast(
            pa.large_list(pa.large_binary())
        ),
        "id": pa.array([[i] for i in range(rows)], pa.large_list(pa.int64())),
    }
    batch = pa.RecordBatch.from_pydict(columns)
    examples = Examples(str(folder), custom_properties={"file_format": file_format, **properties})
    examples.splits = ["train", "eval"]
    with ExamplesWriter(
        str(folder), examples.splits, file_format=file_format, num_shards=2, missing="absent"
    ) as writer:
        writer.write("train", batch)
        writer.write("eval", batch.slice(3, 7))
    return examples


@pytest.fixture(scope="session")
def examples(tmp_path_factory) -> Examples:
    return write_examples(tmp_path_factory.mktemp("examples"))
