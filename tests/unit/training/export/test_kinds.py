"""Models of each kind are exported, and give the same numbers in another process."""

import logging
from pathlib import Path

import numpy as np
import pytest

from penstock.serving import inspect_saved_model, load_model, read_labels
from penstock.training import export_model
from penstock.training.export import ExportError

pytestmark = pytest.mark.tensorflow

HERE = str(Path(__file__).parent)
ONE = "presence { min_fraction: 1 } shape { dim { size: 1 } }"
SCHEMA = f"""
feature {{ name: "x" type: FLOAT presence {{ min_fraction: 1 }} shape {{ dim {{ size: 2 }} }} }}
feature {{ name: "y" type: FLOAT {ONE} }}
feature {{ name: "s" type: BYTES {ONE} }}
feature {{ name: "words" type: BYTES }}
feature {{ name: "label" type: FLOAT {ONE} }}
"""


@pytest.fixture
def kinds(monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    import kind_models

    return kind_models


def rows(*names):
    generator = np.random.default_rng(3)
    every = {
        "x": generator.normal(size=(16, 2)).astype("float32"),
        "y": generator.normal(size=(16, 1)).astype("float32"),
        "s": generator.choice(["p", "q", "r"], (16, 1)).astype(object),
    }
    return {name: every[name] for name in names}


def export(model, folder, used, **options):
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    # What a model does not declare, it is given: all that is served.
    others = [each.name for each in schema.feature if each.name not in used]
    export_model(model, f"{folder}/Format-Serving", schema=schema, label_key=others, **options)


def check(elsewhere, folder, expected, given, forms=("keras",)):
    """Compare each form, called in another process, with what the model gave here."""
    calls = {
        "keras": ("call_keras", f"{folder}/Format-Keras/model.keras", given),
        "tflite": ("call_tflite", f"{folder}/Format-TFLite/model.tflite", given),
        "onnx": ("call_onnx", f"{folder}/Format-ONNX/model.onnx", given),
    }
    found = [elsewhere("call_saved_model", f"{folder}/Format-Serving", given, "serving_tensors")]
    found += [elsewhere(*calls[form]) for form in forms]
    for outputs in found:
        assert set(outputs) == set(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(outputs[name], values, rtol=1e-4, atol=1e-5)


def arrays(outputs):
    return {name: each.numpy() for name, each in outputs.items()}


def test_a_subclassed_model_with_a_dict_of_outputs(kinds, elsewhere, tmp_path):
    model = kinds.TwoTowers()
    given = rows("x", "y")
    expected = arrays(model(given))
    export(model, tmp_path, given, forms=["keras", "tflite", "onnx"])
    elsewhere("import_from", HERE, "kind_models")
    check(elsewhere, tmp_path, expected, given, ("keras", "tflite", "onnx"))


def test_lists_of_inputs_and_outputs(kinds, elsewhere, tmp_path):
    import keras

    x, y = keras.Input((2,), name="x"), keras.Input((1,), name="y")
    both = keras.layers.Concatenate()([x, y])
    model = keras.Model([x, y], [keras.layers.Dense(1)(both), keras.layers.Dense(2)(both)])
    given = rows("x", "y")
    first, second = model([given["x"], given["y"]])
    export(model, tmp_path, given, forms=["tflite", "onnx"])
    expected = {"outputs_0": first.numpy(), "outputs_1": second.numpy()}
    check(elsewhere, tmp_path, expected, given, ("tflite", "onnx"))


def test_one_input_by_any_name(elsewhere, tmp_path):
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="softmax")])
    given = rows("x")
    expected = {"outputs": model(given["x"]).numpy()}
    export(model, tmp_path, given)
    check(elsewhere, tmp_path, expected, given, ())


def test_own_layers_and_losses(kinds, elsewhere, tmp_path):
    import keras

    inputs = {"x": keras.Input((2,), name="x"), "y": keras.Input((1,), name="y")}
    gated = keras.layers.Concatenate()([kinds.Registered()(inputs["x"]), inputs["y"]])
    model = keras.Model(inputs, {"score": keras.layers.Dense(1)(gated)})
    model.compile("adam", kinds.doubled_error)
    given = rows("x", "y")
    expected = arrays(model(given))
    export(model, tmp_path, given)
    elsewhere("import_from", HERE, "kind_models")
    check(elsewhere, tmp_path, expected, given)
    # One that is not registered is given to Keras.
    other = keras.Model(inputs, {"score": kinds.Gate(3.0)(inputs["x"])})
    export(other, tmp_path / "given", given)
    custom = {"Gate": "kind_models.Gate"}
    found = elsewhere("call_keras", f"{tmp_path}/given/Format-Keras/model.keras", given, custom)
    np.testing.assert_allclose(found["score"], other(given)["score"].numpy(), atol=1e-6)


def test_preprocessing_layers_within_the_model(elsewhere, tmp_path):
    import keras

    layers = keras.layers
    scaling = layers.Normalization(mean=0.5, variance=2.0)
    lookup = layers.StringLookup(vocabulary=["p", "q"], name="letters")
    hashing = layers.Hashing(5)
    vectors = layers.TextVectorization(vocabulary=["p", "q"], output_sequence_length=2, name="text")
    inputs = {
        "x": keras.Input((2,), name="x"),
        "s": keras.Input((1,), name="s", dtype="string"),
    }
    outputs = {
        "scaled": scaling(inputs["x"]),
        "index": lookup(inputs["s"]),
        "hashed": hashing(inputs["s"]),
        "text": vectors(inputs["s"]),
    }
    model = keras.Model(inputs, outputs)
    given = rows("x", "s")
    import tensorflow as tf

    expected = arrays(model({name: tf.constant(each) for name, each in given.items()}))
    export(model, tmp_path, given)
    check(elsewhere, tmp_path, expected, given)
    labels = read_labels(f"{tmp_path}/Format-Serving")
    assert labels.vocabularies == ("letters", "text")
    assert labels.vocabulary("letters") == ["[UNK]", "p", "q"]


