"""A Tuner whose process, or whose whole run, is killed in the middle of its search."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SEARCH = """
import os, pathlib, signal
import keras_tuner, psutil
from penstock.tuning import TunerFnResult

FOLDER = pathlib.Path(__file__).parent

class Search(keras_tuner.RandomSearch):
    def run_trial(self, trial, victim):
        with open(FOLDER / "ran", "a") as file:
            print(trial.trial_id, file=file)
        marker = FOLDER / "killed"
        if trial.trial_id == "3" and victim and not marker.exists():
            marker.touch()
            for each in [psutil.Process(), *psutil.Process().parents()]:
                if victim in " ".join(each.cmdline()):
                    os.kill(each.pid, signal.SIGKILL)
                    break
        return {"score": trial.hyperparameters.Float("x", 0.0, 1.0)}

def tuner_fn(fn_args):
    space = keras_tuner.HyperParameters()
    space.Float("x", 0.0, 1.0)
    tuner = Search(
        objective=keras_tuner.Objective("score", "max"), hyperparameters=space, max_trials=6,
        seed=fn_args.seed, directory=fn_args.working_dir, overwrite=True,
    )
    return TunerFnResult(tuner, {"victim": fn_args.custom_config["victim"]})
"""

PIPELINE = """
import sys
from penstock import LocalDagRunner, Pipeline
from penstock.components import CsvExampleGen, Tuner
from penstock.dsl import Policy
from penstock.training import TuneArgs

def make(victim, parallel, retries):
    examples = CsvExampleGen(input_base="data")
    tuner = Tuner(
        examples=examples.outputs["examples"], module_file="search.py",
        tune_args=TuneArgs(num_parallel_trials=parallel), custom_config={"victim": victim},
    ).with_policy(Policy(retries=retries, backoff_seconds=0))
    return Pipeline("tuned", components=[examples, tuner])

if __name__ == "__main__":
    victim, parallel, retries = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    LocalDagRunner(progress="plain").run(make(victim, parallel, retries), run_id="r", seed=3)
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\n")
    (tmp_path / "data").mkdir()
    rows = "\n".join(f"{i},{i % 2}" for i in range(40))
    (tmp_path / "data/rows.csv").write_text(f"x,y\n{rows}\n")
    (tmp_path / "search.py").write_text(SEARCH)
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    return tmp_path


def python(project, *words):
    return subprocess.run(
        [sys.executable, *words], cwd=project, capture_output=True, text=True, timeout=300
    )


def ran(project):
    return (project / "ran").read_text().split()


def results(project):
    (file,) = project.rglob("tuner_results.json")
    return {each["trial_id"]: each for each in json.loads(file.read_text())}


def left_behind(project):
    """Return what still runs of the project, after a moment for it to end."""
    for _ in range(100):
        found = []
        for each in psutil.process_iter():
            try:
                if each.pid != os.getpid() and each.cwd() == str(project):
                    found.append(each)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        if not [each for each in found if each.status() != psutil.STATUS_ZOMBIE]:
            return []
        time.sleep(0.1)
    return found


@pytest.mark.parametrize("parallel", [1, 2])
def test_the_retry_of_a_killed_tuner_goes_on(project, parallel):
    # The worker of the local runner is forked by its keeper, and has its command.
    done = python(project, "pipeline.py", "runners.local.keeper", str(parallel), "1")
    assert done.returncode == 0, done.stdout + done.stderr
    found = results(project)
    assert sorted(found) == list("012345")
    again = [trial for trial in set(ran(project)) if ran(project).count(trial) > 1]
    assert set(again) <= {"2", "3", "4"} if parallel > 1 else again == ["3"]
    assert left_behind(project) == []


@pytest.mark.parametrize("parallel", [1, 2])
def test_a_killed_run_is_resumed_with_its_finished_trials(project, parallel):
    done = python(project, "pipeline.py", "pipeline.py", str(parallel), "0")
    assert done.returncode == -signal.SIGKILL
    assert left_behind(project) == []
    before = ran(project)
    resumed = python(
        project, "-c", "from penstock import LocalDagRunner; LocalDagRunner().resume('r')"
    )
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    log = "".join(file.read_text() for file in Path(project).rglob("log.txt"))
    assert "finished trials of an earlier attempt" in log
    found = results(project)
    assert sorted(found) == list("012345")
    assert all(each["status"] == "COMPLETED" for each in found.values())
    # Only what had not ended is run again.
    assert len(ran(project)) - len(before) <= (3 if parallel == 1 else 4)
    values = {trial: each["hyperparameters"] for trial, each in found.items()}
    (project / "ran").unlink()
    for folder in [each for each in project.iterdir() if each.is_dir() and each.name != "data"]:
        subprocess.run(["rm", "-rf", str(folder)], check=True)
    whole = python(project, "pipeline.py", "", "1", "0")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert {trial: each["hyperparameters"] for trial, each in results(project).items()} == values
