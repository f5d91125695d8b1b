import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from penstock.serving import inspect_saved_model, load_model
from penstock.training import export_model

pytestmark = pytest.mark.tensorflow


def build(seed: int = 4):
    import keras

    keras.utils.set_random_seed(seed)
    inputs = {
        "x_xf": keras.Input((1,), name="x_xf"),
        "kind_xf": keras.Input((1,), name="kind_xf", dtype="int64"),
    }
    kind = keras.layers.Flatten()(keras.layers.Embedding(3, 2)(inputs["kind_xf"]))
    both = keras.layers.Concatenate()([inputs["x_xf"], kind])
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(both))


def raw_examples(data) -> list[bytes]:
    from penstock.io import read_tfrecords

    return [record for file in data.raw for record in read_tfrecords(file)]


def call(path, name, examples):
    import tensorflow as tf

    signature = tf.saved_model.load(path).signatures[name]
    return {k: v.numpy() for k, v in signature(examples=tf.constant(examples)).items()}


def test_the_signature_applies_the_transform_graph_and_needs_no_label(data, tmp_path):
    model = build()
    export_model(model, str(tmp_path / "m"), transform_output=data.graph, label_key="label")
    served = load_model(str(tmp_path / "m"))
    # Neither the label nor `note`, which nothing follows from, is asked for.
    assert served.features == {"x": "float32", "kind": "string"}
    (answer,) = served.predict([{"x": 10.0, "kind": "b"}])
    scaled = (10.0 - np.mean(range(50))) / np.std(range(50))
    expected = model({"x_xf": np.array([[scaled]], "float32"), "kind_xf": np.array([[1]])})
    np.testing.assert_allclose(answer["outputs"], expected.numpy()[0], rtol=1e-5)


def test_layers_of_augmentation_and_batch_statistics_do_not_train_when_served(data, tmp_path):
    """Such a layer is in training by default, and tells the layers after it so."""
    import keras

    keras.utils.set_random_seed(4)
    inputs = {
        "x_xf": keras.Input((1,), name="x_xf"),
        "kind_xf": keras.Input((1,), name="kind_xf", dtype="int64"),
    }
    image = keras.layers.Reshape((1, 1, 1))(inputs["x_xf"])
    hidden = keras.layers.RandomBrightness(0.5, value_range=(0, 1))(image)
    hidden = keras.layers.BatchNormalization()(hidden)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(hidden)))
    export_model(model, str(tmp_path / "m"), transform_output=data.graph, label_key="label")
    served = load_model(str(tmp_path / "m"))
    rows = [{"x": float(x), "kind": "b"} for x in (20, 30, 40)]
    one_by_one = [served.predict([row])[0]["outputs"] for row in rows]
    together = [answer["outputs"] for answer in served.predict(rows)]
    np.testing.assert_allclose(one_by_one, together, rtol=1e-5)
    scaled = (np.array([[20.0], [30], [40]]) - np.mean(range(50))) / np.std(range(50))
    features = {"x_xf": scaled.astype("float32"), "kind_xf": np.ones((3, 1), "int64")}
    np.testing.assert_allclose(together, model(features, training=False).numpy(), rtol=1e-5)


def test_transform_features_gives_labels_too(data, tmp_path):
    export_model(build(), str(tmp_path / "m"), transform_output=data.graph, label_key="label")
    found = call(str(tmp_path / "m"), "transform_features", raw_examples(data))
    assert set(found) == {"x_xf", "kind_xf", "label_xf"}
    assert found["label_xf"][:, 0].tolist() == [0] * 30 + [1] * 20


def test_the_export_stands_alone(data, tmp_path):
    graph = tmp_path / "graph"
    shutil.copytree(data.graph, graph)
    export_model(build(), str(tmp_path / "m"), transform_output=str(graph), label_key="label")
    before = call(str(tmp_path / "m"), "serving_default", raw_examples(data))
    shutil.rmtree(graph)
    moved = shutil.move(tmp_path / "m", tmp_path / "elsewhere")
    np.testing.assert_array_equal(
        call(str(moved), "serving_default", raw_examples(data))["outputs"], before["outputs"]
    )


def test_outputs_may_be_named_and_added_to(data, tmp_path):
    import tensorflow as tf

    names = tf.constant([b"low", b"high"])

    def postprocess(scores):
        index = tf.argmax(scores, axis=1)
        return {"scores": scores, "name": tf.gather(names, index)}

    export_model(
        build(),
        str(tmp_path / "m"),
        transform_output=data.graph,
        label_key="label",
        postprocess=postprocess,
    )
    (answer,) = load_model(str(tmp_path / "m")).predict([{"x": 1.0, "kind": "a"}])
    assert answer["name"] == ["low", "high"][int(np.argmax(answer["scores"]))]