def test_a_plain_module(kinds, elsewhere, tmp_path):
    module = kinds.Doubling()
    given = rows("x", "s")
    import tensorflow as tf

    tensors = {name: tf.constant(each) for name, each in given.items()}
    expected = arrays(module(tensors))
    export(module, tmp_path, given)
    assert not (tmp_path / "Format-Keras").exists()
    check(elsewhere, tmp_path, expected, given, ())
    for form, kind in (("keras", ".keras"), ("weights", "Weights alone are Keras's format")):
        with pytest.raises(ExportError, match=f"{kind}.*Received: Doubling"):
            export(module, tmp_path, given, forms=[form])


def test_features_of_any_length_are_padded(elsewhere, tmp_path):
    import tensorflow as tf

    class Counting(tf.Module):
        def __call__(self, features):
            words = features["words"]
            rows = words.dense_shape[0]
            return {"count": tf.math.bincount(words.indices[:, 0], minlength=rows)}

    export(Counting(), tmp_path, ["words"])
    given = {"words": np.array([["a", "b"], ["", ""], ["c", ""]], object)}
    found = elsewhere("call_saved_model", f"{tmp_path}/Format-Serving", given, "serving_tensors")
    assert found["count"].tolist() == [2, 0, 1]
    served = load_model(f"{tmp_path}/Format-Serving")
    answers = served.predict([{"words": ["a", "b"]}, {}, {"words": "c"}])
    assert [each["count"] for each in answers] == [2, 0, 1]


def test_a_layer_that_keras_cannot_describe_is_named(kinds, tmp_path, caplog):
    import keras

    inputs = {"x": keras.Input((2,), name="x")}
    outputs = kinds.NoConfig(lambda x: x * 2, name="odd")(inputs["x"])
    model = keras.Model(inputs, {"twice": outputs})
    # By default the .keras file is left out, and that is said.
    with caplog.at_level(logging.WARNING):
        export(model, tmp_path, ["x"])
    assert "Only the SavedModel was written." in caplog.text
    assert "'odd' (NoConfig) does not say how it is made" in caplog.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Format-Serving"]
    with pytest.raises(
        ExportError, match=r"'odd' \(NoConfig\) .* Define get_config\(\) in NoConfig"
    ):
        export(model, tmp_path, ["x"], forms=["keras"])


def test_an_input_that_is_no_feature_is_named(tmp_path):
    import keras

    inputs = {"z": keras.Input((2,), name="z")}
    model = keras.Model(inputs, {"twice": inputs["z"] * 2})
    with pytest.raises(
        ValueError, match="The model's input 'z' is not a feature .* Features: x, y"
    ):
        export(model, tmp_path, ["x", "y"])


@pytest.mark.parametrize("name", ["class", "Body Mass (g)", "'ClinLR'", "_x", "a/b", "X", "self"])
def test_any_name_of_a_feature_is_served(name, tmp_path):
    import tensorflow as tf
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    class Sum(tf.Module):
        def __call__(self, features):
            return {"sum": features[name] + features["x"]}

    schema = text_format.Parse(f'feature {{ name: "x" type: FLOAT {ONE} }}', schema_pb2.Schema())
    schema.feature.add().CopyFrom(schema.feature[0])
    schema.feature[1].name = name
    export_model(Sum(), str(tmp_path / "m"), schema=schema)
    served = load_model(tmp_path / "m")
    assert served.predict([{"x": 1.0, name: 2.0}]) == [{"sum": [3.0]}]
    # It cannot be an argument of a signature, so there is none of tensors by name.
    assert inspect_saved_model(str(tmp_path / "m")).signatures == ("evaluation", "serving_default")
    with pytest.raises(ExportError, match="cannot be an argument's name"):
        export_model(Sum(), str(tmp_path / "Format-Serving"), schema=schema, forms=["tflite"])


@pytest.mark.parametrize("name", ["name", "args", "kwargs", "training", "examples", "Y2"])
def test_names_that_python_uses_are_arguments_too(name, tmp_path, elsewhere):
    import tensorflow as tf
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    class Twice(tf.Module):
        def __call__(self, features):
            return {"twice": 2.0 * features[name]}

    schema = text_format.Parse(
        f'feature {{ name: "{name}" type: FLOAT {ONE} }}', schema_pb2.Schema()
    )
    path = str(tmp_path / "m")
    export_model(Twice(), path, schema=schema)
    given = {name: np.array([[2.0]], "float32")}
    found = elsewhere("call_saved_model", path, given, "serving_tensors")
    assert found["twice"].tolist() == [[4.0]]


def test_a_model_without_weights_is_refused(kinds, tmp_path):
    with pytest.raises(
        ExportError, match="TwoTowers 'new' has no weights yet: train it, or call it"
    ):
        export(kinds.TwoTowers(name="new"), tmp_path, ["x", "y"])


def test_class_names_must_fit_the_scores(tmp_path):
    import keras

    inputs = {"x": keras.Input((2,), name="x")}
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(inputs["x"]))
    with pytest.raises(ExportError, match="class_names has 2 names.* 3 scores"):
        export(model, tmp_path, ["x"], class_names=["low", "high"])
