"""How long the Evaluator takes, beside TFMA and beside nothing but the predictions.

The deep model of TFX's taxi example with its transform graph, trained for a moment; raw taxi rows in gzip
TFRecords; AUC, accuracy, counts and a calibration plot over all rows and by three features. Each is timed
in a process of its own, after its imports: `native` is `penstock.evaluation.evaluate` with the files that
it writes, `predict` reads the same files and calls the model's signature batch by batch and does nothing
else, `tfma` is `tfma.run_model_analysis` with the same EvalConfig on the first rows.

    python benchmarks/evaluation.py --rows 1000000 --csv FILE [--repeat 3] [--only native predict] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
TFMA_ROWS = FEW_ROWS = 20_000
PREDICT_BATCH = 8_192
TRAIN_STEPS = 200
SLICES = ("trip_start_hour", "trip_start_day", "payment_type")
CONFIG = {
    "model_specs": [
        {"label_key": "tips_xf", "preprocessing_function_names": ["transform_features"]}
    ],
    "slicing_specs": [{}, *({"feature_keys": [name]} for name in SLICES)],
    "metrics_specs": [
        {
            "metrics": [
                {"class_name": name}
                for name in ("ExampleCount", "AUC", "BinaryAccuracy", "CalibrationPlot")
            ]
        }
    ],
}


def prepare(csv: Path, rows: int, root: Path) -> None:
    """Write the examples, the schema and the model."""
    from data_plane import repeat_rows

    from penstock.components import CsvExampleGen, SchemaGen, StatisticsGen, Trainer, Transform
    from penstock.io import Output, Split, SplitConfig
    from penstock.testing import run_component
    from penstock.training import EvalArgs, TrainArgs

    def run(component: Any, name: str) -> Any:
        return run_component(component, root / name, project_root=HERE)

    def ingest(count: int, name: str, output: Output | None = None) -> Any:
        (root / name / "data").mkdir(parents=True, exist_ok=True)
        repeat_rows(csv, count, root / name / "data" / "data.csv")
        made = CsvExampleGen(input_base=str(root / name / "data"), output_config=output)
        return run(made, name)["examples"]

    examples = ingest(FEW_ROWS, "model")
    found = run(StatisticsGen(examples=examples), "model")
    schema = run(SchemaGen(statistics=found["statistics"]), "model")["schema"]
    transformed = run(
        Transform(
            examples=examples,
            schema=schema,
            module_file="taxi_preprocessing.py",
            disable_statistics=True,
            disable_analyzer_cache=True,
        ),
        "model",
    )
    trained = run(
        Trainer(
            examples=transformed["transformed_examples"],
            transform_graph=transformed["transform_graph"],
            module_file="taxi_trainer.py",
            train_args=TrainArgs(num_steps=TRAIN_STEPS),
            eval_args=EvalArgs(num_steps=1),
        ),
        "model",
    )

    def files(count: int, name: str) -> list[str]:
        evaluated = ingest(count, name, Output(SplitConfig([Split("eval", hash_buckets=1)])))
        return sorted(map(str, Path(evaluated.uri, "Split-eval").iterdir()))

    places = {
        "model": trained["model"].eval_uri,
        "schema": schema.file,
        "few": files(FEW_ROWS, "few"),
        "all": files(rows, "all"),
    }
    (root / "places.json").write_text(json.dumps(places))


def native(places: dict[str, Any], files: list[str], output: str) -> float:
    """Evaluate and write the result."""
    import tensorflow as tf  # noqa: F401

    from penstock.data_validation import load_schema_text
    from penstock.evaluation import evaluate, write_evaluation

    schema = load_schema_text(places["schema"])
    started = time.perf_counter()
    evaluation = evaluate(files, model=places["model"], eval_config=CONFIG, schema=schema)
    write_evaluation(evaluation, output)
    seconds = time.perf_counter() - started
    print(evaluation.seconds, evaluation.metrics(), file=sys.stderr)
    return seconds


def predict(places: dict[str, Any], files: list[str]) -> float:
    """Read the files and call the model's signature, batch by batch."""
    import tensorflow as tf

    started = time.perf_counter()
    signature = tf.saved_model.load(places["model"]).signatures["serving_default"]
    for batch in tf.data.TFRecordDataset(files, "GZIP").batch(PREDICT_BATCH).prefetch(2):
        for value in signature(batch).values():
            value.numpy()
    return time.perf_counter() - started


