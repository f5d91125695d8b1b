"""PyTorch in one process; run by `make test-torch`."""

import pytest

pytestmark = [pytest.mark.torch, pytest.mark.tensorflow]

MODULE = """
import json, pathlib, sys
import keras, torch
from penstock.training import export_model, fit

def run_fn(fn_args):
    inputs = {"x": keras.Input((1,), name="x")}
    with fn_args.strategy.scope():
        model = keras.Model(inputs, keras.layers.Dense(1)(inputs["x"]))
        model.compile(keras.optimizers.SGD(0.1), "mse", **fn_args.compile_kwargs)
    history = fit(model, fn_args.dataset("train", batch_size=16, label_key="y"), fn_args=fn_args, epochs=3)
    export_model(model, fn_args.serving_model_dir, schema=fn_args.schema, label_key="y")
    logs = pathlib.Path(fn_args.model_run_dir)
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "seen.json").write_text(json.dumps({
        "tensorflow": "tensorflow" in sys.modules, "backend": keras.backend.backend(),
        "replicas": fn_args.num_replicas, "weights": [w.tolist() for w in model.get_weights()],
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }))
    return history
"""


def test_it_trains_without_tensorflow_and_twice_the_same(run):
    seen, outputs = run(MODULE, backend="torch", file_format="parquet")
    weights = seen.pop("weights")
    assert seen == {
        "tensorflow": False,
        "backend": "torch",
        "replicas": 1,
        "deterministic": False,
    }
    assert "Format-Keras" in outputs["model"].forms
    assert run(MODULE, backend="torch", file_format="parquet")[0]["weights"] == weights
