"""Processes that train are killed by signal 9 at any moment, again and again, until they come to the end."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SCRIPT = """
import sys
import keras
import numpy as np
from penstock.training import FnArgs, fit, make_reproducible

folder, result = sys.argv[1:]
make_reproducible(3, deterministic=True, backend=keras.config.backend())
random = np.random.default_rng(0)
x = random.normal(size=(1000, 16)).astype("float32")
y = x[:, :3].argmax(1)
model = keras.Sequential([
    keras.Input((16,)), keras.layers.Dense(256, "relu"), keras.layers.BatchNormalization(),
    keras.layers.Dropout(0.3), keras.layers.Dense(256, "relu"), keras.layers.Dense(3, "softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
print("trains", flush=True)
history = fit(
    model, (x, y), fn_args=FnArgs(seed=3, deterministic=True, checkpoint_dir=folder), batch_size=10,
    epochs=6, validation_data=(x[:100], y[:100]), checkpoint_every=7, doctor="off",
    callbacks=[
        keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=0.2),
        keras.callbacks.EarlyStopping("val_accuracy", patience=20, restore_best_weights=True),
    ],
)
losses = np.array(history.history["loss"] + history.history["val_accuracy"])
np.savez(result, losses, *model.get_weights())
"""


def start(backend, folder, result):
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(folder), str(result)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_processes_killed_at_any_moment_end_with_the_bits_of_an_unbroken_one(tmp_path, backend):
    pytest.importorskip(backend)
    unbroken = start(backend, tmp_path / "unbroken", tmp_path / "unbroken.npz")
    unbroken.stdout.readline()
    started = time.monotonic()
    unbroken.communicate(timeout=300)
    assert unbroken.returncode == 0
    seconds = time.monotonic() - started

    moments = random.Random(backend)
    kills = 0
    for _ in range(30):
        process = start(backend, tmp_path / "killed", tmp_path / "killed.npz")
        process.stdout.readline()
        if kills < 8:
            time.sleep(moments.uniform(0.2, 0.9) * seconds)
            process.send_signal(signal.SIGKILL)
        process.communicate(timeout=300)
        kills += process.returncode == -signal.SIGKILL
        if process.returncode == 0:
            break
    assert process.returncode == 0
    assert kills >= 1
    with np.load(tmp_path / "unbroken.npz") as wanted, np.load(tmp_path / "killed.npz") as found:
        for name in wanted.files:
            np.testing.assert_array_equal(found[name], wanted[name])
