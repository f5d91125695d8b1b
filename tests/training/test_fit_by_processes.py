"""`fit` on several devices and in several processes: the weights of one device, and after a kill as well."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

SCRIPT = """
import json, os, sys, time
task = json.loads(sys.argv[1])
os.environ["KERAS_BACKEND"] = task["backend"]
if "tf_config" in task:
    os.environ["TF_CONFIG"] = json.dumps(task["tf_config"])
if task["backend"] == "jax":
    import jax
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    if task["processes"] > 1:
        jax.distributed.initialize(task["address"], task["processes"], task["index"])
if task.get("serves"):
    import tensorflow as tf
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    job = task["tf_config"]["task"]
    tf.distribute.Server(
        resolver.cluster_spec(), job_name=job["type"], task_index=job["index"], protocol="grpc"
    ).join()
import keras
import numpy as np
from penstock.training import FnArgs, fit
from penstock.training.distribution import use_devices
if task["processes"] == 1:
    use_devices(task["distribution"])
random = np.random.default_rng(0)
x = random.normal(size=(46, 4)).astype("float32")
y = x[:, :3].argmax(1)
fn_args = FnArgs(
    seed=4, backend=task["backend"], distribution=task["distribution"], is_chief=task["index"] == 0,
    checkpoint_dir=task["folder"],
)
strategy = fn_args.strategy
keras.utils.set_random_seed(1)

class Killed(keras.callbacks.Callback):
    left = task.get("stop_after", -1)

    def on_train_batch_end(self, batch, logs=None):
        Killed.left -= 1
        if Killed.left == 0:
            os.kill(os.getpid(), 9)

class Marks(keras.callbacks.Callback):
    left = task.get("mark_after", -1)

    def on_train_batch_end(self, batch, logs=None):
        Marks.left -= 1
        if Marks.left == 0:
            open(task["folder"] + "/marked", "w").close()
            time.sleep(2)

with strategy.scope():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = fit(
    model, (x, y), fn_args=fn_args, validation_data=(x[:21], y[:21]), batch_size=8, epochs=task["epochs"],
    checkpoint_every=5, doctor="off",
    callbacks=[Killed(), Marks(), keras.callbacks.EarlyStopping(patience=50, restore_best_weights=True)],
)
result = {
    "history": history.history, "weights": [w.tolist() for w in model.get_weights()],
    "steps": int(np.array(model.optimizer.iterations)),
}
print("RESULT " + json.dumps(result), flush=True)
os._exit(0)
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return [f"127.0.0.1:{port}" for port in ports]


def start(task):
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, json.dumps(task)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def result_of(process):
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors[-3000:]
    line = next(line for line in output.splitlines() if line.startswith("RESULT "))
    return json.loads(line[7:])


def group(distribution, backend, folder, processes=2, epochs=3, **extra):
    addresses = free_ports(processes)
    tasks = []
    for index in range(processes):
        task = {"distribution": distribution, "backend": backend, "processes": processes}
        task |= {"index": index, "folder": str(folder), "epochs": epochs, "address": addresses[0]}
        if distribution == "multi_worker":
            cluster = {"worker": addresses}
            task["tf_config"] = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        tasks.append(task | (extra if index == processes - 1 else {}))
    return [start(task) for task in tasks]


def assert_close(found, expected):
    for name, values in expected["history"].items():
        np.testing.assert_allclose(found["history"][name], values, rtol=1e-4, err_msg=name)
    for got, wanted in zip(found["weights"], expected["weights"], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("distribution", "backend", "processes"),
    [
        ("mirrored", "tensorflow", 1),
        ("multi_worker", "tensorflow", 2),
        ("data_parallel", "jax", 1),
        ("data_parallel", "jax", 2),
    ],
)
def test_several_devices_come_to_the_weights_of_one(tmp_path, distribution, backend, processes):
    pytest.importorskip(backend)
    [alone] = group("none", backend, tmp_path / "alone", 1)
    expected = result_of(alone)
    found = [
        result_of(each) for each in group(distribution, backend, tmp_path / "group", processes)
    ]
    assert expected["steps"] == 3 * 6
    for each in found:
        assert_close(each, expected)

    if processes > 1:
        # A worker is killed within an epoch; the group starts again as a whole.
        killed = group(distribution, backend, tmp_path / "killed", processes, stop_after=9)
        killed[-1].wait(timeout=100)
        assert killed[-1].returncode == -signal.SIGKILL
        time.sleep(1)
        for each in killed[:-1]:
            each.kill()
        for each in killed:
            each.communicate()
        again = [
            result_of(each) for each in group(distribution, backend, tmp_path / "killed", processes)
        ]
        for each, wanted in zip(again, found, strict=True):
            assert (each["weights"], each["steps"]) == (wanted["weights"], wanted["steps"])
            # The sums of metrics are divided between the workers again.
            assert_close(each, wanted)


def test_parameter_servers_take_the_planned_steps_though_a_worker_is_killed(tmp_path):
    names = [("chief", 0), ("ps", 0), ("worker", 0), ("worker", 1)]
    addresses = free_ports(4)
    cluster = {"chief": addresses[:1], "ps": addresses[1:2], "worker": addresses[2:]}
    (tmp_path / "here").mkdir()
    base = {"distribution": "parameter_server", "backend": "tensorflow", "processes": 4}
    base |= {"folder": str(tmp_path / "here"), "epochs": 20, "index": 0, "mark_after": 60}

    def member(job, index):
        config = {"cluster": cluster, "task": {"type": job, "index": index}}
        return start(base | {"tf_config": config, "serves": job != "chief"})

    members = {name: member(*name) for name in names}
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "here" / "marked").exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        members["worker", 1].kill()
        members["worker", 1].communicate()
        members["worker", 1] = member("worker", 1)
        found = result_of(members["chief", 0])
    finally:
        for each in members.values():
            each.kill()
            each.communicate()
    planned = 20 * 6
    # At most the steps that were under way on the worker are executed again.
    assert planned <= found["steps"] <= planned + 8
    assert len(found["history"]["loss"]) == 20
    assert found["history"]["val_loss"][-1] < 0.5 < found["history"]["val_loss"][0]
