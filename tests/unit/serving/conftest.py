"""A SavedModel that can be pushed and asked."""

import pytest


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> str:
    """Doubles `x`, names `kind`, and counts the `tags`."""
    import tensorflow as tf

    spec = {
        "x": tf.io.FixedLenFeature([1], tf.float32),
        "n": tf.io.FixedLenFeature([1], tf.int64, default_value=[7]),
        "kind": tf.io.FixedLenFeature([], tf.string, default_value="none"),
        "tags": tf.io.VarLenFeature(tf.string),
    }
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([1, 2], tf.int64)), -1
    )
    module = tf.Module()
    module.weight = tf.Variable(2.0)
    module.table = table

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples):
        row = tf.io.parse_example(examples, spec)
        return {
            "double": row["x"] * module.weight,
            "n": row["n"][:, 0],
            "kind": row["kind"],
            "index": table.lookup(row["kind"]),
            "tags": tf.sparse.reduce_sum(
                tf.SparseTensor(
                    row["tags"].indices,
                    tf.ones_like(row["tags"].values, tf.int64),
                    row["tags"].dense_shape,
                ),
                axis=1,
            ),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def halve(x):
        return {"half": x / 2}

    path = tmp_path_factory.mktemp("model") / "saved"
    signatures = {"serving_default": serve, "halve": halve}
    tf.saved_model.save(module, str(path), signatures)
    return str(path)
