"""`penstock.training.fit` in groups of processes: killed, it ends with the weights of an unbroken run."""

import numpy as np
import pytest

from penstock.training import TrainArgs

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

MODULE = """
import json, os, pathlib, signal
import keras
from penstock.training import export_model, fit

class Kill(keras.callbacks.Callback):
    def __init__(self, fn_args):
        super().__init__()
        self.fn_args, self.steps = fn_args, 0
        self.marker = pathlib.Path(fn_args.checkpoint_dir) / "was-killed"

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        config = self.fn_args.custom_config
        here = config.get("who") == self.fn_args.worker_index
        if here and self.steps == config["at"] and not self.marker.exists():
            self.marker.touch()
            os.kill(_pid_of(config["task"]) if "task" in config else os.getpid(), signal.SIGKILL)

def _pid_of(task):
    # Its TF_CONFIG says which process it is.
    parent = os.getppid()
    for pid in pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\\0")
        config = next((each for each in environment if each.startswith(b"TF_CONFIG=")), None)
        if config and json.loads(config[10:])["task"] == task:
            return int(pid)
    raise LookupError(task)

def run_fn(fn_args):
    with fn_args.strategy.scope():
        inputs = {"x": keras.Input((1,), name="x")}
        hidden = keras.layers.Dense(4, "tanh")(inputs["x"])
        model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
        rate = fn_args.custom_config.get("learning_rate", 0.05)
        model.compile(keras.optimizers.Adam(rate), "mse", metrics=["mae"], **fn_args.compile_kwargs)
    kill = Kill(fn_args)
    history = fit(
        model,
        fn_args.dataset("train", label_key="y"),
        validation_data=fn_args.dataset("eval", label_key="y"),
        fn_args=fn_args,
        epochs=fn_args.custom_config.get("epochs", 3),
        callbacks=[kill],
        checkpoint_every=2,
    )
    export_model(model, fn_args.serving_model_dir, schema=fn_args.schema, label_key="y")
    logs = pathlib.Path(fn_args.model_run_dir)
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "seen.json").write_text(json.dumps({
        "steps": kill.steps, "replicas": fn_args.num_replicas, "iterations": int(model.optimizer.iterations.numpy())
        if hasattr(model.optimizer.iterations, "numpy") else int(model.optimizer.iterations),
        "weights": [w.tolist() for w in model.get_weights()], "history": history.history,
    }))
    return history
"""


def train(run, distribution, backend, **arguments):
    return run(
        MODULE,
        distribution=distribution,
        backend=backend,
        file_format="parquet",
        train_args=TrainArgs(batch_size=8),
        **arguments,
    )


@pytest.mark.parametrize(
    ("distribution", "backend"), [("multi_worker", "tensorflow"), ("data_parallel", "jax")]
)
def test_killed_it_ends_with_the_step_and_the_weights_of_an_unbroken_run(
    run, caplog, left_over, distribution, backend
):
    unbroken, outputs = train(run, distribution, backend, replicas=2, deterministic=True)
    assert unbroken["replicas"] == 2
    # 64 rows, 8 a step, 3 epochs.
    assert (unbroken["steps"], unbroken["iterations"]) == (24, 24)
    assert "Format-Serving" in outputs["model"].forms

    alone, _ = train(run, "none", backend)
    for one, two in zip(alone["weights"], unbroken["weights"], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)

    config = {"who": 1, "at": 13}
    killed, outputs = train(
        run, distribution, backend, replicas=2, deterministic=True, custom_config=config
    )
    assert "worker 1 was killed by SIGKILL" in caplog.text
    assert "all 2 processes start again (1 of 3 times)" in caplog.text
    assert killed["steps"] < 24
    assert killed["iterations"] == 24
    assert killed["weights"] == unbroken["weights"]
    assert killed["history"] == unbroken["history"]
    assert not left_over()


def test_what_the_chiefs_doctor_raises_ends_the_whole_group(run, left_over):
    from penstock.testing import ComponentFailed

    with pytest.raises(ComponentFailed, match="TrainingDoctorError"):
        train(
            run,
            "multi_worker",
            "tensorflow",
            replicas=2,
            doctor="error",
            custom_config={"learning_rate": 1e30},
        )
    assert not left_over()


def test_parameter_servers_go_on_without_a_killed_worker(run, caplog, capfd, left_over):
    """All planned steps are done, and the loss, which goes to 0, is within 0.1 of it either way."""
    shape = {"replicas": 2, "parameter_servers": 1}
    config = {"epochs": 12}
    unbroken, outputs = train(run, "parameter_server", "tensorflow", custom_config=config, **shape)
    assert (unbroken["steps"], unbroken["iterations"]) == (96, 96)
    assert unbroken["history"]["loss"][-1] < 0.1
    assert "Format-Serving" in outputs["model"].forms

    config |= {"who": 0, "at": 40, "task": {"type": "worker", "index": 1}}
    killed, _ = train(run, "parameter_server", "tensorflow", custom_config=config, **shape)
    assert "worker 1 was killed by SIGKILL (out of memory?): it is started again" in caplog.text
    assert "processes start again" not in caplog.text
    assert killed["steps"] == 96
    again = killed["iterations"] - 96
    assert 0 <= again <= 8
    assert killed["history"]["loss"][-1] < 0.1
    if again:
        assert "steps were executed again, because a worker was lost" in capfd.readouterr().err
    assert not left_over()
