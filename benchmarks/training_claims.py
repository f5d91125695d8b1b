"""Ratios about training that people quote, measured on this machine: what does each choice bring?

Graph or eager, XLA or not, mixed precision, how the input is fed, one or two mirrored replicas, and the
same work by TensorFlow, JAX, PyTorch and NumPy. The work is a training step of a network with two hidden
layers of 256 units on 20 features, 512 rows a step, with Adam. Of several repeats, in turns, the fastest
counts, so that other work on the machine weighs little. The libraries are compared on one core each: their
threads wait for each other by spinning, which on a busy machine measures the other work. What cannot be
measured says "not run" and why.

    python benchmarks/training_claims.py [--repeat 5] [--json]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

ROWS, FEATURES, UNITS, STEPS = 512, 20, 256, 40
LEARNING_RATE = 1e-3

Seconds = dict[str, float]


def fastest(cases: dict[str, Callable[[], object]], repeat: int) -> Seconds:
    """Return the seconds of each case: the fastest of some repeats, in turns, after a first one."""
    for work in cases.values():
        work()
    seconds: Seconds = {}
    for _ in range(repeat):
        for name, work in cases.items():
            started = time.perf_counter()
            work()
            taken = time.perf_counter() - started
            seconds[name] = min(taken, seconds.get(name, taken))
    return seconds


def rows(steps: int = STEPS) -> tuple[Any, Any]:
    import numpy as np

    generator = np.random.default_rng(0)
    x = generator.normal(size=(ROWS * steps, FEATURES)).astype("float32")
    return x, np.sin(x[:, :1]) + x[:, 1:2] * x[:, 2:3]


def weights() -> list[Any]:
    """Return the same first weights for everyone: kernels and biases."""
    import numpy as np

    generator = np.random.default_rng(1)
    sizes = (FEATURES, UNITS, UNITS, 1)
    made: list[Any] = []
    for before, after in pairwise(sizes):
        made += [
            (generator.normal(size=(before, after)) / before**0.5).astype("float32"),
            np.zeros(after, "float32"),
        ]
    return made


def network(**options: Any) -> Any:
    import keras

    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(UNITS, "relu"),
            keras.layers.Dense(UNITS, "relu"),
            keras.layers.Dense(1, dtype="float32"),
        ]
    )
    model.set_weights(weights())
    model.compile(keras.optimizers.Adam(LEARNING_RATE), "mse", **options)
    return model


def by_fit(model: Any, data: Any = None) -> Callable[[], object]:
    """Return an epoch of Keras's fit."""
    if data is not None:
        return lambda: model.fit(data, verbose=0)
    x, y = rows()
    return lambda: model.fit(x, y, batch_size=ROWS, shuffle=False, verbose=0)


def compute(repeat: int) -> Seconds:
    """Graph and eager, XLA, precision: an epoch each, on TensorFlow."""
    import keras

    cases = {
        "graph": network(jit_compile=False),
        "eager": network(run_eagerly=True),
        "xla": network(jit_compile=True),
    }
    keras.config.set_dtype_policy("mixed_bfloat16")
    cases["mixed_bfloat16"] = network(jit_compile=False)
    cases["mixed_bfloat16_xla"] = network(jit_compile=True)
    return fastest({name: by_fit(model) for name, model in cases.items()}, repeat)