def tfma(places: dict[str, Any], files: list[str], output: str) -> float:
    """Evaluate with TFMA."""
    import warnings

    warnings.simplefilter("ignore")
    from apache_beam.options.pipeline_options import PipelineOptions
    from google.protobuf import json_format
    from tensorflow_model_analysis.api import model_eval_lib
    from tensorflow_model_analysis.proto import config_pb2

    config = json_format.ParseDict(CONFIG, config_pb2.EvalConfig())
    started = time.perf_counter()
    model_eval_lib.run_model_analysis(
        eval_shared_model=model_eval_lib.default_eval_shared_model(
            places["model"], eval_config=config
        ),
        eval_config=config,
        data_location=str(Path(files[0]).parent / "*"),
        output_path=output,
        pipeline_options=PipelineOptions(["--runner=FnApiRunner"]),
    )
    return time.perf_counter() - started


def measure(what: str, root: Path) -> dict[str, float]:
    """Time one of them in this process."""
    places = json.loads((root / "places.json").read_text())
    name, _, which = what.partition("-")
    files = places[which or "all"]
    with tempfile.TemporaryDirectory() as output:
        if name == "native":
            seconds = native(places, files, output)
        elif name == "predict":
            seconds = predict(places, files)
        else:
            seconds = tfma(places, files, output)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    return {"seconds": seconds, "cpu_with_imports": cpu, "peak_rss_mb": used.ru_maxrss / 1024}


def child(*arguments: str) -> dict[str, float]:
    """Run this file in a process of its own and return what it prints last."""
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    found: dict[str, float] = json.loads((done.stdout.strip() or "{}").splitlines()[-1])
    return found


def main() -> None:
    """Prepare the data, time each in turn, and print the fastest."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--csv", type=Path, help="TFX's taxi data, data.csv")
    parser.add_argument("--folder", type=Path, help="where to prepare, or what was prepared before")
    parser.add_argument("--repeat", type=int, default=3)
    names = ("native", "predict", "native-few", "tfma-few")
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        if options.stage == "prepare":
            prepare(options.csv, options.rows, options.folder)
        else:
            print(json.dumps(measure(options.stage, options.folder)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        root = (options.folder or Path(scratch)).resolve()
        if not (root / "places.json").exists():
            if options.csv is None:
                parser.error("name TFX's taxi data with --csv")
            csv = str(options.csv.resolve())
            child(
                "--stage",
                "prepare",
                "--csv",
                csv,
                "--folder",
                str(root),
                "--rows",
                str(options.rows),
            )
        found: dict[str, list[dict[str, float]]] = {}
        for turn in range(options.repeat):
            for name in options.only:
                if name != "tfma-few" or turn == 0:
                    found.setdefault(name, []).append(child("--stage", name, "--folder", str(root)))
                    print(name, found[name][-1], file=sys.stderr, flush=True)
    report(found, options)


def report(found: dict[str, list[dict[str, float]]], options: argparse.Namespace) -> None:
    """Print the fastest runs and their ratios."""
    keys = {
        "native": "native_seconds",
        "predict": "predict_seconds",
        "native-few": "native_seconds_of_20000_rows",
        "tfma-few": "tfma_seconds",
    }
    figures: dict[str, float] = {"rows": options.rows}
    for name, runs in found.items():
        figures[keys[name]] = round(min(run["seconds"] for run in runs), 3)
    if "native" in found:
        figures["peak_rss_mb"] = round(max(run["peak_rss_mb"] for run in found["native"]))
    if {"native", "predict"} <= set(found):
        # Of the fastest: some bare passes take two seconds more without more work, which would flatter us.
        over = figures["native_seconds"] / figures["predict_seconds"]
        figures["native_over_predict"] = round(over, 2)
    if {"native", "tfma-few"} <= set(found):
        rate = options.rows / figures["native_seconds"]
        figures["throughput_over_tfma"] = round(rate * figures["tfma_seconds"] / TFMA_ROWS, 1)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:32} {value}")


if __name__ == "__main__":
    main()
