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
from penstock.testing import ComponentFailed, run_component
from penstock.training import TuneArgs

pytestmark = [
    pytest.mark.tensorflow,
    # keras-tuner 1.4.8 calls threading.currentThread().
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    # Gaussian processes of two points.
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("Hyperband", "max_epochs=3"),
        ("GridSearch", "max_trials=5"),
        ("BayesianOptimization", "max_trials=5, num_initial_points=2"),
    ],
)
def test_every_kind_of_tuner(run, tmp_path, kind, arguments):
    alone = run(f"{kind}_one", models(kind, arguments), 1)
    (tmp_path / "ran").unlink()
    together = run(f"{kind}_two", models(kind, arguments), 2)
    assert {each["status"] for each in together} == {"COMPLETED"}
    assert len(together) == len(alone)
    ran = [line.split() for line in (tmp_path / "ran").read_text().splitlines()]
    assert sorted(trial for trial, _, _ in ran) == sorted(each["trial_id"] for each in together)
    values = [each["hyperparameters"] for each in together]
    assert all(values.count(each) == 1 for each in values)
    if kind == "GridSearch":
        assert sorted(each["units"] for each in values) == sorted(
            each["hyperparameters"]["units"] for each in alone
        )
    if kind == "Hyperband":  # later rounds went on from trials of the other process
        assert any("tuner/trial_id" in each for each in values)


OPTUNA = """
import os, pathlib, signal
from penstock.tuning import OptunaSearch

FOLDER = pathlib.Path(__file__).parent

def objective(trial, fn_args):
    import optuna
    x = trial.suggest_float("x", 0.0, 1.0)
    with open(FOLDER / "ran", "a") as file:
        print(trial.number, os.getpid(), x, file=file)
    if trial.number == 1 and not (FOLDER / "killed").exists():
        (FOLDER / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    for step in range(3):
        trial.report(x, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return x

def tuner_fn(fn_args):
    import optuna
    return OptunaSearch(
        objective, 6, sampler=optuna.samplers.RandomSampler(seed=fn_args.seed),
        pruner=optuna.pruners.ThresholdPruner(upper=0.5),
    )
"""


@pytest.mark.slow
def test_an_optuna_search_with_pruning_and_a_killed_trial(run, tmp_path, caplog):
    trials = run("optuna_two", OPTUNA, 2)
    assert len(trials) == 6
    assert {each["status"] for each in trials} == {"COMPLETED", "PRUNED"}
    assert all(
        (each["status"] == "PRUNED") == (each["hyperparameters"]["x"] > 0.5) for each in trials
    )
    ran = [line.split() for line in (tmp_path / "ran").read_text().splitlines()]
    assert len(ran) == 7
    assert len({process for _, process, _ in ran}) >= 2
    killed = next(x for number, _, x in ran if number == "1")
    assert sum(x == killed for _, _, x in ran) == 2
    assert any("process of trial 1 was killed by SIGKILL" in each for each in caplog.messages)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "class Mine:\n    oracle = None\n    def search(self): pass\n"
            "    def get_best_hyperparameters(self): pass\n"
            "from penstock.tuning import TunerFnResult\n"
            "def tuner_fn(fn_args): return TunerFnResult(Mine(), {})",
            "Mine is none. Set num_parallel_trials to 1",
        ),
        (
            "import os\nfrom penstock.tuning import OptunaSearch\ndef objective(trial, fn_args): os._exit(3)\n"
            "def tuner_fn(fn_args): return OptunaSearch(objective, 1)",
            "Its process ended with exit status 3, and so did 2 before it",
        ),
        (
            "import os, sys\nfrom penstock.tuning import OptunaSearch\n"
            "if 'pytest' not in sys.modules: os._exit(7)\n"
            "def tuner_fn(fn_args): return OptunaSearch(print, 1)",
            "The process of trial worker . ended with exit status 7 before it had begun a trial",
        ),
        (
            "import sys\nfrom penstock.tuning import OptunaSearch\n"
            "def tuner_fn(fn_args):\n    if 'pytest' not in sys.modules: raise KeyError('mine')\n"
            "    return OptunaSearch(print, 1)",
            r"(?s)KeyError: 'mine'.*In trial worker \d:.*bad_\d.py\", line 4, in tuner_fn",
        ),
    ],
)
def test_what_cannot_run_in_several_processes_is_said(run, source, message, request):
    before = own_children()
    name = f"bad_{request.node.callspec.indices['source']}"
    with pytest.raises(ComponentFailed, match=message):
        run(name, source, 2)
    assert own_children() == before