def feeding(repeat: int) -> Seconds:
    """Return an epoch with serialized tf.Examples in memory, parsed in several ways."""
    import tensorflow as tf

    x, y = rows()
    names = [f"x{i}" for i in range(FEATURES)]

    def serialized(values: Any, label: float) -> bytes:
        floats = {name: [value] for name, value in [*zip(names, values, strict=True), ("y", label)]}
        feature = {
            name: tf.train.Feature(float_list=tf.train.FloatList(value=value))
            for name, value in floats.items()
        }
        message = tf.train.Example(features=tf.train.Features(feature=feature))
        return message.SerializeToString(deterministic=True)

    records = [serialized(a, b) for a, b in zip(x.tolist(), y[:, 0].tolist(), strict=True)]
    spec = {name: tf.io.FixedLenFeature([1], tf.float32) for name in [*names, "y"]}

    def parse(batch: Any) -> Any:
        parsed = tf.io.parse_example(batch, spec)
        return tf.concat([parsed[name] for name in names], axis=1), parsed["y"]

    batches = tf.data.Dataset.from_tensor_slices(records).batch(ROWS)
    datasets = {
        "plain": batches.map(parse),
        "prefetch": batches.map(parse).prefetch(2),
        "parallel_map": batches.map(parse, num_parallel_calls=2),
        "parallel_map_and_prefetch": batches.map(parse, num_parallel_calls=2).prefetch(2),
        "cache": batches.map(parse).cache(),
        "in_memory": tf.data.Dataset.from_tensor_slices((x, y)).batch(ROWS).cache(),
    }
    # No choice of tf.data's own: each dataset is what it says.
    options = tf.data.Options()
    options.autotune.enabled = False
    model = network(jit_compile=False)
    return fastest(
        {name: by_fit(model, each.with_options(options)) for name, each in datasets.items()}, repeat
    )


def mirrored(repeat: int) -> Seconds:
    """Return an epoch with one replica, and with two that share the batches."""
    import tensorflow as tf

    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    if kind == "CPU":
        device = tf.config.list_physical_devices("CPU")[0]
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(device, two)
    devices = [device.name for device in tf.config.list_logical_devices(kind)][:2]
    if len(devices) < 2:
        return {}
    x, y = rows()
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(ROWS).cache().prefetch(2)
    alone = network(jit_compile=False)
    with tf.distribute.MirroredStrategy(devices).scope():
        both = network(jit_compile=False)
    return fastest({"one": by_fit(alone, dataset), "two": by_fit(both, dataset)}, repeat)


def backend(repeat: int) -> Seconds:
    """Return an epoch on the backend of this process, compiled as Keras does by default."""
    model = network()
    x, y = rows(1)
    loss = float(model.evaluate(x, y, batch_size=ROWS, verbose=0))
    return {**fastest({"seconds": by_fit(model)}, repeat), "first_loss": loss}


def by_numpy(repeat: int) -> Seconds:
    """Return an epoch of the same in NumPy: forward, backward and Adam by hand."""
    import numpy as np

    state = weights()
    means, squares = ([np.zeros_like(each) for each in state] for _ in range(2))
    x, y = rows()
    count = 0

    def forward(x: Any) -> tuple[Any, Any, Any]:
        first = np.maximum(x @ state[0] + state[1], 0)
        second = np.maximum(first @ state[2] + state[3], 0)
        return first, second, second @ state[4] + state[5]

    def epoch() -> None:
        nonlocal count
        for start in range(0, len(x), ROWS):
            count += 1
            a, b = x[start : start + ROWS], y[start : start + ROWS]
            first, second, out = forward(a)
            error = 2 * (out - b) / len(a)
            below = (error @ state[4].T) * (second > 0)
            lowest = (below @ state[2].T) * (first > 0)
            slopes = [
                a.T @ lowest, lowest.sum(0), first.T @ below, below.sum(0), second.T @ error, error.sum(0),
            ]  # fmt: skip
            rate = LEARNING_RATE * (1 - 0.999**count) ** 0.5 / (1 - 0.9**count)
            for value, mean, square, slope in zip(state, means, squares, slopes, strict=True):
                mean += 0.1 * (slope - mean)
                square += 0.001 * (slope * slope - square)
                value -= rate * mean / (np.sqrt(square) + 1e-7)

    loss = float(np.mean((forward(x[:ROWS])[2] - y[:ROWS]) ** 2))
    return {**fastest({"seconds": epoch}, repeat), "first_loss": loss}


