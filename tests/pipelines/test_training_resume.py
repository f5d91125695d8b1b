"""A Trainer that is killed in the middle of an epoch and resumed ends as one that was not."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

MODULE = """
import os
import signal

import keras
import numpy as np

from penstock.training import fit


class KilledOnce(keras.callbacks.Callback):
    def __init__(self, marker, step):
        super().__init__()
        self.marker, self.step, self.steps = marker, step, 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if self.steps == self.step and os.path.exists(self.marker):
            os.remove(self.marker)
            os.kill(os.getpid(), signal.SIGKILL)


def run_fn(fn_args):
    inputs = {name: keras.Input((1,), name=name) for name in ("a", "b")}
    hidden = keras.layers.Concatenate()(list(inputs.values()))
    hidden = keras.layers.Dense(16, activation="relu")(hidden)
    hidden = keras.layers.Dropout(0.2)(hidden)
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(hidden))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    marker = os.path.join(fn_args.custom_config["folder"], "kill")
    history = fit(
        model,
        fn_args.dataset("train", batch_size=8, label_key="label"),
        validation_data=fn_args.dataset("eval", batch_size=8, label_key="label"),
        fn_args=fn_args,
        epochs=5,
        checkpoint_every=3,
        callbacks=[KilledOnce(marker, step=45)],
    )
    model.export(fn_args.serving_model_dir, verbose=False)
    np.savez(os.path.join(fn_args.serving_model_dir, "weights.npz"), *model.get_weights())
    return history
"""

PIPELINE = """
from penstock import Pipeline
from penstock.components import CsvExampleGen, SchemaGen, StatisticsGen, Trainer

examples = CsvExampleGen(input_base="data")
statistics = StatisticsGen(examples=examples.outputs["examples"])
schema = SchemaGen(statistics=statistics.outputs["statistics"])
trainer = Trainer(
    examples=examples.outputs["examples"],
    schema=schema.outputs["schema"],
    module_file="modules/model.py",
    custom_config={"folder": FOLDER},
).with_policy(retries=RETRIES)
pipeline = Pipeline("resume", components=[examples, statistics, schema, trainer])
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("data", "modules", "pipelines"):
        (tmp_path / folder).mkdir()
    numbers = random.Random(7)
    rows = [(numbers.random(), numbers.random()) for _ in range(240)]
    lines = [f"{a:.6f},{b:.6f},{int(a > b)}" for a, b in rows]
    (tmp_path / "data/rows.csv").write_text("\n".join(["a,b,label", *lines]) + "\n")
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\n")
    (tmp_path / "modules/__init__.py").write_text("")
    (tmp_path / "modules/model.py").write_text(MODULE)
    pipeline = PIPELINE.replace("FOLDER", repr(str(tmp_path)))
    for name, retries in (("resume", "0"), ("retry", "1")):
        text = pipeline.replace("RETRIES", retries)
        (tmp_path / f"pipelines/{name}.py").write_text(text)
    return tmp_path


def penstock(project: Path, *words: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "penstock", *words],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def run(project: Path, run_id: str, *, file: str = "resume", code: int = 0) -> str:
    words = ("--seed", "11", "--deterministic", "--no-cache", "--run-id", run_id)
    return penstock(project, "run", f"pipelines/{file}.py", *words, code=code)


def trainer(project: Path, run_id: str) -> dict:
    return json.loads(penstock(project, "show", run_id, "Trainer", "--json"))


def weights(node: dict) -> list[np.ndarray]:
    path = os.path.join(node["outputs"]["model"][0]["uri"], "Format-Serving/weights.npz")
    with np.load(path) as arrays:
        return [arrays[name] for name in arrays.files]


def logged_epochs(node: dict) -> list[int]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(os.path.join(node["outputs"]["model_run"][0]["uri"], "train"))
    read.Reload()
    return [event.step for event in read.Tensors("epoch_loss")]


def test_it_ends_with_the_same_bits(project: Path) -> None:
    run(project, "unbroken")
    (project / "kill").write_text("")
    told = run(project, "broken", code=1)
    assert "killed by SIGKILL" in told
    checkpoints = project / ".penstock/resume/Trainer/.system/checkpoints"
    assert sorted(os.listdir(checkpoints)) == ["broken", "broken.key.json"]
    killed = trainer(project, "broken")
    assert killed["state"] == "FAILED"
    before = [epoch["epoch"] for epoch in killed["epochs"]]
    assert before in ([1], [1, 2])
    penstock(project, "resume", "broken")
    assert os.listdir(checkpoints) == []
    whole, resumed = trainer(project, "unbroken"), trainer(project, "broken")
    assert resumed["attempts"] == 2
    for ours, theirs in zip(weights(resumed), weights(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    losses = [[(e["epoch"], e["metrics"]) for e in node["epochs"]] for node in (resumed, whole)]
    assert losses[0] == losses[1]
    assert [epoch for epoch, _ in losses[0]] == [1, 2, 3, 4, 5]
    # It went on, and did not train anew: the first epoch is the first attempt's.
    ids = [epoch["execution_id"] for epoch in resumed["epochs"]]
    assert ids[0] == killed["execution_id"]
    assert ids[-1] == resumed["execution_id"]
    assert logged_epochs(resumed) == logged_epochs(whole) == [0, 1, 2, 3, 4]

    (project / "kill").write_text("")
    run(project, "retried", file="retry")
    retried = trainer(project, "retried")
    assert retried["attempts"] == 2
    for ours, theirs in zip(weights(retried), weights(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert os.listdir(checkpoints) == []
