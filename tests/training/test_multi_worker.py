"""Two processes under MultiWorkerMirroredStrategy, with a loop of the module's own."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

MODULE = """
import json, pathlib
import keras, numpy as np, tensorflow as tf
from stepwise import Steps

STEPS = 12

def run_fn(fn_args):
    config = fn_args.custom_config
    strategy = fn_args.strategy
    with strategy.scope():
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)])
        optimizer = keras.optimizers.SGD(0.1)
        optimizer.build(model.trainable_variables)
    steps = Steps(fn_args, model)
    x = np.linspace(-1, 1, 64, dtype="float32").reshape(STEPS // 12 * 8, 8, 1)

    def step(rows):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((model(rows) - 3 * rows) ** 2) / fn_args.global_batch_size
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        gradients = tf.distribute.get_replica_context().all_reduce("SUM", gradients)
        for variable, gradient in zip(model.trainable_variables, gradients):
            variable.value.assign_sub(0.1 * gradient)
        return loss

    @tf.function
    def train_step(rows):
        return strategy.reduce("SUM", strategy.run(step, args=(rows,)), axis=None)

    losses = []
    part = fn_args.per_replica_batch_size
    for number in range(steps.begun, STEPS):
        steps.begin(number)
        if number == config.get("raise_at") and fn_args.worker_index == config["who"]:
            raise RuntimeError(f"no more rows in worker {fn_args.worker_index}")
        rows = x[number % 8][fn_args.worker_index * part:][:part]
        losses.append(float(train_step(tf.constant(rows))))
        steps.end(number, every=4)
    logs = pathlib.Path(fn_args.model_run_dir)
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "seen.json").write_text(json.dumps({
        "replicas": fn_args.num_replicas, "workers": fn_args.num_workers, "begun": steps.begun,
        "part": part, "index": fn_args.worker_index, "address": fn_args.coordinator_address,
        "cluster": fn_args.tf_config["cluster"], "steps": STEPS,
        "weights": [value.tolist() for value in model.get_weights()],
    }))
    model.export(fn_args.serving_model_dir, verbose=False)
    print(f"wrote to {fn_args.serving_model_dir}")
    return {"loss": losses[-2:]}
"""


def train(run, **config):
    from penstock.training import TrainArgs

    return run(
        MODULE,
        replicas=2,
        distribution="multi_worker",
        train_args=TrainArgs(batch_size=8),
        custom_config=config,
    )


def test_a_killed_worker_costs_a_restart_and_the_weights_are_those_of_an_unbroken_run(
    run, capfd, left_over
):
    unbroken, outputs = train(run)
    told = capfd.readouterr().err
    assert (unbroken["replicas"], unbroken["workers"], unbroken["part"]) == (2, 2, 4)
    assert unbroken["begun"] == unbroken["index"] == 0
    assert unbroken["cluster"]["worker"][0] == unbroken["address"]
    assert os.path.isfile(f"{outputs['model'].uri}/Format-Serving/saved_model.pb")
    assert f"[chief] wrote to {outputs['model'].uri}" in told
    assert "[worker 1] wrote to " in told
    assert f"[worker 1] wrote to {outputs['model'].uri}" not in told

    for who, name in ((1, "worker 1"), (0, "chief")):
        killed, outputs = train(run, kill_at=6, who=who)
        told = capfd.readouterr().err
        assert killed["begun"] == 4
        assert "[chief] begins at step 0" in told
        assert "[worker 1] begins at step 4" in told
        for one, other in zip(killed["weights"], unbroken["weights"], strict=True):
            np.testing.assert_array_equal(one, other, name)
        assert len(json.loads(Path(outputs["model_run"].uri, "history.json").read_text())) == 1
    assert not left_over()


def test_what_one_raises_is_told_once_at_its_line_and_the_others_end(run, project, left_over):
    from penstock.testing import ComponentFailed

    with pytest.raises(ComponentFailed) as failed:
        train(run, raise_at=2, who=1)
    told = str(failed.value)
    assert told.startswith("RuntimeError: no more rows in worker 1\n")
    assert told.count("no more rows in worker 1") == 2  # the line, and the end of the traceback
    assert "In the process 'worker 1'" in told
    assert 'raise RuntimeError(f"no more rows' in told
    assert "penstock/training" not in told
    assert not list(project.glob("out-*/**/Format-Serving"))
    assert not left_over()
