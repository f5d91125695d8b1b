"""A search whose parallel trials each have a pod, one of which loses its process."""

import functools
import json
import re
from pathlib import Path

import pyarrow as pa
import pytest

from penstock.artifacts import Examples
from penstock.components import Tuner
from penstock.io import ExamplesWriter
from penstock.launch.execution import execute
from penstock.pods.pod_hosts import PodHosts
from penstock.pods.request import PodRequest
from penstock.testing import components, run_component
from penstock.training import TuneArgs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tensorflow,
    # keras-tuner 1.4.8 calls threading.currentThread().
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

MODULE = """
import os, pathlib, signal
import keras, keras_tuner, numpy as np
from penstock.tuning import TunerFnResult

class Search(keras_tuner.{kind}):
    def run_trial(self, trial, *args, **kwargs):
        folder = pathlib.Path(__file__).parent
        print(trial.trial_id, os.environ["PENSTOCK_POD_NAME"], flush=True)
        if trial.trial_id == "1" and not (folder / "killed").exists():
            (folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run_trial(trial, *args, **kwargs)

def build(hp):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(hp.Int("units", 1, 40)), keras.layers.Dense(1)])
    model.compile("adam", loss="mse")
    return model

def tuner_fn(fn_args):
    tuner = Search(build, objective="val_loss", seed=fn_args.seed, directory=fn_args.working_dir, {arguments})
    x = np.random.default_rng(0).normal(size=(60, 4))
    y = x.sum(1, keepdims=True)
    return TunerFnResult(tuner, dict(x=x, y=y, validation_data=(x, y), epochs=1, verbose=0))
"""


@pytest.fixture
def search(tmp_path, monkeypatch, server):
    """Run a Tuner with two trials at a time, in pods."""
    monkeypatch.syspath_prepend(str(tmp_path))
    with ExamplesWriter(str(tmp_path / "examples"), ["train", "eval"]) as writer:
        for split in ("train", "eval"):
            column = pa.array([[1.0]], pa.large_list(pa.float32()))
            writer.write(split, pa.RecordBatch.from_arrays([column], ["x"]))
    examples = Examples(str(tmp_path / "examples"))
    examples.splits = ["train", "eval"]
    hosts = PodHosts("Tuner", PodRequest(wait_seconds=120))
    monkeypatch.setattr(components, "execute", functools.partial(execute, hosts=hosts))

    def run(kind, arguments):
        (tmp_path / "searching.py").write_text(MODULE.format(kind=kind, arguments=arguments))
        tuner = Tuner(
            examples=examples,
            module_file="searching.py",
            tune_args=TuneArgs(num_parallel_trials=2),
        )
        return run_component(tuner, tmp_path / "out", project_root=tmp_path, seed=3)

    return run


def test_trials_run_in_pods_and_a_lost_one_is_run_again(search, server, capfd, caplog):
    result = search("RandomSearch", "max_trials=4")
    found = json.loads(Path(result["tuner_results"].uri, "tuner_results.json").read_text())
    assert len(found) == 4
    ran = re.findall(
        r"^\[trial worker \d\] (\d) (tuner-0a1b2c3d-\d)-", capfd.readouterr().err, re.M
    )
    assert sorted(trial for trial, _ in ran) == ["0", "1", "1", "2", "3"]
    assert {pod for _, pod in ran} == {"tuner-0a1b2c3d-0", "tuner-0a1b2c3d-1"}
    assert "The process of trial 1 was killed by SIGKILL" in caplog.text
    assert [key for key in server.objects if "/jobs/" in key] == []
