"""A version goes to a real MLflow server, and MLflow's own client loads it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.pushing import push_model, set_alias
from penstock.registry import export_to_mlflow, read_model

REPOSITORY = Path(__file__).resolve().parents[3]
MODEL = REPOSITORY / "tests/golden/saved_model"

_SAVE = """
import sys
import tensorflow as tf

class Doubler(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="miles")])
    def __call__(self, miles):
        return {"fare": 2.0 * miles, "both": tf.stack([miles, 2.0 * miles], axis=1)}

doubler = Doubler()
tf.saved_model.save(doubler, sys.argv[1], signatures={"serving_default": doubler.__call__})
"""
_ASK = """
import json, sys
import mlflow
import numpy as np
from mlflow import MlflowClient

mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
version = client.get_model_version_by_alias("taxi", "champion")
loaded = mlflow.pyfunc.load_model("models:/taxi@champion")
answer = loaded.predict({"miles": np.array([2.0, 3.0], np.float32)})
print(json.dumps({
    "versions": len(client.search_model_versions("name='taxi'")),
    "aliases": {name: str(each) for name, each in client.get_registered_model("taxi").aliases.items()},
    "tags": version.tags,
    "metrics": client.get_run(version.run_id).data.metrics,
    "fare": answer["fare"],
    "both": answer["both"],
}))
"""


def _push(model, tmp_path) -> str:
    lineage = {
        "run": "20261121-0930",
        "metrics": {"auc": 0.9, "auc@slice:a": 0.5},
        "blessed": True,
        "model": {"fingerprint": "abc"},
        "data": [{"node": "CsvExampleGen", "span": 3}],
    }
    destination = str(tmp_path / "serving/taxi")
    push_model(model, destination, versioning="next", lineage=lineage)
    push_model(model, destination, versioning="next", lineage=lineage)
    set_alias(destination, "champion", 2)
    return destination


@pytest.fixture
def taxi(tmp_path) -> str:
    return _push(MODEL, tmp_path)


def _in(python: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY / "src"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    return subprocess.run(
        [python, *words], capture_output=True, text=True, timeout=300, env=environment
    )


@pytest.mark.slow
def test_a_version_is_registered_and_mlflow_loads_it(tmp_path, mlflow_python, mlflow_server):
    saved = _in(mlflow_python, "-c", _SAVE, str(tmp_path / "model"))
    assert saved.returncode == 0, saved.stderr
    taxi = _push(tmp_path / "model", tmp_path)
    command = (
        "-m",
        "penstock",
        "models",
        taxi,
        "@champion",
        "--to-mlflow",
        mlflow_server,
        "--json",
    )
    for _ in range(2):  # the second finds it there
        exported = _in(mlflow_python, *command)
        assert exported.returncode == 0, exported.stderr
        said = json.loads(exported.stdout)
        assert (said["name"], said["version"], said["aliases"]) == ("taxi", "1", ["champion"])
    asked = _in(mlflow_python, "-c", _ASK, mlflow_server)
    assert asked.returncode == 0, asked.stderr
    found = json.loads(asked.stdout)
    assert found["versions"] == 1
    assert found["aliases"] == {"champion": "1"}
    assert found["tags"]["penstock.version"] == "2"
    assert found["tags"]["penstock.span"] == "3"
    assert found["tags"]["penstock.run"] == "20261121-0930"
    assert found["tags"]["penstock.blessed"] == "True"
    assert found["metrics"] == {"auc": 0.9, "auc_slice_a": 0.5}
    assert found["fare"] == [4.0, 6.0]
    assert found["both"] == [[2.0, 4.0], [3.0, 6.0]]


@pytest.mark.slow
def test_a_registry_that_is_not_there_is_said(taxi, mlflow_python):
    environment = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    os.environ.update(environment)
    try:
        words = ("models", taxi, "2", "--to-mlflow", "http://127.0.0.1:9")
        exported = _in(mlflow_python, "-m", "penstock", *words)
    finally:
        for name in environment:
            del os.environ[name]
    assert exported.returncode == 4
    assert "MLflow at http://127.0.0.1:9: " in exported.stderr
    assert "Traceback" not in exported.stderr


def test_what_would_be_registered_needs_no_mlflow(taxi):
    version = read_model(taxi).versions[0]
    planned = export_to_mlflow("taxi", version, "http://mlflow:5000", dry_run=True)
    assert planned.version is None
    assert planned.aliases == ("champion",)
    assert planned.tags["penstock.fingerprint"] == "abc"
    assert json.loads(planned.tags["penstock.data"]) == [{"node": "CsvExampleGen", "span": 3}]


def test_without_mlflow_it_says_what_to_install(taxi, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ImportError, match=r"pip install 'penstock-ml\[mlflow\]'"):
        export_to_mlflow("taxi", read_model(taxi).versions[0], "http://mlflow:5000")


def test_only_saved_models_are_exported(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.onnx").write_bytes(b"onnx")
    push_model(tmp_path / "model", tmp_path / "serving", versioning="next")
    version = read_model(str(tmp_path / "serving")).versions[0]
    with pytest.raises(ValueError, match="Version 1 of taxi: ONNX file"):
        export_to_mlflow("taxi", version, "http://mlflow:5000")
