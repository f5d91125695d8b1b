"""Each form of a model gives the same numbers in another process."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from penstock.serving import load_model, read_labels
from penstock.training import Onnx, TFLite, export_model
from penstock.training.export.forms import ExportError, as_forms

pytestmark = pytest.mark.tensorflow

SCHEMA = """
feature { name: "x" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 4 } } }
feature { name: "kind" type: INT presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "label" type: INT presence { min_fraction: 1 } shape { } }
"""


def parse_schema(text=SCHEMA):
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    return text_format.Parse(text, schema_pb2.Schema())


def build():
    """A functional model of several inputs and outputs, compiled and trained for a step."""
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    inputs = {
        "x": keras.Input((4,), name="x"),
        "kind": keras.Input((1,), name="kind", dtype="int64"),
    }
    kind = keras.layers.Flatten()(keras.layers.Embedding(3, 2)(inputs["kind"]))
    both = keras.layers.Concatenate()([inputs["x"], kind])
    hidden = keras.layers.Dense(64, activation="relu")(both)
    scores = keras.layers.Dense(2, activation="softmax", name="scores")(hidden)
    model = keras.Model(inputs, {"scores": scores, "width": keras.layers.Dense(1)(hidden)})
    model.compile("adam", {"scores": "sparse_categorical_crossentropy", "width": "mse"})
    return model


def rows(count=64):
    generator = np.random.default_rng(5)
    return {
        "x": generator.normal(size=(count, 4)).astype("float32"),
        "kind": generator.integers(0, 3, (count, 1)),
    }


# How far a score may be from the exact one; weights of 8 bits are exact to about 1 in 250.
BOUNDS = {"float16": 2e-3, "dynamic_range": 2e-2, "int8": 5e-2}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    root = tmp_path_factory.mktemp("model")
    model = build()
    forms = ["keras", "weights", "tflite", "tflite_float16", "tflite_dynamic_range", "onnx"]
    export_model(
        model,
        f"{root}/Format-Serving",
        schema=parse_schema(),
        label_key="label",
        class_names=["low", "high"],
        forms=[*forms, TFLite("int8", representative_data=rows(100))],
    )
    expected = {name: value.numpy() for name, value in model(rows()).items()}
    return root, expected


def compare(found, expected, bound=1e-5):
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=bound)


def test_the_folders_are_beside_the_saved_model(exported):
    root, _ = exported
    assert sorted(str(file.relative_to(root)) for file in root.glob("Format-*/model*")) == [
        "Format-Keras/model.keras",
        "Format-ONNX/model.onnx",
        "Format-TFLite/model.tflite",
        "Format-TFLite/model_dynamic_range.tflite",
        "Format-TFLite/model_float16.tflite",
        "Format-TFLite/model_int8.tflite",
        "Format-Weights/model.weights.h5",
    ]
    assert sorted(file.name for file in (root / "Format-Serving").iterdir()) == [
        "assets", "assets.extra", "fingerprint.pb", "saved_model.pb", "variables",
    ]  # fmt: skip


def test_the_saved_model_takes_examples_and_tensors(exported, elsewhere):
    root, expected = exported
    path = f"{root}/Format-Serving"
    compare(elsewhere("call_saved_model", path, rows(), "serving_tensors"), expected)
    given = rows()
    listed = [{"x": x.tolist(), "kind": k.tolist()} for x, k in zip(*given.values(), strict=True)]
    answers, class_names, _ = elsewhere("predict", path, listed)
    compare(
        {name: np.array([each[name] for each in answers]) for name in ("scores", "width")}, expected
    )
    assert class_names == ("low", "high")


def test_keras_and_onnx(exported, elsewhere):
    root, expected = exported
    compare(elsewhere("call_keras", f"{root}/Format-Keras/model.keras", rows()), expected)
    compare(elsewhere("call_onnx", f"{root}/Format-ONNX/model.onnx", rows()), expected)


def test_tflite(exported, elsewhere):
    root, expected = exported
    compare(elsewhere("call_tflite", f"{root}/Format-TFLite/model.tflite", rows()), expected)
    for name, bound in BOUNDS.items():
        path = f"{root}/Format-TFLite/model_{name}.tflite"
        found = elsewhere("call_tflite", path, rows())
        compare({"scores": found["scores"]}, {"scores": expected["scores"]}, bound)


def test_weights_alone_are_loaded_into_the_same_architecture(exported, elsewhere):
    root, expected = exported
    elsewhere("import_from", str(Path(__file__).parent), "test_forms")
    path = f"{root}/Format-Weights/model.weights.h5"
    compare(elsewhere("call_weights", path, rows(), "test_forms"), expected)


def test_every_form_has_the_same_bytes_again(exported, tmp_path):
    root, _ = exported
    export_model(
        build(),
        f"{tmp_path}/Format-Serving",
        schema=parse_schema(),
        label_key="label",
        class_names=["low", "high"],
        forms=["keras", "weights", "onnx", "tflite_float16"],
    )
    for file in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        first = Path(root, file.relative_to(tmp_path)).read_bytes()
        digest = hashlib.sha256(first).hexdigest()
        assert hashlib.sha256(file.read_bytes()).hexdigest() == digest, file


def test_the_page_lists_the_forms_with_their_sizes(exported):
    from penstock.artifacts import Model
    from penstock.cards import artifact_page, collect

    root, _ = exported
    page = artifact_page(Model(str(root))).html
    for file in root.glob("Format-*/model*"):
        assert str(file.relative_to(root)) in page
    assert "low, high" in page
    assert collect(title="m", model=f"{root}/Format-Serving")["model"]["form"] == "SavedModel"


def test_class_names_are_json(exported):
    root, _ = exported
    text = Path(root, "Format-Serving", "assets.extra", "penstock.json").read_text()
    assert json.loads(text)["class_names"] == ["low", "high"]


def test_vocabularies_of_the_transform_graph_travel_along(data, tmp_path):
    import keras

    inputs = {"x_xf": keras.Input((1,), name="x_xf")}
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(inputs["x_xf"]))
    export_model(
        model,
        str(tmp_path / "m"),
        transform_output=data.graph,
        label_key="label",
        class_names="label",
    )
    labels = read_labels(str(tmp_path / "m"))
    assert labels.vocabularies == ("kind", "label")
    assert labels.class_names == tuple(labels.vocabulary("label"))
    served = load_model(str(tmp_path / "m"))
    assert served.vocabulary("kind") == labels.vocabulary("kind")
    assert len(served.class_names) == 2
    with pytest.raises(ValueError, match="has no vocabulary 'kinds'. Did you mean 'kind'"):
        served.vocabulary("kinds")
    with pytest.raises(ExportError, match="class_names='lable' is not a vocabulary .*'label'"):
        export_model(model, str(tmp_path / "n"), transform_output=data.graph, class_names="lable")


def test_what_a_form_cannot_hold_is_named(tmp_path):
    import keras

    schema = parse_schema(
        'feature { name: "s" type: BYTES presence { min_fraction: 1 } shape { dim { size: 1 } } }'
    )
    inputs = {"s": keras.Input((1,), name="s", dtype="string")}
    vectors = keras.layers.TextVectorization(vocabulary=["a", "b"], name="words")(inputs["s"])
    model = keras.Model(inputs, {"sum": keras.ops.sum(vectors, axis=1)})
    for form in ("tflite", "onnx"):
        with pytest.raises(
            ExportError, match="cannot become model.*has no operation .*, in .*words"
        ):
            export_model(model, f"{tmp_path}/Format-Serving", schema=schema, forms=[form])
    assert not list(tmp_path.glob("Format-[TO]*"))


def test_representative_data_without_an_input_are_named(tmp_path):
    for data, message in (
        ({"x": rows()["x"]}, "representative_data has no 'kind'. The model's inputs: x, kind"),
        ([], "representative_data has no rows"),
    ):
        with pytest.raises(ExportError, match=message):
            export_model(
                build(),
                f"{tmp_path}/Format-Serving",
                schema=parse_schema(),
                label_key="label",
                forms=[TFLite("int8", representative_data=data)],
            )
    assert not (tmp_path / "Format-TFLite").exists()


def test_an_absent_converter_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'penstock-ml\[onnx\]'"):
        export_model(
            build(),
            f"{tmp_path}/Format-Serving",
            schema=parse_schema(),
            label_key="label",
            forms=["onnx"],
        )


def test_wrong_forms_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Received: 'kersa'. Did you mean 'keras'"):
        as_forms(["kersa"])
    with pytest.raises(ValueError, match="needs representative_data"):
        TFLite("int8")
    with pytest.raises(ValueError, match=r'TFLite\("int16x8"\) needs representative_data'):
        TFLite("int16x8")
    with pytest.raises(ValueError, match=r'representative_data are for TFLite\("int8"\)'):
        TFLite("float16", representative_data=rows())
    with pytest.raises(ValueError, match="names Format-TFLite/model.tflite twice"):
        as_forms(["tflite", TFLite()])
    with pytest.raises(TypeError, match="opset must be a whole number"):
        Onnx(opset="18")
    with pytest.raises(ValueError, match="lie beside a folder called Format-Serving"):
        export_model(None, str(tmp_path / "m"), forms=["keras"])


TRAIN = """
import sys
sys.path.insert(0, sys.argv[2])
import keras
import numpy as np
for _ in range(int(sys.argv[3])):
    keras.layers.Dense(1)(keras.Input((1,)))
import test_forms as t
from penstock.training import TFLite, export_model
model = t.build()
x = t.rows(128)
model.fit(x, {"scores": x["kind"][:, 0] % 2, "width": x["x"][:, 0]}, epochs=2, verbose=0)
forms = ["keras", "weights", "tflite", "tflite_dynamic_range", "onnx"]
forms.append(TFLite("int8", representative_data=x))
export_model(model, sys.argv[1], schema=t.parse_schema(), label_key="label", forms=forms)
"""


@pytest.mark.slow
def test_equal_trainings_in_other_processes_give_equal_bytes(tmp_path):
    found = []
    for number in range(2):
        root = tmp_path / str(number)
        command = [sys.executable, "-W", "ignore", "-c", TRAIN, f"{root}/Format-Serving"]
        subprocess.run(
            [*command, str(Path(__file__).parent), str(number)],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": str(number)},
        )
        files = sorted(path for path in root.rglob("*") if path.is_file())
        found.append(
            {str(f.relative_to(root)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
        )
    assert len(found[0]) >= 10
    assert found[0] == found[1]
