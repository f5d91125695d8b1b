"""Tuner with several trials at a time: real processes, one of which is killed."""

import json
import re
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from penstock.artifacts import Examples
from penstock.components import Tuner
from penstock.io import ExamplesWriter
from penstock.testing import run_component
from penstock.training import TuneArgs

pytestmark = [
    pytest.mark.tensorflow,
    # keras-tuner 1.4.8 calls threading.currentThread().
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

MODELS = """
import os, pathlib, signal
import keras, keras_tuner, numpy as np
from penstock.tuning import TunerFnResult

class Search(keras_tuner.{kind}):
    def run_trial(self, trial, *args, **kwargs):
        folder = pathlib.Path(__file__).parent
        with open(folder / "ran", "a") as file:
            print(trial.trial_id, os.getpid(), os.environ.get("TF_NUM_INTRAOP_THREADS"), file=file)
        {in_trial}
        return super().run_trial(trial, *args, **kwargs)

def build(hp):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(hp.Int("units", 1, 40)), keras.layers.Dense(1)])
    model.compile("adam", loss="mse")
    return model

def tuner_fn(fn_args):
    tuner = Search(
        build, objective="val_loss", seed=fn_args.seed, directory=fn_args.working_dir, overwrite=True, {arguments}
    )
    x = np.random.default_rng(0).normal(size=(60, 4))
    y = x.sum(1, keepdims=True)
    return TunerFnResult(tuner, dict(x=x, y=y, validation_data=(x, y), epochs=2, verbose=0))
"""

KILL_ONCE = """
        if trial.trial_id == "1" and not (folder / "killed").exists():
            (folder / "killed").touch()
            print("about to be killed", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    with ExamplesWriter(str(tmp_path / "examples"), ["train", "eval"]) as writer:
        for split in ("train", "eval"):
            column = pa.array([[1.0]], pa.large_list(pa.float32()))
            writer.write(split, pa.RecordBatch.from_arrays([column], ["x"]))
    examples = Examples(str(tmp_path / "examples"))
    examples.splits = ["train", "eval"]

    def call(name, source, parallel, **arguments):
        (tmp_path / f"{name}.py").write_text(source)
        tuner = Tuner(
            examples=examples,
            module_file=f"{name}.py",
            tune_args=TuneArgs(num_parallel_trials=parallel),
            **arguments,
        )
        outputs = run_component(tuner, tmp_path / "out", project_root=tmp_path, seed=3)
        return json.loads(Path(outputs["tuner_results"].uri, "tuner_results.json").read_text())

    return call


def models(kind="RandomSearch", arguments="max_trials=4", in_trial="pass"):
    return MODELS.format(kind=kind, arguments=arguments, in_trial=in_trial.strip())


def own_children():
    return [each for each in psutil.Process().children(recursive=True) if each.is_running()]


def test_two_at_a_time_are_those_of_one_and_a_killed_one_is_run_again(run, tmp_path, capfd, caplog):
    before = own_children()
    alone = run("parallel_one", models(), 1)
    (tmp_path / "ran").unlink()
    together = run("parallel_two", models(in_trial=KILL_ONCE), 2)
    assert [{**each, "seconds": None} for each in together] == [
        {**each, "seconds": None} for each in alone
    ]
    ran = [line.split() for line in (tmp_path / "ran").read_text().splitlines()]
    assert sorted(trial for trial, _, _ in ran) == ["0", "1", "1", "2", "3"]
    assert len({process for _, process, _ in ran}) == 3
    assert all(int(threads) >= 1 for _, _, threads in ran)
    printed = capfd.readouterr().err
    assert re.search(r"^\[trial worker \d\] about to be killed$", printed, re.MULTILINE)
    assert (
        "The process of trial 1 was killed by SIGKILL (out of memory?); the trial is run again (1 of 2)"
        in caplog.messages
    )
    assert own_children() == before
