"""A Trainer in processes of its own, run by the local runner: functions of notebooks, logs, epochs."""

import json
import os
import re
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


def python(folder, *words, backend="jax"):
    environment = {key: value for key, value in os.environ.items() if key != "PENSTOCK_STORE"}
    # The notebook's own process imports Keras, too: as little as it may.
    environment["KERAS_BACKEND"] = backend
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


KILLED = """
import os, pathlib, signal
import keras
from penstock.training import export_model, fit

class Kill(keras.callbacks.Callback):
    def __init__(self, folder):
        super().__init__()
        self.marker, self.steps = pathlib.Path(folder) / "was-killed", 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if self.steps == 9 and not self.marker.exists():
            self.marker.touch()
            # The attempt's own process, which started this one.
            os.kill(os.getppid(), signal.SIGKILL)

def run_fn(fn_args):
    with fn_args.strategy.scope():
        inputs = {"x": keras.Input((1,), name="x")}
        model = keras.Model(inputs, keras.layers.Dense(1)(inputs["x"]))
        model.compile(keras.optimizers.SGD(0.1), "mse")
    kill = Kill(fn_args.custom_config["folder"])
    data = fn_args.dataset("train", batch_size=8, label_key="y")
    callbacks = [kill] if fn_args.is_chief else []
    history = fit(model, data, fn_args=fn_args, epochs=4, callbacks=callbacks, checkpoint_every=4)
    print(f"{kill.steps} steps, up to {int(model.optimizer.iterations.numpy() if hasattr(model.optimizer.iterations, 'numpy') else model.optimizer.iterations)}")
    export_model(model, fn_args.serving_model_dir, schema=fn_args.schema, label_key="y")
    return history
"""

KILLED_PIPELINE = """
from penstock import LocalDagRunner, Pipeline
from penstock.components import ImportExampleGen, ImportSchemaGen, Trainer

gen = ImportExampleGen(input_base="tfrecords_gzip/Split-train")
schema = ImportSchemaGen(schema_file="schema/schema.pbtxt")
trainer = Trainer(
    examples=gen.outputs["examples"], schema=schema.outputs["schema"], module_file="killed.py",
    backend="jax", distribution="data_parallel", custom_config={"folder": FOLDER},
).with_resources(replicas=2).with_policy(retries=1)
pipeline = Pipeline("killed", components=[gen, schema, trainer])

if __name__ == "__main__":
    LocalDagRunner().run(pipeline)
"""


def test_the_retry_of_an_attempt_that_was_killed_goes_on_from_its_checkpoint(project):
    (project / "pyproject.toml").write_text("[tool.penstock]\n")
    (project / "killed.py").write_text(KILLED)
    (project / "pipeline.py").write_text(KILLED_PIPELINE.replace("FOLDER", repr(str(project))))
    python(project, "pipeline.py")
    log = python(project, "-m", "penstock", "logs", "latest", "Trainer")
    assert (project / "was-killed").exists()
    # Of the checkpoints after steps 4 and 8 the last one may not have been complete; a process may still
    # write that of step 12 before it sees that its parent is gone.
    steps, last = map(int, re.search(r"\[chief\] (\d+) steps, up to (\d+)", log).groups())
    assert last - steps in (4, 8, 12)
    assert not list(project.rglob(".system/checkpoints/*/*"))


MIRRORED = """
import keras, tensorflow as tf
from penstock.training import export_model, fit

def run_fn(fn_args):
    assert isinstance(fn_args.strategy, tf.distribute.MirroredStrategy)
    with fn_args.strategy.scope():
        inputs = {"x": keras.Input((1,), name="x")}
        model = keras.Model(inputs, keras.layers.Dense(1)(inputs["x"]))
        model.compile(keras.optimizers.SGD(0.1), "mse")
    print(f"{fn_args.global_batch_size} rows, {fn_args.per_replica_batch_size} on each replica")
    history = fit(model, fn_args.dataset("train", label_key="y"), fn_args=fn_args, epochs=2)
    export_model(model, fn_args.serving_model_dir, schema=fn_args.schema, label_key="y")
    return history
"""


@pytest.mark.tensorflow
def test_mirrored_trains_on_two_logical_devices(project):
    (project / "pyproject.toml").write_text("[tool.penstock]\n")
    (project / "mirrored.py").write_text(MIRRORED)
    text = KILLED_PIPELINE.replace("killed.py", "mirrored.py").replace("FOLDER", "''")
    text = text.replace('backend="jax", distribution="data_parallel"', 'distribution="mirrored"')
    text = text.replace(".with_resources(replicas=2)", "")
    text = text.replace(" custom_config=", " train_args=TrainArgs(batch_size=8), custom_config=")
    text = f"from penstock.training import TrainArgs\n{text}"
    (project / "pipeline.py").write_text(text)
    python(project, "pipeline.py", backend="tensorflow")
    log = python(project, "-m", "penstock", "logs", "latest", "Trainer")
    assert "distribution mirrored on tensorflow: 2 replicas" in log
    assert "8 rows, 4 on each replica" in log
    shown = json.loads(python(project, "-m", "penstock", "show", "latest", "--json"))
    assert '"replicas": 2' in json.dumps(shown)
