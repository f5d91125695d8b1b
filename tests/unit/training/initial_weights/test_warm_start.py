import logging
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from penstock.training import export_model, warm_start

pytestmark = pytest.mark.tensorflow

SCHEMA = """
feature { name: "x" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 2 } } }
feature { name: "word" type: INT presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "label" type: INT presence { min_fraction: 1 } shape { dim { size: 1 } } }
"""


def build(classes=3, words=4, hidden="hidden"):
    import keras

    inputs = {
        "x": keras.Input((2,), name="x"),
        "word": keras.Input((1,), name="word", dtype="int64"),
    }
    embedded = keras.layers.Embedding(words, 2, name="words")(inputs["word"])
    both = keras.layers.Concatenate()([inputs["x"], keras.layers.Flatten()(embedded)])
    both = keras.layers.BatchNormalization(name="norm")(both)
    both = keras.layers.Dropout(0.1)(both)
    both = keras.layers.Dense(5, name=hidden)(both)
    return keras.Model(inputs, keras.layers.Dense(classes, name="head")(both))


def values(model):
    return {v.path: np.array(v.numpy()) for v in model.variables if "seed_generator" not in v.path}


def equal(model, other, *layers):
    mine, theirs = values(model), values(other)
    for path, value in mine.items():
        if path.split("/")[0] in layers:
            np.testing.assert_array_equal(value, theirs[path], path)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A model, and the folder of its artifact in all forms."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    root = tmp_path_factory.mktemp("base")
    model = build()
    for variable in model.variables:
        if "seed_generator" not in variable.path:
            variable.assign(np.random.default_rng(len(variable.path)).normal(size=variable.shape))
    export_model(
        model,
        f"{root}/Format-Serving",
        schema=text_format.Parse(SCHEMA, schema_pb2.Schema()),
        label_key="label",
        forms=["keras", "weights"],
    )
    return model, root


ALL = ("words", "norm", "hidden", "head")


@pytest.mark.parametrize(
    "place",
    ["Format-Serving", "", "Format-Keras/model.keras", "Format-Weights/model.weights.h5"],
)
def test_every_form_gives_the_weights(base, place):
    before, root = base
    model = build()
    report = warm_start(model, f"{root}/{place}")
    assert set(report.taken) == set(ALL)
    assert not report.changed
    assert not report.new
    assert not report.unused
    equal(model, before, *ALL)


def test_a_layer_of_another_shape_is_left_as_new_and_named(base, caplog):
    before, root = base
    model = build(classes=4, hidden="wide")
    new = values(model)
    with caplog.at_level(logging.WARNING):
        report = warm_start(model, f"{root}/Format-Serving")
    assert report.changed == {"head": "kernel (5, 3) -> (5, 4), bias (3,) -> (4,)"}
    assert report.new == ("wide",)
    assert report.unused == ("hidden",)
    assert "head is left as new: kernel (5, 3) -> (5, 4)" in caplog.text
    equal(model, before, "words", "norm")
    np.testing.assert_array_equal(values(model)["head/kernel"], new["head/kernel"])


def test_rows_of_words_follow_the_words(base):
    before, root = base
    # One bucket for words that are in no vocabulary is behind the words.
    model = build(words=6)
    new = values(model)["words/embeddings"]
    old_words, words = ["a", "b", "c"], ["c", "d", "a", "e", "f"]
    report = warm_start(model, str(root), vocabularies={"words": (old_words, words)})
    assert report.grown == {"words": "the rows of 2 of 5 words taken"}
    rows, earlier = values(model)["words/embeddings"], values(before)["words/embeddings"]
    np.testing.assert_array_equal(rows[[0, 2, 5]], earlier[[2, 0, 3]])
    np.testing.assert_array_equal(rows[[1, 3, 4]], new[[1, 3, 4]])


def test_a_first_run_has_no_base_model():
    model = build()
    before = values(model)
    report = warm_start(model, None)
    assert str(report) == "There is no base model: all layers are new."
    np.testing.assert_array_equal(values(model)["head/kernel"], before["head/kernel"])


def test_what_cannot_be_is_said(base, tmp_path):
    import keras

    _, root = base
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="elsewhere")])
    with pytest.raises(
        ValueError, match=r"No layer of Sequential fits .*elsewhere \(kernel \(2, 1\)"
    ):
        warm_start(other, str(root))
    with pytest.raises(FileNotFoundError, match="No model to start from at"):
        warm_start(other, str(tmp_path))
    with pytest.raises(ValueError, match="Sequential has no weights yet"):
        warm_start(keras.Sequential([keras.layers.Dense(1)]), str(root))
    with pytest.raises(ValueError, match="names the layer 'word'. Did you mean 'words'"):
        warm_start(build(), str(root), vocabularies={"word": ([], [])})
    with pytest.raises(ValueError, match="'head' has no rows of words"):
        warm_start(build(), str(root), vocabularies={"head": ([], [])})
    with pytest.raises(ValueError, match="has 4 rows for 5 words"):
        warm_start(build(), str(root), vocabularies={"words": (["a"], list("abcde"))})


def test_a_saved_model_of_keras_itself(base, tmp_path):
    before, _ = base
    before.export(str(tmp_path / "exported"), verbose=False)
    model = build()
    report = warm_start(model, str(tmp_path / "exported"))
    assert set(report.taken) == set(ALL)
    equal(model, before, *ALL)