def test_the_evaluator_takes_the_scores_that_are_not_served(data, tmp_path):
    import tensorflow as tf

    from penstock.evaluation import evaluate

    export_model(
        build(),
        str(tmp_path / "m"),
        transform_output=data.graph,
        label_key="label",
        postprocess=lambda scores: {"name": tf.strings.as_string(tf.argmax(scores, axis=1))},
    )
    config = {
        "model_specs": [{"label_key": "label_xf", "signature_name": "evaluation"}],
        "metrics_specs": [{"metrics": [{"class_name": "SparseCategoricalAccuracy"}]}],
    }
    found = evaluate(data.raw, model=str(tmp_path / "m"), eval_config=config).metrics()
    scores = call(str(tmp_path / "m"), "evaluation", raw_examples(data))["outputs"]
    expected = np.mean(scores.argmax(axis=1) == [0] * 30 + [1] * 20)
    assert found["sparse_categorical_accuracy"] == pytest.approx(expected)


def test_without_a_transform_graph_raw_features_feed_the_model(data, tmp_path):
    import keras
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = text_format.Parse(
        'feature { name: "x" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 1 } } }',
        schema_pb2.Schema(),
    )
    inputs = {"x": keras.Input((1,), name="x")}
    model = keras.Model(inputs, {"double": inputs["x"] * 2})
    export_model(model, str(tmp_path / "m"), schema=schema)
    signatures = inspect_saved_model(str(tmp_path / "m")).signatures
    assert signatures == ("evaluation", "serving_default", "serving_tensors")
    assert load_model(str(tmp_path / "m")).predict([{"x": 4.0}]) == [{"double": [8.0]}]


@pytest.mark.parametrize("name", ["class", "Body Mass (g)", "'vote'"])
def test_a_feature_whose_name_is_no_argument_leaves_the_other_signatures(name, tmp_path, caplog):
    import keras
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = schema_pb2.Schema()
    feature = schema.feature.add(name=name, type=schema_pb2.FLOAT)
    feature.presence.min_fraction = 1
    feature.shape.dim.add(size=1)
    inputs = {name: keras.Input((1,), name=name)}
    model = keras.Model(inputs, {"double": inputs[name] * 2})
    with caplog.at_level("INFO"):
        export_model(model, str(tmp_path / "m"), schema=schema)
    assert "no signature serving_tensors" in caplog.text
    signatures = inspect_saved_model(str(tmp_path / "m")).signatures
    assert signatures == ("evaluation", "serving_default")
    assert load_model(str(tmp_path / "m")).predict([{name: 4.0}]) == [{"double": [8.0]}]


def test_lookup_tables_of_layers_are_exported(tmp_path):
    import keras
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = text_format.Parse(
        'feature { name: "s" type: BYTES presence { min_fraction: 1 } shape { dim { size: 1 } } }',
        schema_pb2.Schema(),
    )
    inputs = {"s": keras.Input((1,), name="s", dtype="string")}
    lookup = keras.layers.StringLookup(vocabulary=["p", "q"])
    model = keras.Model(inputs, {"index": lookup(inputs["s"])})
    export_model(model, str(tmp_path / "m"), schema=schema)
    assert load_model(str(tmp_path / "m")).predict([{"s": "q"}]) == [{"index": [2]}]


_EXPORT = """
import sys
sys.path.insert(0, sys.argv[3])
from test_model import build
import keras
for _ in range(int(sys.argv[4])):
    keras.layers.Dense(1)(keras.Input((1,)))
# Layers are named by a counter; a Trainer starts it anew.
keras.utils.clear_session()
from penstock.training import export_model
export_model(build(), sys.argv[2], transform_output=sys.argv[1], label_key="label")
"""


@pytest.mark.processes
def test_equal_models_give_equal_bytes_in_other_processes_and_folders(data, tmp_path):
    digests = []
    for i in range(2):
        graph, out = tmp_path / f"graph_{i}", tmp_path / f"model_{i}"
        shutil.copytree(data.graph, graph)
        here = str(Path(__file__).parent)
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            _EXPORT,
            str(graph),
            str(out),
            here,
            str(i),
        ]
        subprocess.run(command, check=True, capture_output=True)
        digests.append(
            {
                str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest()
                for file in out.rglob("*")
                if file.is_file()
            }
        )
    assert len(digests[0]) >= 5
    assert digests[0] == digests[1]


def test_a_wrong_label_key_is_named(data, tmp_path):
    with pytest.raises(
        ValueError, match="label_key='lable' is not a raw feature. Features: kind, label, note, x"
    ):
        export_model(build(), str(tmp_path / "m"), transform_output=data.graph, label_key="lable")
    with pytest.raises(ValueError, match="needs a transform_output, or the schema"):
        export_model(build(), str(tmp_path / "m"))
    with pytest.raises(FileNotFoundError, match="No transform graph at"):
        export_model(build(), str(tmp_path / "m"), transform_output=str(tmp_path))
