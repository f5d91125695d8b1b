"""A Trainer's step on a GPU against the same model in plain Keras, on a machine without TensorFlow.

`prepare`, on any machine with all of Penstock: a table becomes Parquet Examples and a schema, and the
command line of the Trainer's container is written as Kubeflow would give it. `measure`, on the machine
with the GPU (JAX, Keras, pyarrow; the same path for the folder): that command, `python -m
penstock.launch`, and `Model.fit` on the same rows in memory, each in a process of its own, in turn. A step
is the mean of an epoch, the median of the epochs after the first; the limit of the ratio is 1.03.

    python benchmarks/gpu_training.py prepare --folder FOLDER [--rows 100000]
    python benchmarks/gpu_training.py measure --folder FOLDER [--precision mixed_bfloat16] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PRECISIONS = ("float32", "mixed_bfloat16")


def prepare(folder: Path, rows: int, channels: int, epochs: int) -> None:
    """Run everything before the Trainer, and write the Trainer's command for each precision."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from gpu_trainer import FEATURES, LABEL

    from penstock import Pipeline
    from penstock.components import ParquetExampleGen, SchemaGen, StatisticsGen, Trainer
    from penstock.graph import compile_pipeline
    from penstock.runners.kubeflow import compile_to_yaml
    from penstock.testing.kubeflow import CompiledPipeline, Processes

    draws = np.random.default_rng(0).normal(size=(rows, len(FEATURES))).astype(np.float32)
    columns: dict[str, Any] = {name: draws[:, index] for index, name in enumerate(FEATURES)}
    columns[LABEL] = (draws.sum(axis=1) + draws[:, 0] * draws[:, 1] > 0).astype(np.int64)
    (folder / "table").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), folder / "table" / "rows.parquet")

    for precision in PRECISIONS:
        ingested = ParquetExampleGen(input_base=str(folder / "table"), output_file_format="parquet")
        described = StatisticsGen(examples=ingested.outputs["examples"])
        typed = SchemaGen(statistics=described.outputs["statistics"])
        trainer = Trainer(
            examples=ingested.outputs["examples"],
            schema=typed.outputs["schema"],
            module_file="benchmarks/gpu_trainer.py",
            backend="jax",
            precision=precision,
            custom_config={"channels": channels, "epochs": epochs},
        )
        pipeline = Pipeline(
            f"gpu_{precision}",
            components=[ingested, described, typed, trainer],
        )
        compiled = CompiledPipeline(
            compile_to_yaml(compile_pipeline(pipeline)), folder / "kubeflow", Processes(HERE)
        )
        values = compiled.values({"pipeline_root": str(folder / "root" / precision)})
        tasks, outputs = compiled.spec.root.dag.tasks, {}
        for name in _in_order(tasks):
            prepared = compiled.prepare(name, precision, values, outputs)
            if prepared.node == "Trainer":
                write_command(folder, precision, prepared.call)
                break
            code, printed = Processes(HERE).run(prepared.call)
            if code:
                raise SystemExit(printed)
            outputs[name] = prepared.outputs()


def _in_order(tasks: Any) -> list[str]:
    names: list[str] = []
    while len(names) < len(tasks):
        names += [
            each
            for each in sorted(tasks)
            if each not in names and set(tasks[each].dependent_tasks) <= set(names)
        ]
    return names


def write_command(folder: Path, precision: str, call: Any) -> None:
    """Keep a container's command and environment."""
    told = {"command": list(call.command), "environment": dict(call.environment)}
    (folder / f"{precision}.json").write_text(json.dumps(told), encoding="utf-8")


def run_trainer(folder: Path, precision: str, clock: Path) -> list[float]:
    """Run the Trainer's container's command; return the milliseconds of a step in each epoch."""
    told = json.loads((folder / f"{precision}.json").read_text(encoding="utf-8"))
    command: Sequence[str] = [sys.executable, *told["command"][1:]]
    _run(command, {**told["environment"], "EPOCH_CLOCK": str(clock)}, folder / "trainer.log")
    return _read(clock)


def run_plain(folder: Path, precision: str, clock: Path) -> list[float]:
    """Train the same model on the same rows by `Model.fit`, in a process of its own."""
    command = [sys.executable, __file__, "plain", "--folder", str(folder), "--precision", precision]
    _run(command, {"KERAS_BACKEND": "jax", "EPOCH_CLOCK": str(clock)}, folder / "plain.log")
    return _read(clock)


def _run(command: Sequence[str], environment: dict[str, str], log: Path) -> None:
    with log.open("w", encoding="utf-8") as file:
        ended = subprocess.run(
            command,
            cwd=HERE,
            env={**os.environ, **environment},
            stdout=file,
            stderr=file,
            check=False,
        )
    if ended.returncode:
        raise SystemExit(f"{command[:3]} ended with {ended.returncode}:\n{log.read_text()[-4000:]}")


def _read(clock: Path) -> list[float]:
    epochs: list[float] = json.loads(clock.read_text(encoding="utf-8"))
    clock.unlink()
    return epochs


def plain(folder: Path, precision: str) -> None:
    """Train in this process, which `run_plain` starts."""
    import keras
    import numpy as np
    import pyarrow.parquet as pq
    from gpu_trainer import BATCH, FEATURES, LABEL, EpochClock, build_model

    told = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    keras.config.set_dtype_policy(precision)
    table = pq.read_table(folder / "table" / "rows.parquet")
    rows = table.num_rows // BATCH * BATCH
    inputs = {name: np.asarray(table[name])[:rows, None] for name in FEATURES}
    labels = np.asarray(table[LABEL])[:rows, None]
    model = build_model(told["channels"])
    model.fit(
        inputs, labels, batch_size=BATCH, epochs=told["epochs"], verbose=0, callbacks=[EpochClock()]
    )


def measure(folder: Path, precision: str, rounds: int) -> dict[str, Any]:
    """Return the milliseconds of a step of both, and their ratio."""
    found: dict[str, list[float]] = {"plain": [], "trainer": []}
    for _ in range(rounds):
        found["plain"] += run_plain(folder, precision, folder / "clock.json")[1:]
        found["trainer"] += run_trainer(folder, precision, folder / "clock.json")[1:]
    steps = {name: statistics.median(each) for name, each in found.items()}
    return {
        "precision": precision,
        "plain_ms": round(steps["plain"], 3),
        "trainer_ms": round(steps["trainer"], 3),
        "ratio": round(steps["trainer"] / steps["plain"], 4),
        "epochs": {name: [round(each, 3) for each in values] for name, values in found.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["prepare", "measure", "plain"])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--channels", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="one JSON object alone")
    given = parser.parse_args()
    if given.what == "prepare":
        sys.path.insert(0, str(HERE))
        prepare(given.folder, given.rows, given.channels, given.epochs)
        told = {"channels": given.channels, "epochs": given.epochs}
        (given.folder / "model.json").write_text(json.dumps(told), encoding="utf-8")
    elif given.what == "plain":
        plain(given.folder, given.precision)
    else:
        found = measure(given.folder, given.precision, given.rounds)
        print(
            json.dumps(found)
            if given.json
            else f"a step of {found['precision']}: plain Keras "
            f"{found['plain_ms']} ms, Trainer {found['trainer_ms']} ms, ratio {found['ratio']}"
        )


if __name__ == "__main__":
    main()