CASES = {
    "compute": compute,
    "feeding": feeding,
    "mirrored": mirrored,
    "tensorflow": backend,
    "jax": backend,
    "torch": backend,
    "numpy": by_numpy,
}


def run(case: str, repeat: int, on_gpu: bool) -> Seconds | str:
    """Run a case in a process of its own, and return its seconds, or why it was not run."""
    if case in ("jax", "torch") and importlib.util.find_spec(case) is None:
        return f"not run: {case} is not installed"
    if case == "numpy" and on_gpu:
        return "not run: NumPy computes on the CPU"
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["KERAS_BACKEND"] = case if case in ("jax", "torch") else "tensorflow"
    if not on_gpu:
        environment |= {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, __file__, "--case", case, "--repeat", str(repeat)]
    if CASES[case] in (backend, by_numpy) and not on_gpu and hasattr(os, "sched_setaffinity"):
        command.append("--one-core")
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{case} failed:\n{done.stderr[-3000:]}")
    found: Seconds = json.loads(done.stdout.splitlines()[-1])
    return found or "not run: there is one device"


def ratios(found: dict[str, Seconds | str]) -> dict[str, Any]:
    """Return how many times as fast each choice is as what it is compared with."""

    def speed(case: str, what: str, than: str) -> Any:
        seconds = found[case]
        return seconds if isinstance(seconds, str) else round(seconds[than] / seconds[what], 2)

    def library(name: str) -> Any:
        mine, others = found[name], found["tensorflow"]
        if isinstance(mine, str) or isinstance(others, str):
            return mine
        return round(others["seconds"] / mine["seconds"], 2)

    return {
        "graph_over_eager": speed("compute", "graph", "eager"),
        "xla_over_graph": speed("compute", "xla", "graph"),
        "mixed_bfloat16_over_float32": speed("compute", "mixed_bfloat16", "graph"),
        "mixed_bfloat16_over_float32_with_xla": speed("compute", "mixed_bfloat16_xla", "xla"),
        "prefetch_over_plain": speed("feeding", "prefetch", "plain"),
        "parallel_map_over_plain": speed("feeding", "parallel_map", "plain"),
        "parallel_map_and_prefetch_over_plain": speed(
            "feeding", "parallel_map_and_prefetch", "plain"
        ),
        "cache_over_plain": speed("feeding", "cache", "plain"),
        "in_memory_over_plain": speed("feeding", "in_memory", "plain"),
        "two_mirrored_replicas_over_one": speed("mirrored", "two", "one"),
        "jax_over_tensorflow": library("jax"),
        "torch_over_tensorflow": library("torch"),
        "numpy_over_tensorflow": library("numpy"),
    }


def check_same_work(found: Iterable[Seconds | str]) -> None:
    """Stop if the libraries do not compute the same loss from the same weights."""
    losses = [
        each["first_loss"] for each in found if not isinstance(each, str) and "first_loss" in each
    ]
    if max(losses) - min(losses) > 1e-4 * max(losses):
        sys.exit(f"the libraries do not do the same work: their first losses are {losses}")


def has_gpu() -> bool:
    code = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() not in ("", "0")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--one-core", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        if options.one_core:
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        print(json.dumps(CASES[options.case](options.repeat)))
        return
    figures: dict[str, Any] = {"cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    for device in ("cpu", "gpu"):
        if device == "gpu" and not has_gpu():
            figures["gpu"] = "not run: no GPU"
            continue
        found = {case: run(case, options.repeat, device == "gpu") for case in CASES}
        check_same_work(found.values())
        figures[device] = {"times_as_fast": ratios(found), "seconds": found}
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for device in ("cpu", "gpu"):
        if isinstance(figures[device], str):
            print(f"{device}: {figures[device]}")
            continue
        print(f"{device}: times as fast")
        for name, ratio in figures[device]["times_as_fast"].items():
            print(f"  {name:40} {ratio}")


if __name__ == "__main__":
    main()
