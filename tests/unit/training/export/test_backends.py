"""A model that is trained on JAX or PyTorch, and exported by a process with TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from penstock.serving import load_model
from penstock.training.export import ExportError, fulfil_export

pytestmark = pytest.mark.tensorflow

HERE = Path(__file__).parent


def train(backend, kind, folder):
    folder.mkdir(exist_ok=True)
    paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(HERE / "backend_models.py"), kind, str(folder)],
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # The process that trains does not import TensorFlow.
    assert done.stdout.split() == [backend, "False"]
    return folder


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


def rows(kind):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(64, 4)).astype("float32").tolist()
    kinds = generator.integers(0, 3, (64, 1)).tolist()
    return [{"x": a, "kind": b} for a, b in zip(x, kinds, strict=True)]


def check_saved_model(folder, kind):
    served = load_model(folder / "Format-Serving")
    answers = served.predict(rows(kind))
    expected = np.load(folder / "expected.npy")
    np.testing.assert_allclose([each["scores"] for each in answers], expected, atol=1e-5)
    assert [each["best"] for each in answers] == expected.argmax(axis=1).tolist()
    assert served.class_names == ("low", "high")


def files(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.glob("Format-*/*"))


def check_all_forms(folder, kind):
    assert (folder / "Format-Keras/export_request.json").exists()
    assert not (folder / "Format-Serving").exists()
    done = fulfil_export(str(folder))
    assert done.made_by == "tensorflow"
    assert not done.missing
    assert done.forms == (
        "Format-Serving", "Format-Keras", "Format-TFLite", "Format-ONNX", "Format-Weights",
    )  # fmt: skip
    assert [name for name in files(folder) if "Keras" in name] == ["Format-Keras/model.keras"]
    check_saved_model(folder, kind)
    assert fulfil_export(str(folder)).forms == ()


@pytest.mark.processes
def test_jax_with_layers_of_every_backend(tmp_path):
    check_all_forms(train("jax", "ops", tmp_path), "ops")


@pytest.mark.slow
def test_jax_with_a_subclassed_model(tmp_path):
    check_all_forms(train("jax", "subclassed", tmp_path), "subclassed")


@pytest.mark.slow
def test_jax_with_a_layer_written_in_jax(tmp_path):
    folder = train("jax", "native", tmp_path / "a")
    assert fulfil_export(str(folder)).made_by == "jax2tf"
    check_saved_model(folder, "native")
    # Its bytes are the same again.
    other = train("jax", "native", tmp_path / "b")
    fulfil_export(str(other))
    for name in ("saved_model.pb", "variables/variables.data-00000-of-00001", "fingerprint.pb"):
        path = f"Format-Serving/{name}"
        assert (other / path).read_bytes() == (folder / path).read_bytes(), name


@pytest.mark.slow
def test_xla_code_becomes_tflite_but_not_onnx(tmp_path, elsewhere):
    folder = train("jax", "native", tmp_path)
    request = folder / "Format-Keras/export_request.json"
    text = request.read_text()
    tflite = '{"kind": "tflite", "quantization": "none"}'
    request.write_text(text.replace('"forms": []', f'"forms": [{tflite}]'))
    assert fulfil_export(str(folder)).made_by == "jax2tf"
    names = {"x": np.float32, "kind": np.int32}
    given = {name: np.array([row[name] for row in rows("native")], t) for name, t in names.items()}
    found = elsewhere("call_tflite", str(folder / "Format-TFLite/model.tflite"), given)
    np.testing.assert_allclose(found["outputs"], np.load(folder / "expected.npy"), atol=1e-5)
    folder = train("jax", "native", tmp_path)
    request.write_text(text.replace('"forms": []', '"forms": [{"kind": "onnx", "opset": 18}]'))
    with pytest.raises(
        ExportError, match="does not run on tensorflow.*Converted from JAX.*XlaCallModule"
    ):
        fulfil_export(str(folder))


@pytest.mark.slow
def test_the_command_writes_elsewhere(tmp_path):
    folder = train("jax", "subclassed", tmp_path / "published")
    before = files(folder)
    command = [sys.executable, "-m", "penstock.training.export", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "new")],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path}/new has Format-Serving, Format-Keras, ")
    assert files(folder) == before
    (tmp_path / "new" / "expected.npy").write_bytes((folder / "expected.npy").read_bytes())
    check_saved_model(tmp_path / "new", "subclassed")


@pytest.mark.torch
@pytest.mark.slow
def test_torch(tmp_path):
    check_all_forms(train("torch", "ops", tmp_path / "ops"), "ops")
    folder = train("torch", "native", tmp_path / "native")
    done = fulfil_export(str(folder))
    assert done.forms == ("Format-Keras",)
    assert "There is no SavedModel, only Format-Keras/model.keras" in done.missing


def test_what_another_process_cannot_import_is_refused():
    from penstock.training.export.request import own_modules, reference_to

    def within(outputs):
        return outputs

    for function in (lambda outputs: outputs, within):
        with pytest.raises(ExportError, match="Define it at the top of a module"):
            reference_to(function)
    found = reference_to(check_saved_model)
    assert (found.name, found.file) == ("check_saved_model", __file__)

    layer = type("Own", (), {"__module__": "__main__", "name": "mine"})()
    model = type("Model", (), {"_flatten_layers": lambda self, include_self: [layer]})()
    with pytest.raises(ExportError, match=r"Own \(the layer 'mine'\) is defined in __main__"):
        own_modules(model, "__main__")


def test_without_a_request_nothing_happens(tmp_path):
    assert fulfil_export(str(tmp_path)).forms == ()


def test_without_tensorflow_the_command_is_named(tmp_path, monkeypatch):
    from penstock.training.export import fulfil

    (tmp_path / "Format-Keras").mkdir()
    (tmp_path / "Format-Keras/export_request.json").write_text(
        fulfil.ExportRequest("jax").to_json()
    )
    monkeypatch.setattr(fulfil.importlib.util, "find_spec", lambda name: None)
    done = fulfil_export(str(tmp_path))
    assert f"python -m penstock.training.export {tmp_path}" in done.missing
    assert done.forms == ("Format-Keras",)
