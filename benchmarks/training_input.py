"""How much of the step rate on tensors in memory is left when batches come from files.

Transformed taxi rows, batches of 512 and the deep model of TFX's taxi example. The same compiled step of
Keras runs on 64 batches that lie in memory as tensors, again and again, and on the batches of
`fn_args.dataset(...)`, in turn in one process; a share is the median of the rounds. A first epoch begins
with nothing read, and has the time until its first batch in it; later ones are taken in stretches of 100
steps. From gzip TFRecords a step waits 10 ms instead of computing.

    python benchmarks/training_input.py --rows 500000 --csv FILE [--only NAME ...] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
BATCH = 512
LABEL = "tips_xf"
EMBEDDED = {"payment_type_xf": 1_010, "company_xf": 1_010}
EMBEDDED |= {
    f"{end}_{axis}_xf": 11 for end in ("pickup", "dropoff") for axis in ("latitude", "longitude")
}
EMBEDDED |= {"trip_start_hour_xf": 25, "trip_start_day_xf": 8, "trip_start_month_xf": 13}
HASHED = tuple(
    f"{end}_{area}_xf"
    for end in ("pickup", "dropoff")
    for area in ("census_tract", "community_area")
)
NUMBERS = ("trip_miles_xf", "fare_xf", "trip_seconds_xf")
WAIT = 0.010
BATCHES_IN_MEMORY = 64
FIRST_EPOCHS = 5
SEGMENT = 100
LATER_SEGMENTS = 25


def prepare(csv: Path, rows: int, root: Path) -> None:
    """Write the transformed examples, as Parquet and as gzip TFRecords."""
    from data_plane import repeat_rows

    from penstock.components import CsvExampleGen, SchemaGen, StatisticsGen, Transform
    from penstock.io import ExamplesSplit, ExamplesWriter
    from penstock.testing import run_component

    (root / "data").mkdir(parents=True, exist_ok=True)
    repeat_rows(csv, rows, root / "data" / "data.csv")

    def run(component: Any) -> Any:
        return run_component(component, root, project_root=HERE)

    examples = run(CsvExampleGen(input_base=str(root / "data"), output_file_format="parquet"))
    found = run(StatisticsGen(examples=examples["examples"]))
    schema = run(SchemaGen(statistics=found["statistics"]))
    transformed = run(
        Transform(
            examples=examples["examples"],
            schema=schema["schema"],
            module_file="taxi_preprocessing.py",
            output_file_format="parquet",
            disable_statistics=True,
            disable_analyzer_cache=True,
        )
    )
    shutil.move(transformed["transformed_examples"].uri, root / "parquet")
    shutil.move(transformed["transform_graph"].uri, root / "graph")
    artifact = transformed["transformed_examples"]
    artifact.uri = str(root / "parquet")
    with ExamplesWriter(str(root / "tfrecords_gzip"), artifact.splits, missing="absent") as writer:
        for split in ExamplesSplit.all_of(artifact):
            for batch in split.batches():
                writer.write(split.name, batch)


def arguments(root: Path, file_format: str) -> Any:
    """Return what a Trainer on these examples would give to `run_fn`."""
    from penstock.training import FnArgs

    return FnArgs(
        train_files=[f"{root}/{file_format}/Split-train/*"],
        eval_files=[f"{root}/{file_format}/Split-eval/*"],
        transform_graph_path=str(root / "graph"),
        file_format=file_format,
    )


def taxi_model() -> Any:
    """Return a compiled model like the deep part of TFX's taxi example."""
    import keras

    inputs = {
        name: keras.Input((1,), name=name, dtype="float32" if name in NUMBERS else "int64")
        for name in (*NUMBERS, *EMBEDDED, *HASHED)
    }
    parts = [inputs[name] for name in NUMBERS]
    for name in (*EMBEDDED, *HASHED):
        size = EMBEDDED.get(name, 1_000)
        index = inputs[name] if name in EMBEDDED else keras.ops.mod(inputs[name], size)
        parts.append(keras.layers.Flatten()(keras.layers.Embedding(size, 8)(index)))
    hidden = keras.layers.Concatenate()(parts)
    for units in (100, 70, 48, 34):
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(hidden))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


class TensorFlowSteps:
    """Keras's compiled train step on TensorFlow."""

    def __init__(self, some: list[Any]) -> None:
        import tensorflow as tf

        self._model = taxi_model()
        self._model.make_train_function()
        stack = tf.nest.map_structure(lambda *each: tf.stack(each), *some)
        self._memory = tf.data.Dataset.from_tensor_slices(stack).repeat()

    def in_memory(self) -> Iterator[Any]:
        """Return the batches in memory without end."""
        return iter(self._memory)

    def of(self, batches: Any, first_epoch: int = 0) -> Iterator[Any]:
        """Return batches without end."""
        return iter(batches.repeat().as_tf_dataset(first_epoch))

    def run(self, elements: Iterator[Any], steps: int) -> None:
        """Run steps."""
        train = self._model.train_function
        for _ in range(steps):
            logs = train(elements)
        float(logs["loss"])


class JaxSteps:
    """Keras's `fit` on JAX: its compiled step with the loop around it."""

    def __init__(self, some: list[Any]) -> None:
        self._model = taxi_model()
        self._some = some

    def in_memory(self) -> Iterator[Any]:
        """Return the batches in memory without end."""
        import jax

        return (element for element in itertools.cycle(jax.device_put(self._some)))

    def of(self, batches: Any, first_epoch: int = 0) -> Iterator[Any]:
        """Return batches without end."""
        return (
            element for number in itertools.count(first_epoch) for element in batches.epoch(number)
        )

    def run(self, elements: Iterator[Any], steps: int) -> None:
        """Run steps."""
        self._model.fit(elements, steps_per_epoch=steps, verbose=0, shuffle=False)


