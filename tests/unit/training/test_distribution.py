"""Devices are a process's own, so each case has one."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.tensorflow


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_mirrored_trains_on_two_logical_cpus_to_the_weights_of_one():
    output = run("""
import numpy as np
from penstock.training import FnArgs, make_reproducible
from penstock.training.distribution import use_devices
use_devices("mirrored")
import keras, tensorflow as tf

def train(distribution):
    make_reproducible(3)
    strategy = FnArgs(distribution=distribution).strategy
    with strategy.scope():
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.1), "mse")
    x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices((x, x[:, :1] * x[:, 1:])).batch(16).repeat()
    model.fit(dataset, epochs=1, steps_per_epoch=8, verbose=0, shuffle=False)
    return strategy.num_replicas_in_sync, [w.numpy() for w in model.weights]

one, alone = train("none")
two, mirrored = train("mirrored")
print(one, two, max(np.abs(a - b).max() for a, b in zip(alone, mirrored)) < 1e-5)
""")
    assert output.split() == ["1", "2", "True"]


def test_devices_cannot_be_changed_once_tensorflow_has_started():
    output = run("""
import tensorflow as tf
tf.constant(1) + 1
from penstock.training import configure_devices
try:
    configure_devices(logical_devices=2)
except RuntimeError as error:
    print(error)
""")
    assert output.startswith("Too late to configure 2 logical devices and 0 threads")


def test_mirrored_without_a_second_device_says_what_to_do():
    output = run("""
from penstock.training import create_strategy
try:
    create_strategy("mirrored")
except RuntimeError as error:
    print(error)
""")
    assert "needs at least two devices and found 1" in output
    assert "configure_devices(logical_devices=2)" in output


@pytest.mark.processes
def test_a_seed_and_determinism_give_bit_equal_weights():
    code = """
import hashlib
from penstock.training import make_reproducible
make_reproducible(11, deterministic=True)
import keras, numpy as np, tensorflow as tf
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
model.compile("adam", "mse")
x = np.arange(96, dtype="float32").reshape(32, 3) / 96
dataset = tf.data.Dataset.from_tensor_slices((x, x[:, :1])).shuffle(32).batch(8).repeat()
model.fit(dataset, steps_per_epoch=10, verbose=0, shuffle=False)
print(hashlib.sha256(b"".join(w.numpy().tobytes() for w in model.weights)).hexdigest())
"""
    assert run(code) == run(code)


def test_precision_is_keras_policy():
    output = run("""
from penstock.training import set_precision
import keras
set_precision("mixed_bfloat16")
layer = keras.layers.Dense(1)
layer.build((None, 2))
print(layer.compute_dtype, layer.weights[0].dtype)
""")
    assert output.split() == ["bfloat16", "float32"]