def test_a_checkpoint_of_tensorflow_and_a_module(tmp_path):
    import tensorflow as tf

    class Plain(tf.Module):
        def __init__(self, value):
            super().__init__()
            self.factor = tf.Variable([value], name="factor")

    prefix = tf.train.Checkpoint(model=Plain(3.0)).write(str(tmp_path / "checkpoint"))
    module = Plain(1.0)
    assert warm_start(module, prefix).taken
    assert module.factor.numpy().tolist() == [3.0]


def test_checkpoints_of_fit(base, tmp_path):
    from penstock.training.checkpoints.folder import CheckpointFolder
    from penstock.training.checkpoints.variables import read_variables, structure_of

    before, _ = base
    before.compile("sgd", "mse")
    contents = {"structure": structure_of(before), "variables": read_variables(before)}
    CheckpointFolder(tmp_path).write(contents)
    model = build()
    assert set(warm_start(model, str(tmp_path)).taken) == set(ALL)
    equal(model, before, *ALL)


def test_a_subclassed_model_under_another_name(tmp_path):
    import keras

    class Tower(keras.Model):
        def __init__(self, **options):
            super().__init__(**options)
            self.left = keras.layers.Dense(2, name="left")
            self.right = keras.layers.Dense(2, name="right")

        def call(self, inputs):
            return self.left(inputs) + self.right(inputs)

    first, second = Tower(name="tower"), Tower(name="tower_1")
    for model in (first, second):
        model(np.ones((1, 2)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        first.save_weights(tmp_path / "first.weights.h5")
    assert warm_start(second, str(tmp_path / "first.weights.h5")).taken == ("left", "right")
    np.testing.assert_array_equal(second.right.kernel.numpy(), first.right.kernel.numpy())


def test_a_model_behind_a_url(base):
    from penstock.artifacts import location

    before, root = base
    for name, _ in location.list_files(str(root)):
        location.write_bytes(f"memory://models/7/{name}", (root / name).read_bytes())
    model = build()
    report = warm_start(model, "memory://models/7/Format-Serving")
    assert report.source == "memory://models/7/Format-Serving"
    assert set(report.taken) == set(ALL)
    equal(model, before, *ALL)


def test_weights_of_16_bits(tmp_path):
    import keras

    def small():
        layer = keras.layers.Dense(2, dtype="bfloat16", name="head")
        return keras.Sequential([keras.Input((3,)), layer])

    first, second = small(), small()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        first.save_weights(tmp_path / "small.weights.h5")
    assert warm_start(second, str(tmp_path / "small.weights.h5")).taken == ("head",)
    kernels = [
        np.asarray(keras.ops.cast(model.layers[-1].kernel, "float32")) for model in (first, second)
    ]
    np.testing.assert_array_equal(*kernels)


OTHER_BACKEND = """
import sys
import numpy as np
import keras
from penstock.training import warm_start
from penstock.training.without_tensorflow import without_tensorflow

with without_tensorflow():
    inputs = {"x": keras.Input((2,), name="x")}
    hidden = keras.layers.Dense(5, name="narrower")(inputs["x"])
    model = keras.Model(inputs, keras.layers.Dense(3, name="head")(hidden))
    report = warm_start(model, sys.argv[1])
np.save(sys.argv[2], keras.ops.convert_to_numpy(model.get_layer("head").kernel))
print(*report.taken, *report.new, "tensorflow" in sys.modules)
"""


@pytest.mark.slow
@pytest.mark.parametrize("place", ["Format-Serving", "Format-Keras/model.keras"])
def test_on_jax_without_tensorflow(base, tmp_path, place):
    before, root = base
    done = subprocess.run(
        [sys.executable, "-c", OTHER_BACKEND, f"{root}/{place}", str(tmp_path / "head.npy")],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["head", "narrower", "False"]
    np.testing.assert_array_equal(np.load(tmp_path / "head.npy"), values(before)["head/kernel"])


TFX_MODEL = """
import sys
import numpy as np
import tf_keras

class Model(tf_keras.Model):
    def __init__(self):
        super().__init__(name="earlier")
        self.hidden = tf_keras.layers.Dense(5, name="hidden")
        self.head = tf_keras.layers.Dense(3, name="head")

    def call(self, x):
        return self.head(self.hidden(x))

model = Model()
model.compile("adam", "mse")
model.fit(np.ones((4, 2)), np.ones((4, 3)), verbose=0)
model.save(sys.argv[1], save_format="tf")
np.save(sys.argv[1] + "/kernel.npy", model.hidden.kernel.numpy())
"""


@pytest.mark.slow
def test_a_saved_model_of_keras_2_as_tfx_writes_it(tmp_path):
    import keras

    path = str(tmp_path / "Format-Serving")
    command = [sys.executable, "-W", "ignore", "-c", TFX_MODEL, path]
    subprocess.run(command, check=True, capture_output=True)
    inputs = keras.Input((2,), name="x")
    hidden = keras.layers.Dense(5, name="hidden")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(4, name="head")(hidden))
    report = warm_start(model, path)
    assert report.taken == ("hidden",)
    assert report.changed == {"head": "kernel (5, 3) -> (5, 4), bias (3,) -> (4,)"}
    # The optimizer's state is no layer.
    assert not report.unused
    np.testing.assert_array_equal(values(model)["hidden/kernel"], np.load(f"{path}/kernel.npy"))
