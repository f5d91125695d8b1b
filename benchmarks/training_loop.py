"""How long a step of `penstock.training.fit` takes, against Keras's own `fit` in the same process.

The same model is trained on the same arrays in memory by both, in turn, and the ratio is the median over
the turns. A small model shows what the loop itself costs, a middle one what is left of that. Then a
training writes checkpoints as often as by default, and the share of its time that it waited for them is
measured.

    python benchmarks/training_loop.py [--backends tensorflow jax] [--repeat 5] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

MODELS = {"small": (16, [32], 32, 1000), "middle": (64, [512, 512, 512], 256, 60)}
"""Name to (features, units of the layers, rows of a batch, steps of an epoch)."""


def build(features: int, units: list[int]) -> Any:
    import keras

    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(each, "relu") for each in units]
    model = keras.Sequential([keras.Input((features,)), *layers, keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def last_epoch(train: Callable[[Any], None]) -> float:
    """Return the seconds of the last epoch; the first one compiles."""
    import keras

    class Clock(keras.callbacks.Callback):
        seconds = 0.0

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seconds = time.perf_counter() - self.started

    clock = Clock()
    train(clock)
    return clock.seconds


def measure(name: str, repeat: int) -> dict[str, float]:
    """Return the microseconds of a step, of both."""
    import numpy as np

    from penstock.training import fit

    features, units, rows, steps = MODELS[name]
    x = np.random.default_rng(0).normal(size=(rows * steps, features)).astype("float32")
    y = x[:, :1] * 2
    ours, keras_s = build(features, units), build(features, units)
    settings = {"batch_size": rows, "epochs": 2, "verbose": 0}
    pairs = []
    for _ in range(repeat):
        theirs = last_epoch(lambda clock: keras_s.fit(x, y, callbacks=[clock], **settings))
        mine = last_epoch(
            lambda clock: fit(ours, (x, y), callbacks=[clock], doctor="off", **settings)
        )
        pairs.append((mine, theirs))
    return {
        "step_microseconds": round(statistics.median(mine for mine, _ in pairs) / steps * 1e6, 1),
        "keras_step_microseconds": round(
            statistics.median(theirs for _, theirs in pairs) / steps * 1e6, 1
        ),
        "over_keras": round(statistics.median(mine / theirs for mine, theirs in pairs), 3),
    }


def checkpoint_share(seconds: float) -> dict[str, float]:
    """Return the share of a training's time that went to its checkpoints."""
    import numpy as np

    from penstock.training import FnArgs, fit
    from penstock.training.checkpoints import checkpointing

    written: list[Any] = []
    save = checkpointing.Checkpointing.save

    def counted(self: Any, contents: Any) -> None:
        save(self, contents)
        written.append(self)

    checkpointing.Checkpointing.save = counted  # type: ignore[method-assign]
    features, units, rows, steps = MODELS["middle"]
    x = np.random.default_rng(0).normal(size=(rows * steps, features)).astype("float32")
    model = build(features, units)
    epoch = last_epoch(lambda clock: fit(model, (x, x[:, :1]), epochs=2, callbacks=[clock]))
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        fit(
            model,
            (x, x[:, :1]),
            batch_size=rows,
            epochs=max(2, int(seconds / epoch)),
            fn_args=FnArgs(seed=1, checkpoint_dir=folder),
            doctor="off",
        )
        passed = time.perf_counter() - started
    return {
        "checkpoints": len(written),
        "checkpoint_megabytes": round(model.count_params() * 3 * 4 / 1e6, 1),
        "checkpoint_share": round(written[-1].seconds / passed, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax"])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=20, help="of the training with checkpoints"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        found = {name: measure(name, options.repeat) for name in MODELS}
        print(json.dumps(found | {"checkpoints": checkpoint_share(options.seconds)}))
        return
    figures = {}
    for backend in options.backends:
        # A process has one backend.
        command = [sys.executable, __file__, "--here", "--repeat", str(options.repeat)]
        command += ["--seconds", str(options.seconds)]
        environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            sys.exit(f"{backend} failed:\n{done.stderr[-3000:]}")
        figures[backend] = json.loads(done.stdout.splitlines()[-1])
    if options.json:
        print(json.dumps(figures))
        return
    for backend, models in figures.items():
        for name, values in models.items():
            print(backend, name, ", ".join(f"{key} {value}" for key, value in values.items()))


if __name__ == "__main__":
    main()