class WaitingSteps(JaxSteps):
    """Steps that wait as for a device."""

    def __init__(self, some: list[Any]) -> None:
        self._some = some

    def in_memory(self) -> Iterator[Any]:
        """Return the batches in memory without end."""
        return itertools.cycle(self._some)

    def run(self, elements: Iterator[Any], steps: int) -> None:
        """Run steps."""
        for _ in range(steps):
            next(elements)
            time.sleep(WAIT)


class WaitingTensorFlowSteps(WaitingSteps):
    """The same with the batches of a `tf.data.Dataset`."""

    def of(self, batches: Any, first_epoch: int = 0) -> Iterator[Any]:
        """Return batches without end."""
        return iter(batches.repeat().as_tf_dataset(first_epoch))


class Timed:
    """Seconds and processor seconds of some steps."""

    def __init__(self, work: Callable[[], Any]) -> None:
        processor, started = time.process_time(), time.perf_counter()
        self.result = work()
        self.seconds = time.perf_counter() - started
        self.processor_seconds = time.process_time() - processor


def shares(
    root: Path, file_format: str, steps_of: Callable[[Any], Any], most: int
) -> dict[str, Any]:
    """Return the share of the step rate in memory, in a first epoch and in later ones."""
    fn_args = arguments(root, file_format)

    def dataset() -> Any:
        return fn_args.dataset("train", batch_size=BATCH, label_key=LABEL, drop_remainder=True)

    batches = dataset()
    epoch = batches.steps_per_epoch
    steps = min(most, epoch)
    kind = steps_of(list(itertools.islice(batches.epoch(0), BATCHES_IN_MEMORY)))
    memory = kind.in_memory()
    kind.run(memory, 50)
    elements = kind.of(batches)
    kind.run(elements, 50)  # compiled
    first, seconds = [], []
    before = Timed(lambda: kind.run(memory, steps))
    for _ in range(FIRST_EPOCHS):

        def begin() -> Any:
            elements = kind.of(dataset())
            kind.run(elements, steps)
            return elements

        one = Timed(begin)
        after = Timed(lambda: kind.run(memory, steps))
        first.append((before.seconds + after.seconds) / 2 / one.seconds)
        before = after
    for _ in batches.epoch(0):  # all is in memory now
        pass
    elements = kind.of(batches, 1)
    kind.run(elements, SEGMENT)
    later, processor = [], []
    for _ in range(LATER_SEGMENTS):
        before = Timed(lambda: kind.run(memory, SEGMENT))
        ours = Timed(lambda: kind.run(elements, SEGMENT))
        after = Timed(lambda: kind.run(memory, SEGMENT))
        later.append((before.seconds + after.seconds) / 2 / ours.seconds)
        both = before.processor_seconds + after.processor_seconds
        processor.append(both / 2 / ours.processor_seconds)
        seconds += [before.seconds, after.seconds]
    return {
        "steps_an_epoch": epoch,
        "milliseconds_a_step_in_memory": round(1000 * statistics.median(seconds) / SEGMENT, 3),
        "first_epoch": round(statistics.median(first), 3),
        "later_epochs": round(statistics.median(later), 3),
        "later_epochs_by_processor_time": round(statistics.median(processor), 3),
        "first_epoch_rounds": [round(each, 3) for each in sorted(first)],
        "later_epochs_quartiles": [round(each, 3) for each in statistics.quantiles(later)],
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


STAGES: dict[str, tuple[str, Callable[[Any], Any], int]] = {
    "tensorflow/parquet": ("parquet", TensorFlowSteps, 1_000_000),
    "jax/parquet": ("parquet", JaxSteps, 1_000_000),
    "wait/tfrecords_gzip": ("tfrecords_gzip", WaitingSteps, 500),
    "wait/tfrecords_gzip/tf.data": ("tfrecords_gzip", WaitingTensorFlowSteps, 500),
}


def measure(root: Path, stage: str) -> dict[str, Any]:
    """Measure a stage in a process of its own."""
    import subprocess

    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--stage", stage, "--root", str(root)],
        capture_output=True,
        text=True,
        env=os.environ
        | {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "jax" if "jax" in stage else "tensorflow"},
    )
    if done.returncode:
        sys.exit(f"{stage} failed:\n{done.stdout}{done.stderr}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--csv", type=Path, help="rows to repeat, with the columns of TFX's taxis")
    parser.add_argument("--only", nargs="+", choices=list(STAGES))
    parser.add_argument("--root", type=Path, help="keep the examples here, or take those there")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stage", choices=list(STAGES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        print(json.dumps(shares(options.root, *STAGES[options.stage])))
        return
    root = options.root or Path(tempfile.mkdtemp(prefix="training-input-"))
    try:
        if not (root / "tfrecords_gzip").is_dir():
            if options.csv is None or not options.csv.is_file():
                missing = f"there is no file {options.csv}" if options.csv else "--csv is missing"
                parser.error(
                    f"{missing}: give the taxi trips of TFX's repository, "
                    "tfx/examples/chicago_taxi_pipeline/data/simple/data.csv, which Penstock does not ship"
                )
            prepare(options.csv, options.rows, root)
        figures: dict[str, Any] = {}
        for stage in options.only or list(STAGES):
            figures[stage] = measure(root, stage)
            # A stage takes minutes: a run that is cut off has said what it measured.
            out = sys.stderr if options.json else sys.stdout
            print(stage, figures[stage], file=out, flush=True)
    finally:
        if options.root is None:
            shutil.rmtree(root)
    figures["machine"] = {"cpus": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0]}
    print(json.dumps(figures if options.json else figures["machine"]))


if __name__ == "__main__":
    main()
