"""What a Tuner gains by trials side by side: four that are bound by a processor, on one worker and on two.

Each trial trains a Keras model for so many steps, with one thread, as is measured beforehand to take the
given seconds. Both searches are whole runs in a process of their own: everything that starts is counted.
The limit is what the machine gives: the same epochs in two bare processes at once, over one after another.

    python benchmarks/tuning.py [--trials 4] [--seconds 18] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

MODULE = """
import time

import keras
import keras_tuner
import numpy as np

from penstock.tuning import TunerFnResult

ROWS, FEATURES, BATCH, UNITS = 2048, 32, 32, 64
EPOCHS = 40


def data():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(ROWS, FEATURES)).astype("float32")
    return x, x[:, :1] * 2


def build(hp):
    hidden = [keras.layers.Dense(UNITS, activation="relu") for _ in range(3)]
    model = keras.Sequential([keras.Input((FEATURES,)), *hidden, keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-4, 1e-3)), loss="mse")
    return model


def tuner_fn(fn_args):
    x, y = data()
    tuner = keras_tuner.RandomSearch(
        build, objective="val_loss", max_trials=fn_args.custom_config["trials"], seed=fn_args.seed
    )
    return TunerFnResult(
        tuner,
        {
            "x": x, "y": y, "batch_size": BATCH, "epochs": fn_args.custom_config["epochs"], "verbose": 0,
            "validation_data": (x[:BATCH], y[:BATCH]),
        },
    )


def seconds_of_an_epoch():
    x, y = data()
    model = build(keras_tuner.HyperParameters())
    options = {"batch_size": BATCH, "verbose": 0, "validation_data": (x[:BATCH], y[:BATCH])}
    model.fit(x, y, **options)
    began = time.perf_counter()
    model.fit(x, y, epochs=EPOCHS, **options)
    return (time.perf_counter() - began) / EPOCHS
"""

RUN = """
import json
import sys

from penstock import LocalDagRunner, Pipeline
from penstock.components import CsvExampleGen, Tuner
from penstock.training import TuneArgs

if __name__ == "__main__":
    parallel, trials, epochs = map(int, sys.argv[1:])
    examples = CsvExampleGen(input_base="data")
    tuner = Tuner(
        examples=examples.outputs["examples"],
        module_file="search.py",
        tune_args=TuneArgs(num_parallel_trials=parallel),
        custom_config={"trials": trials, "epochs": epochs},
    )
    runner = LocalDagRunner(progress="none")
    result = runner.run(Pipeline(f"tuned-{parallel}", components=[examples, tuner]), seed=1)
    print(result["Tuner"].outputs["tuner_results"][0].uri)
"""

# One thread a trial, on one worker as on two.
ONE_THREAD = dict.fromkeys(
    ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1"
)
MOST = 0.6
"""Of the seconds on one worker, those that four trials take on two."""


def in_process(project: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=project,
        env={**os.environ, **ONE_THREAD, "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip().split("\n")[-1]


def search(project: Path, parallel: int, trials: int, epochs: int) -> dict[str, object]:
    """Return the wall seconds of a run, and of its trials."""
    began = time.perf_counter()
    uri = in_process(project, "run.py", str(parallel), str(trials), str(epochs))
    seconds = time.perf_counter() - began
    found = json.loads(Path(uri, "tuner_results.json").read_text())
    found.sort(key=lambda trial: trial["trial_id"])
    return {
        "seconds": round(seconds, 2),
        "trial_seconds": [trial["seconds"] for trial in found],
        "scores": [trial["score"] for trial in found],
    }


def at_once(project: Path) -> float:
    """Return the seconds of an epoch in each of two processes that train at the same time."""
    command = ("-c", "from search import *; print(seconds_of_an_epoch())")
    with ThreadPoolExecutor(2) as threads:
        return max(threads.map(lambda _: float(in_process(project, *command)), range(2)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=18.0, help="of a trial, about")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "pyproject.toml").write_text("[tool.penstock]\n")
        (project / "data").mkdir()
        rows = "\n".join(f"{i},{i % 2}" for i in range(100))
        (project / "data/rows.csv").write_text(f"x,y\n{rows}\n")
        (project / "search.py").write_text(MODULE)
        (project / "run.py").write_text(RUN)
        epoch = float(
            in_process(project, "-c", "from search import *; print(seconds_of_an_epoch())")
        )
        epochs = max(1, round(arguments.seconds / epoch))
        limit = at_once(project) / epoch / 2
        one = search(project, 1, arguments.trials, epochs)
        two = search(project, 2, arguments.trials, epochs)
    ratio = round(two["seconds"] / one["seconds"], 3)  # type: ignore[operator]
    figures = {
        "trials": arguments.trials,
        "epochs": epochs,
        "one_worker": one,
        "two_workers": two,
        "ratio": ratio,
        "most": MOST,
        "machine_limit": round(limit, 3),
        "same_scores": one["scores"] == two["scores"],
        "cores": os.cpu_count(),
    }
    if arguments.json:
        print(json.dumps(figures))
        return
    print(f"{arguments.trials} trials of {epochs} epochs, one thread each, start included")
    for name, each in (("one worker", one), ("two workers", two)):
        print(f"  {name:12} {each['seconds']:6.1f} s; trials: {each['trial_seconds']}")
    print(f"  ratio        {ratio:6.2f} (at most {MOST}); same scores: {figures['same_scores']}")
    print(f"  the machine's limit, two bare processes at once: {limit:.2f}")


if __name__ == "__main__":
    main()
