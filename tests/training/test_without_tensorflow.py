"""A node's container that has JAX and no TensorFlow: `python -m penstock.launch` trains there, too."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import penstock
from penstock.artifacts import Examples, Schema
from penstock.components import ImportExampleGen, ImportSchemaGen, Trainer
from penstock.dsl import Pipeline
from penstock.graph import compile_pipeline
from penstock.runners.kubeflow.container.artifact_reference import ArtifactReference
from penstock.runners.kubeflow.container.task import ContainerTask

pytestmark = pytest.mark.slow

MODULE = """
import importlib.util, sys
import keras
from penstock.training import export_model, fit

def run_fn(fn_args):
    assert importlib.util.find_spec("tensorflow") is None
    inputs = {"x": keras.Input((1,), name="x")}
    with fn_args.strategy.scope():
        model = keras.Model(inputs, keras.layers.Dense(1)(inputs["x"]))
        model.compile(keras.optimizers.SGD(0.1), "mse")
    data = fn_args.dataset("train", batch_size=16, label_key="y")
    history = fit(model, data, fn_args=fn_args, epochs=2)
    export_model(model, fn_args.serving_model_dir, schema=fn_args.schema, label_key="y")
    return history
"""


@pytest.fixture
def packages(tmp_path):
    """A folder with everything that is installed here but TensorFlow, and nothing else."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for name in ("keras", "jax", "penstock"):
        for each in Path(importlib.util.find_spec(name).origin).parent.parent.iterdir():
            hidden = each.name in ("tensorflow", "keras_tuner") or each.name.startswith(
                ("tensorflow-", "__pycache__", "__editable__")
            )
            if not hidden and each.suffix != ".pth" and not (folder / each.name).exists():
                (folder / each.name).symlink_to(each)
    return folder


def test_a_trainer_in_a_container_without_tensorflow(project, packages, tmp_path):
    (project / "pyproject.toml").write_text("[tool.penstock]\n")
    (project / "alone.py").write_text(MODULE)
    generated = ImportExampleGen(input_base="examples").outputs["examples"]
    schema = ImportSchemaGen(schema_file="schema/schema.pbtxt").outputs["schema"]
    trainer = Trainer(examples=generated, schema=schema, module_file="alone.py", backend="jax")
    nodes = [generated.producer, schema.producer, trainer]
    graph = compile_pipeline(Pipeline("jax", components=nodes))

    examples = Examples(str(project / "parquet"))
    examples.splits, examples.file_format = ["train", "eval"], "parquet"
    given = {"examples": examples, "schema": Schema(str(project / "schema"))}
    for key, artifact in given.items():
        ArtifactReference([artifact]).write(str(tmp_path / f"given/{key}"))
    message = {
        "inputs": {
            "parameterValues": {"pipeline-root": str(tmp_path / "root")},
            "artifacts": {
                key: {"artifacts": [{"name": key, "uri": str(tmp_path / f"given/{key}")}]}
                for key in given
            },
        },
        "outputs": {
            "artifacts": {
                key: {"artifacts": [{"name": key, "uri": str(tmp_path / f"made/{key}")}]}
                for key in graph["Trainer"].outputs
            },
            "outputFile": str(tmp_path / "made/output.json"),
        },
    }
    source = str(Path(penstock.__file__).parent.parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([source, str(packages)])}
    environment.pop("PENSTOCK_STORE", None)
    # -S: without the folder that has TensorFlow.
    ended = subprocess.run(
        [
            *(sys.executable, "-S", "-m", "penstock.launch"),
            *("--executor-input", json.dumps(message)),
            *("--task", ContainerTask.of(graph, graph["Trainer"]).to_text()),
            *("--project-root", str(project)),
        ],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    (model,) = ArtifactReference.read(str(tmp_path / "made/model")).artifacts
    assert (Path(model.uri) / "Format-Keras/model.keras").is_file()
    assert not (Path(model.uri) / "Format-Serving").exists()
    log = "".join(path.read_text() for path in (tmp_path / "root").rglob("log.txt"))
    assert "TensorFlow, which writes the SavedModel for the Evaluator and servers, is not" in log
    assert "python -m penstock.training.export" in log
