"""A Trainer in processes of its own, run by the local runner: functions of notebooks, logs, epochs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

# Runs cells as IPython does: in a module `__main__` without a file, their lines kept in `linecache`.
NOTEBOOK = """
import linecache, sys, types
module = types.ModuleType("__main__")
sys.modules["__main__"] = module
for number, text in enumerate(CELLS):
    name = f"/tmp/ipykernel_1/{number}.py"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    exec(compile(text, name, "exec", dont_inherit=True), module.__dict__)
"""

DEFINITIONS = """
import keras
from penstock import LocalDagRunner, Pipeline
from penstock.components import ImportExampleGen, ImportSchemaGen, Trainer
from penstock.training import export_model, fit

EPOCHS = 2

def line():
    inputs = {"x": keras.Input((1,), name="x")}
    return keras.Model(inputs, keras.layers.Dense(1)(inputs["x"]))

def train(fn_args):
    print("trains on", keras.backend.backend(), "with", fn_args.custom_config["how"]())
    model = line()
    model.compile("sgd", "mse")
    data = fn_args.dataset("train", batch_size=16, label_key="y")
    history = fit(model, data, fn_args=fn_args, epochs=EPOCHS)
    export_model(model, fn_args.serving_model_dir, schema=fn_args.schema, label_key="y")
    return history

def care():
    return "great care"

gen = ImportExampleGen(input_base="tfrecords_gzip/Split-train")
schema = ImportSchemaGen(schema_file="schema/schema.pbtxt")
trainer = Trainer(
    examples=gen.outputs["examples"], schema=schema.outputs["schema"], run_fn=train, backend="jax",
    custom_config={"how": care},
)
pipeline = Pipeline("notebook", components=[gen, schema, trainer])
"""


def python(folder, *words):
    environment = {key: value for key, value in os.environ.items() if key != "PENSTOCK_STORE"}
    # The notebook's own process imports Keras, too: as little as it may.
    environment["KERAS_BACKEND"] = "jax"
    ended = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("in_process", [False, True])
def test_functions_of_a_notebook_train_in_another_process(project, in_process):
    (project / "pyproject.toml").write_text("[tool.penstock]\n")
    run = f"LocalDagRunner(in_process={in_process}).run(pipeline)"
    told = python(project, "-c", f"CELLS = {[DEFINITIONS, run]!r}\n{NOTEBOOK}")
    log = python(project, "-m", "penstock", "logs", "latest", "Trainer")
    assert "jax: process " in log
    # What it prints goes where this process prints: in a worker of the runner that is the log.
    printed = told if in_process else log
    assert "[jax] trains on jax with great care" in printed
    shown = json.loads(python(project, "-m", "penstock", "show", "latest", "--json"))
    text = json.dumps(shown)
    assert '"epoch": 2' in text
    assert '"loss"' in text
    assert not list(Path(project).rglob("export_request.json"))
