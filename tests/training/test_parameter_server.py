"""A chief, one parameter server and two workers, with a loop of the module's own."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

MODULE = """
import json, os, pathlib, signal, time
import keras, numpy as np, tensorflow as tf

STEPS = 40

def run_fn(fn_args):
    config = fn_args.custom_config
    strategy = fn_args.strategy
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
    with strategy.scope():
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        executed = tf.Variable(0, dtype=tf.int64)
    rows = fn_args.per_replica_batch_size

    @tf.function
    def step():
        x = tf.random.uniform((rows, 1), -1.0, 1.0)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - 3 * x) ** 2)
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        for variable, gradient in zip(model.trainable_variables, gradients):
            variable.value.assign_sub(0.1 * gradient)
        executed.assign_add(1)
        return loss

    marker = pathlib.Path(fn_args.checkpoint_dir) / "was-killed"
    losses = []
    for number in range(0, STEPS, 8):
        losses += [coordinator.schedule(step) for _ in range(8)]
        if number == 16 and "kill" in config and not marker.exists():
            marker.touch()
            os.kill(_pid_of(config["kill"]), signal.SIGKILL)
        coordinator.join()
    logs = pathlib.Path(fn_args.model_run_dir)
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "seen.json").write_text(json.dumps({
        "workers": fn_args.num_workers, "replicas": fn_args.num_replicas, "rows": rows,
        "done": len(losses), "executed": int(executed.numpy()), "task": fn_args.tf_config["task"],
        "jobs": sorted(fn_args.tf_config["cluster"]), "loss": float(losses[-1].fetch()),
    }))
    pathlib.Path(fn_args.serving_model_dir).mkdir(parents=True)
    model.save(f"{fn_args.serving_model_dir}/model.keras")
    return {"loss": [float(each.fetch()) for each in losses[-3:]]}

def _pid_of(job):
    # Its TF_CONFIG says which process it is.
    siblings = pathlib.Path(f"/proc/{os.getppid()}/task/{os.getppid()}/children").read_text().split()
    for pid in siblings:
        environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\\0")
        config = next((each for each in environment if each.startswith(b"TF_CONFIG=")), None)
        if config and json.loads(config[10:])["task"] == job:
            return int(pid)
    raise LookupError(job)
"""


def train(run, **config):
    from penstock.training import TrainArgs

    return run(
        MODULE,
        replicas=2,
        parameter_servers=1,
        distribution="parameter_server",
        train_args=TrainArgs(batch_size=16),
        custom_config=config,
    )


def test_workers_compute_on_a_parameter_server_and_one_that_is_killed_is_replaced(
    run, caplog, capfd, left_over
):
    unbroken, _ = train(run)
    assert unbroken["done"] == unbroken["executed"] == 40
    assert (unbroken["workers"], unbroken["replicas"], unbroken["rows"]) == (2, 2, 8)
    assert unbroken["jobs"] == ["chief", "ps", "worker"]
    assert unbroken["task"] == {"type": "chief", "index": 0}
    assert unbroken["loss"] < 0.05

    caplog.clear()
    killed, _ = train(run, kill={"type": "worker", "index": 1})
    assert killed["done"] == 40
    # A step that was under way is executed again.
    assert killed["executed"] in (40, 41)
    assert killed["loss"] < 0.05
    assert "worker 1 was killed by SIGKILL" in caplog.text
    assert "it is started again, and the others go on" in caplog.text
    assert "all 4 processes start again" not in caplog.text
    assert not left_over()


def test_a_killed_parameter_server_costs_a_restart(run, caplog, left_over):
    killed, _ = train(run, kill={"type": "ps", "index": 0})
    assert killed["done"] == 40
    assert "ps 0 was killed by SIGKILL" in caplog.text
    assert "all 4 processes start again (1 of 3 times)" in caplog.text
    assert killed["loss"] < 0.05
    assert not left_over()
