"""JAX in one process and in two that share the data."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from penstock.serving import load_model
from penstock.training import TrainArgs

ALONE = """
import json, os, pathlib, sys
import keras
from penstock.training import export_model, fit

def run_fn(fn_args):
    inputs = {"x": keras.Input((1,), name="x")}
    with fn_args.strategy.scope():
        model = keras.Model(inputs, keras.layers.Dense(1, name="line")(inputs["x"]))
        model.compile(keras.optimizers.SGD(0.1), "mse", **fn_args.compile_kwargs)
    history = fit(
        model,
        fn_args.dataset("train", batch_size=16, label_key="y"),
        validation_data=fn_args.dataset("eval", label_key="y"),
        fn_args=fn_args,
        epochs=2,
    )
    export_model(model, fn_args.serving_model_dir, schema=fn_args.schema, label_key="y")
    logs = pathlib.Path(fn_args.model_run_dir)
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "seen.json").write_text(json.dumps({
        "backend": keras.backend.backend(), "tensorflow": "tensorflow" in sys.modules,
        "pid": os.getpid(), "config": fn_args.custom_config, "weights": [w.tolist() for w in model.get_weights()],
        "policy": keras.config.dtype_policy().name,
    }))
    print("two epochs are done")
    return history
"""


@pytest.mark.parametrize(
    "file_format", ["parquet", pytest.param("tfrecords_gzip", marks=pytest.mark.slow)]
)
def test_it_trains_in_a_process_without_tensorflow_and_is_exported_in_one_with_it(
    run, capfd, file_format
):
    seen, outputs = run(ALONE, file_format=file_format, backend="jax", custom_config={"a": (1, 2)})
    assert seen.pop("pid") != os.getpid()
    kernel, bias = seen.pop("weights")
    assert seen == {
        "backend": "jax",
        "tensorflow": False,
        "config": {"a": [1, 2]},
        "policy": "float32",
    }
    history = json.loads(Path(outputs["model_run"].uri, "history.json").read_text())
    assert sorted(history) == ["loss", "val_loss"]
    assert len(history["loss"]) == 2
    assert "[jax] two epochs are done" in capfd.readouterr().err
    served = load_model(outputs["model"].uri + "/Format-Serving")
    for row, found in zip((0.5, 2.0), served.predict([{"x": 0.5}, {"x": 2.0}]), strict=True):
        np.testing.assert_allclose(found["outputs"], row * kernel[0][0] + bias[0], rtol=1e-5)


TOGETHER = """
import json, pathlib, sys
import keras, numpy as np
from stepwise import Steps

STEPS = 10

def run_fn(fn_args):
    with fn_args.strategy.scope():
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.1), "mse")
    steps = Steps(fn_args, model)
    part = fn_args.global_batch_size // fn_args.num_workers
    x = np.linspace(-1, 1, 80, dtype="float32").reshape(STEPS, 8, 1)
    losses = []
    for number in range(steps.begun, STEPS):
        steps.begin(number)
        rows = x[number][fn_args.worker_index * part:][:part]
        losses += model.fit(rows, 3 * rows, batch_size=part, shuffle=False, verbose=0).history["loss"]
        steps.end(number, every=3)
    logs = pathlib.Path(fn_args.model_run_dir)
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "seen.json").write_text(json.dumps({
        "replicas": fn_args.num_replicas, "workers": fn_args.num_workers, "begun": steps.begun,
        "per_replica": fn_args.per_replica_batch_size, "tensorflow": "tensorflow" in sys.modules,
        "devices": keras.distribution.list_devices(), "losses": losses,
        "weights": [value.tolist() for value in model.get_weights()],
    }))
    pathlib.Path(fn_args.serving_model_dir).mkdir(parents=True)
    (pathlib.Path(fn_args.serving_model_dir) / "weights.json").write_text("[]")
    return {"loss": losses}
"""


def together(run, replicas=2, **config):
    return run(
        TOGETHER,
        replicas=replicas,
        backend="jax",
        distribution="data_parallel",
        train_args=TrainArgs(batch_size=8),
        custom_config=config,
    )[0]


@pytest.mark.slow
def test_two_processes_and_two_devices_of_one_give_the_weights_of_an_unbroken_run(
    run, caplog, left_over
):
    two = together(run)
    assert (two["replicas"], two["workers"], two["per_replica"]) == (2, 2, 4)
    assert (two["tensorflow"], two["begun"]) == (False, 0)
    assert two["losses"][-1] < two["losses"][0]
    assert "start again" not in caplog.text

    one = together(run, replicas=1)
    assert (one["replicas"], one["workers"], one["per_replica"]) == (2, 1, 4)
    for alone, shared in zip(one["weights"], two["weights"], strict=True):
        np.testing.assert_allclose(alone, shared, atol=1e-6)

    killed = together(run, kill_at=7)
    assert killed["begun"] == 6
    assert killed["weights"] == two["weights"]
    assert "worker 1 was killed by SIGKILL" in caplog.text
    assert "all 2 processes start again (1 of 3 times)" in caplog.text
    assert not left_over()
