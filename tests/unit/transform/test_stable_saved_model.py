"""SavedModels whose bytes depend on nothing but what they compute."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def save(tmp_path):
    import tensorflow as tf

    from penstock.transform.stable_saved_model import stabilize

    def save_model(name: str, words: str = "a\nb\n", factor: float = 2.0):
        source = tmp_path / f"source-{name}"
        source.mkdir()
        (source / "words").write_text(words)

        class Model(tf.Module):
            def __init__(self):
                super().__init__()
                self.asset = tf.saved_model.Asset(str(source / "words"))
                table = tf.lookup.TextFileInitializer(
                    self.asset.asset_path, "string", 0, "int64", -1
                )
                self.table = tf.lookup.StaticHashTable(table, -1)
                self.factor = tf.Variable(factor)

            @tf.function
            def inner(self, x):
                return tf.cond(tf.reduce_sum(x) > 0, lambda: x * self.factor, lambda: -x)

            @tf.function(
                input_signature=[tf.TensorSpec([None], "float32"), tf.TensorSpec([None], "string")]
            )
            def call(self, x, word):
                total = tf.while_loop(
                    lambda i, _: i < 3, lambda i, y: (i + 1, y + self.inner(x)), (0, x)
                )
                return {"x": total[1], "index": self.table.lookup(word)}

        model = Model()
        folder = tmp_path / name
        tf.saved_model.save(model, str(folder), signatures=model.call)
        stabilize(str(folder), str(source))
        return folder

    return save_model


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_same_model_twice_is_the_same_bytes(save):
    first, second = content(save("one")), content(save("two"))
    assert {"saved_model.pb", "fingerprint.pb", "assets/words"} <= set(first)
    assert first == second


def test_folder_of_origin_does_not_stay(save, tmp_path):
    assert str(tmp_path).encode() not in (save("one") / "saved_model.pb").read_bytes()


def test_another_vocabulary_is_another_table(save):
    # Tables of two models in one process are told apart by their names.
    one, two = content(save("one")), content(save("two", words="b\na\n"))
    assert one["saved_model.pb"] != two["saved_model.pb"]
    assert one["fingerprint.pb"] != two["fingerprint.pb"]


def test_it_computes_what_it_did(save):
    import tensorflow as tf

    model = tf.saved_model.load(str(save("one", words="b\na\n", factor=3.0)))
    for call in (model.call, model.signatures["serving_default"]):
        found = call(x=tf.constant([1.0, 2.0]), word=tf.constant(["a", "z"]))
        assert found["x"].numpy().tolist() == [10.0, 20.0]
        assert found["index"].numpy().tolist() == [1, -1]


def test_gradients_pass_through(save):
    import tensorflow as tf

    model = tf.saved_model.load(str(save("one")))
    x = tf.constant([1.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = model.call(x, tf.constant(["a"]))["x"]
    assert tape.gradient(y, x).numpy().tolist() == [7.0]


def test_its_fingerprint_is_that_of_its_content(save):
    import tensorflow as tf

    folder = save("one")
    fingerprint = tf.saved_model.experimental.read_fingerprint(str(folder))
    (folder / "fingerprint.pb").unlink()
    from tensorflow.core.protobuf import fingerprint_pb2
    from tensorflow.python.saved_model.pywrap_saved_model import fingerprinting

    computed = fingerprint_pb2.FingerprintDef.FromString(
        fingerprinting.CreateFingerprintDef(str(folder))
    )
    assert fingerprint.saved_model_checksum == computed.saved_model_checksum
