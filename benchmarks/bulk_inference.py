"""How fast the BulkInferrer infers, beside nothing but the predictions.

The model and the rows of `evaluation.py`. Each is timed in a process of its own, after its imports:
`predict` reads the files and calls the model's signature batch by batch and does nothing else; `logs` is
`penstock.bulk_inference.infer`, which writes a PredictionLog for each row; `examples` and `parquet` write
the rows with their predictions, as gzip TFRecords and as Parquet. The fastest run of each counts: some
bare passes take two seconds more without more work, and a median of turns would flatter us.

    python benchmarks/bulk_inference.py --rows 1000000 --csv FILE [--repeat 3] [--json]
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
STAGES = ("predict", "logs", "examples", "parquet")


def inferred(places: dict[str, Any], what: str) -> float:
    """Infer all rows."""
    import tensorflow as tf

    from penstock.bulk_inference import (
        InferencePlan,
        OutputColumnsSpec,
        OutputExampleSpec,
        PredictOutput,
        PredictOutputCol,
        infer,
    )
    from penstock.io import ExamplesSplit
    from penstock.serving import inspect_saved_model

    del tf
    keys = inspect_saved_model(places["model"]).inputs["serving_default"].outputs
    columns = PredictOutput([PredictOutputCol(key, f"predicted_{key}") for key in keys])
    plan = InferencePlan(
        places["model"],
        output=None
        if what == "logs"
        else OutputExampleSpec([OutputColumnsSpec(predict_output=columns)]),
        file_format="parquet" if what == "parquet" else "tfrecords_gzip",
    )
    splits = [ExamplesSplit("eval", places["all"])]
    with tempfile.TemporaryDirectory() as output:
        started = time.perf_counter()
        rows = infer(splits, plan, output)
        seconds = time.perf_counter() - started
    print(rows, file=sys.stderr)
    return seconds


def measure(what: str, root: Path) -> dict[str, float]:
    """Time one of them in this process."""
    places = json.loads((root / "places.json").read_text())
    if what == "predict":
        from evaluation import predict

        seconds = predict(places, places["all"])
    else:
        seconds = inferred(places, what)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "seconds": seconds,
        "cpu_seconds": sum(each.ru_utime + each.ru_stime for each in used),
        "peak_rss_mb": used[0].ru_maxrss / 1024,
    }


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
    parser.add_argument("--only", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        if options.stage == "prepare":
            from evaluation import prepare

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
        for _ in range(options.repeat):
            for name in options.only:
                found.setdefault(name, []).append(child("--stage", name, "--folder", str(root)))
                print(name, found[name][-1], file=sys.stderr, flush=True)
    report(found, options)


def report(found: dict[str, list[dict[str, float]]], options: argparse.Namespace) -> None:
    """Print the fastest runs and their ratios."""
    figures: dict[str, float] = {"rows": options.rows}
    for name, runs in found.items():
        figures[f"{name}_seconds"] = round(min(run["seconds"] for run in runs), 3)
        figures[f"{name}_peak_rss_mb"] = round(max(run["peak_rss_mb"] for run in runs))
    for name in found:
        if name != "predict" and "predict" in found:
            share = figures["predict_seconds"] / figures[f"{name}_seconds"]
            figures[f"{name}_share_of_predict"] = round(share, 2)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:32} {value}")


if __name__ == "__main__":
    main()
