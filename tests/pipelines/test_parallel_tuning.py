"""Tuners that run several trials at a time, in runs as users start them."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SCRIPT = """
import os
import sys
import time

from penstock import LocalDagRunner, Pipeline
from penstock.components import CsvExampleGen, Tuner
from penstock.training import TuneArgs

SCALE = 3.0


def scaled(x):
    return x * SCALE


def tuner_fn(fn_args):
    import keras_tuner
    from penstock.tuning import TunerFnResult

    class Search(keras_tuner.RandomSearch):
        def run_trial(self, trial):
            with open("ran", "a") as file:
                print(os.getpid(), "tensorflow" in sys.modules, file=file)
            time.sleep(fn_args.custom_config["seconds"])
            return scaled(trial.hyperparameters.Float("x", 0.5, 1.0))

    space = keras_tuner.HyperParameters()
    space.Float("x", 0.5, 1.0)
    return TunerFnResult(Search(max_trials=4, hyperparameters=space, seed=fn_args.seed), {})


if __name__ == "__main__":
    examples = CsvExampleGen(input_base="data")
    tuner = Tuner(
        examples=examples.outputs["examples"],
        tuner_fn=tuner_fn,
        backend=os.environ.get("BACKEND", "tensorflow"),
        tune_args=TuneArgs(num_parallel_trials=2),
        custom_config={"seconds": float(os.environ.get("SECONDS", "1"))},
    )
    runner = LocalDagRunner(progress="plain", in_process="IN_PROCESS" in os.environ)
    runner.run(Pipeline("tuned", components=[examples, tuner]), seed=1)
"""

MIRRORED = """
import keras, keras_tuner, numpy as np
import tensorflow as tf
from penstock.tuning import TunerFnResult

def build(hp):
    assert keras.config.dtype_policy().name == "mixed_bfloat16"
    hp.Int("replicas", 0, 9)
    hp.values["replicas"] = tf.distribute.get_strategy().num_replicas_in_sync
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse")
    return model

def tuner_fn(fn_args):
    tuner = keras_tuner.RandomSearch(
        build, objective="val_loss", max_trials=2, seed=1, distribution_strategy=fn_args.strategy
    )
    x = np.ones((8, 4))
    return TunerFnResult(tuner, dict(x=x, y=x[:, :1], validation_data=(x, x[:, :1]), batch_size=4, verbose=0))

if __name__ == "__main__":
    from penstock import LocalDagRunner, Pipeline
    from penstock.components import CsvExampleGen, Tuner
    from penstock.training import TuneArgs

    examples = CsvExampleGen(input_base="data")
    tuner = Tuner(
        examples=examples.outputs["examples"],
        tuner_fn=tuner_fn,
        distribution="mirrored",
        precision="mixed_bfloat16",
        tune_args=TuneArgs(num_parallel_trials=2),
    )
    LocalDagRunner(progress="plain").run(Pipeline("mirrored", components=[examples, tuner]), seed=1)
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\n")
    (tmp_path / "data").mkdir()
    rows = "\n".join(f"{i},{i % 2}" for i in range(40))
    (tmp_path / "data/rows.csv").write_text(f"x,y\n{rows}\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


def start(project, file, **environment):
    code = os.open(project / "script.py", os.O_RDONLY) if file == "-" else subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, file],
        cwd=project,
        stdin=code,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment,
    )


def left_behind(project):
    """Return what still runs in the project, after a moment for it to end."""
    found = []
    for _ in range(100):
        found = []
        for each in psutil.process_iter():
            try:
                if each.cwd() == str(project) and each.status() != psutil.STATUS_ZOMBIE:
                    found.append(each)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        if not found:
            break
        time.sleep(0.1)
    return found


@pytest.mark.parametrize(
    ("file", "environment"),
    [
        ("script.py", {}),
        ("script.py", {"IN_PROCESS": "1"}),
        ("-", {}),
        ("-", {"IN_PROCESS": "1"}),
        ("script.py", {"BACKEND": "jax"}),
    ],
)
def test_a_function_of_a_script_or_of_standard_input(project, file, environment):
    if environment.get("BACKEND") == "jax":
        pytest.importorskip("jax")
    process = start(project, file, **environment)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    (results,) = project.rglob("tuner_results.json")
    trials = json.loads(results.read_text())
    assert all(each["score"] == 3.0 * each["hyperparameters"]["x"] for each in trials)
    ran = [line.split() for line in (project / "ran").read_text().splitlines()]
    assert len(ran) == len(trials) == 4
    assert len({process for process, _ in ran}) <= 2
    with_tensorflow = environment.get("BACKEND") != "jax"
    assert {tensorflow for _, tensorflow in ran} == {str(with_tensorflow)}
    assert left_behind(project) == []


def test_a_strategy_and_a_precision_for_each_trial(project):
    (project / "script.py").write_text(MIRRORED)
    output, _ = (process := start(project, "script.py")).communicate(timeout=300)
    assert process.returncode == 0, output
    (results,) = project.rglob("tuner_results.json")
    trials = json.loads(results.read_text())
    assert [each["status"] for each in trials] == ["COMPLETED"] * 2
    assert {each["hyperparameters"]["replicas"] for each in trials} == {2}


@pytest.mark.parametrize("environment", [{}, {"IN_PROCESS": "1"}])
def test_nothing_runs_on_after_ctrl_c(project, environment):
    process = start(project, "script.py", SECONDS="600", **environment)
    for _ in range(1000):
        if (project / "ran").exists() and len((project / "ran").read_text().split()) == 4:
            break  # two trials run
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0, output
    assert left_behind(project) == []
