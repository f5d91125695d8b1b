"""JAX in one process and in two that share the data."""

import json
from pathlib import Path

import pytest

ALONE = """
import json, os, pathlib, sys
import keras, numpy as np

def run_fn(fn_args):
    batches = fn_args.data_accessor.record_batch_factory(fn_args.train_files, _Options(), None)
    table = next(iter(batches))
    x, y = (np.array(table.column(name).flatten())[:, None] for name in ("x", "y"))
    with fn_args.strategy.scope():
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.1), "mse", **fn_args.compile_kwargs)
    history = model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    folder = pathlib.Path(fn_args.serving_model_dir)
    folder.mkdir(parents=True)
    (folder / "weights.json").write_text(json.dumps([w.tolist() for w in model.get_weights()]))
    logs = pathlib.Path(fn_args.model_run_dir)
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "seen.json").write_text(json.dumps({
        "backend": keras.backend.backend(), "tensorflow": "tensorflow" in sys.modules,
        "pid": os.getpid(), "config": fn_args.custom_config, "policy": keras.config.dtype_policy().name,
    }))
    print("two epochs are done")
    return history

class _Options:
    batch_size, drop_final_batch, num_epochs = 64, False, 1
"""


def test_it_trains_in_a_process_without_tensorflow(run, capfd):
    import os

    seen, outputs = run(
        ALONE, backend="jax", custom_config={"a": (1, 2)}, precision="mixed_bfloat16"
    )
    assert seen.pop("pid") != os.getpid()
    assert seen == {
        "backend": "jax",
        "tensorflow": False,
        "config": {"a": [1, 2]},
        "policy": "mixed_bfloat16",
    }
    history = json.loads(Path(outputs["model_run"].uri, "history.json").read_text())
    assert len(history["loss"]) == 2
    assert "[jax] two epochs are done" in capfd.readouterr().err
