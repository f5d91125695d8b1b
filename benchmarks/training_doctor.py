"""What the training doctor costs: its share of the time of `fit`. The limit is 2 % of a step.

`ratio` is the time with the doctor over the time without its own calls, all looks at layers and gradients
included, measured in the same training, so that other processes slow both. `pair_ratio` compares whole
trainings with it and without it, in turns, and shows what it costs elsewhere, such as waits for the device;
on a machine with other work it varies by some hundredths. The examination before the first batch is given
on its own, in seconds.

    python benchmarks/training_doctor.py [--pairs 3] [--backend tensorflow|jax|torch] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--backend", default="tensorflow", choices=("tensorflow", "jax", "torch"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    figures: dict[str, Any] = {"backend": options.backend, "limit": 1.02}
    for name, layers, units, rows, steps in CASES:
        figures[name] = measure(layers, units, rows, steps, options.pairs)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, *_ in CASES:
        print(f"{name}: {figures[name]}")


CASES = (
    # The smallest step that anybody trains with: Python around it weighs most.
    ("tiny", 1, 16, 32, 12_000),
    ("table", 2, 128, 512, 5000),
    ("wide", 3, 512, 256, 1500),
)
"""Name, hidden layers, units of each, rows of a batch, steps."""


def measure(layers: int, units: int, rows: int, steps: int, pairs: int) -> dict[str, float]:
    import keras
    import numpy as np

    from penstock.training import TrainingDoctor, fit
    from penstock.training.doctor import examine

    class Timed(TrainingDoctor):
        taken = 0.0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            started = time.perf_counter()
            super().on_train_batch_end(batch, logs)
            self.taken += time.perf_counter() - started

        def on_train_end(self, logs: Any = None) -> None:
            started = time.perf_counter()
            super().on_train_end(logs)
            self.taken += time.perf_counter() - started

    generator = np.random.default_rng(0)
    x = generator.normal(size=(20_000, 20)).astype("float32")
    y = (x[:, :1] + x[:, 1:2] > 0).astype("float32")
    validation = generator.normal(size=(256, 20)).astype("float32"), y[:256]
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((20,)),
            *(keras.layers.Dense(units, "relu") for _ in range(layers)),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.01), "binary_crossentropy")

    def train(watched: bool, steps: int) -> tuple[float, float]:
        """Return the seconds of a training, and those of them that the doctor took."""
        doctor = Timed(data=(x, y), validation_data=validation)
        started = time.perf_counter()
        fit(
            model, (x, y), validation_data=validation, validation_steps=1, steps_per_epoch=steps,
            batch_size=rows, doctor=None if watched else "off", callbacks=[doctor] if watched else [],
        )  # fmt: skip
        return time.perf_counter() - started, doctor.taken

    train(True, 150)
    started = time.perf_counter()
    examine(model, (x, y), validation_data=validation)
    examination = time.perf_counter() - started
    ratios, pair_ratios, seconds = [], [], []
    for pair in range(pairs):
        order = (True, False) if pair % 2 else (False, True)
        taken = {watched: train(watched, steps) for watched in order}
        total, doctors = taken[True]
        ratios.append((total - examination) / (total - examination - doctors))
        pair_ratios.append((total - examination) / taken[False][0])
        seconds.append(taken[False][0])
    return {
        "ratio": round(statistics.median(ratios), 4),
        "pair_ratio": round(statistics.median(pair_ratios), 4),
        "steps": steps,
        "milliseconds_per_step": round(1000 * statistics.median(seconds) / steps, 3),
        "examination_seconds": round(examination, 3),
    }


if __name__ == "__main__":
    main()
