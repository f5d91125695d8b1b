"""What the data components take on taxi rows, beside TFX's figures and the limit of the libraries.

Every component runs in a process of its own, as `penstock.testing.run_component` runs it. `seconds`
leave out its imports, as TFX's figures do and as in a worker that has run a component before;
`process_seconds` are all. A limit is what the libraries beneath need for the unavoidable part of the
work, on one core in a process of its own, right after the component. TFX 1.21's figures are for
1,000,000 rows on two cores. `--one-core` runs every component pinned to a core as well, and says how
many times faster two processes are. `--columns` takes made-up rows of so many columns (integers,
floats and words in turn) instead of taxis, for ingestion and statistics.

    python benchmarks/data_plane.py --rows 1000000 --csv FILE [--only NAME ...] [--json] [--one-core]
    python benchmarks/data_plane.py --rows 10000 --columns 5000
"""

from __future__ import annotations

import argparse
import functools
import gzip
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TFX_ROWS = 1_000_000
TFX_SECONDS = {
    "CsvExampleGen": 154.3,
    "StatisticsGen": 35.5,
    "StatisticsGen/parquet": 35.5,
    "StatisticsGen/csv": 35.5,
    "SchemaGen": 0.05,
    "ExampleValidator": 0.06,
    "Transform": 119.7,
}
THE_FIVE = ("CsvExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "Transform")
COLUMN_STAGES = ("CsvExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator")
# Imported beforehand, as they are in a worker that has run an earlier component.
WARM_IMPORTS = (
    "penstock.testing.components",
    "penstock.data_validation.statistics_validator",
    "penstock.data_validation.statistics.shards",
    "penstock.io.ingestion.write_examples",
)
_GZIP_LEVEL = 1


def repeat_rows(source: Path, rows: int, target: Path) -> None:
    """Write the header of a CSV file and its rows, over and over, until there are `rows`."""
    header, *lines = source.read_bytes().splitlines(keepends=True)
    with target.open("wb") as file:
        file.write(header)
        for start in range(0, rows, len(lines)):
            file.writelines(lines[: rows - start])


def write_columns(columns: int, rows: int, target: Path) -> None:
    """Write rows of integers, floats and words in turn, a thousand rows at a time."""
    import numpy as np

    random = np.random.default_rng(0)
    with target.open("w") as file:
        print(*(f"c{column}" for column in range(columns)), sep=",", file=file)
        for start in range(0, rows, 1_000):
            count = min(1_000, rows - start)
            parts = [
                random.integers(0, 1_000, (count, columns)).astype(str),
                random.random((count, columns)).round(4).astype(str),
                np.array(list("abcdefgh"))[random.integers(0, 8, (count, columns))],
            ]
            for row in range(count):
                cells = [parts[column % 3][row, column] for column in range(columns)]
                print(*cells, sep=",", file=file)


class Stages:
    """The components, each reading what the ones before it have written below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _run(self, component: Any, folder: str) -> dict[str, Any]:
        from penstock.testing import run_component

        return run_component(component, self._root / folder, project_root=HERE)

    def _artifact(self, kind: str, place: str) -> Any:
        import penstock.artifacts

        artifact = getattr(penstock.artifacts, kind)(str(self._root / place / "1"))
        if kind in ("Examples", "ExampleStatistics"):
            artifact.splits = ["train", "eval"]
        if kind == "Examples":
            parquet = "parquet" in place
            artifact.custom_properties["file_format"] = "parquet" if parquet else "tfrecords_gzip"
        return artifact

    def csv_example_gen(self, file_format: str = "tfrecords_gzip") -> Callable[[], Any]:
        from penstock.components import CsvExampleGen

        component = CsvExampleGen(
            input_base=str(self._root / "data"), output_file_format=file_format
        )
        return lambda: self._run(component, file_format)

    def statistics_gen(self, file_format: str = "tfrecords_gzip") -> Callable[[], Any]:
        from penstock.components import StatisticsGen

        examples = self._artifact("Examples", f"{file_format}/CsvExampleGen/examples")
        return lambda: self._run(StatisticsGen(examples=examples), file_format)

    def statistics_of_csv(self) -> Callable[[], Any]:
        from penstock.data_validation import generate_statistics_from_csv

        return lambda: generate_statistics_from_csv(str(self._root / "data" / "*.csv"))

    def _statistics(self) -> Any:
        return self._artifact("ExampleStatistics", "tfrecords_gzip/StatisticsGen/statistics")

    def _schema(self) -> Any:
        return self._artifact("Schema", "tfrecords_gzip/SchemaGen/schema")

    def schema_gen(self) -> Callable[[], Any]:
        from penstock.components import SchemaGen

        component = SchemaGen(statistics=self._statistics())
        return lambda: self._run(component, "tfrecords_gzip")

    def example_validator(self) -> Callable[[], Any]:
        from penstock.components import ExampleValidator

        component = ExampleValidator(statistics=self._statistics(), schema=self._schema())
        return lambda: self._run(component, "tfrecords_gzip")

    def transform(self) -> Callable[[], Any]:
        from penstock.components import Transform

        examples = self._artifact("Examples", "tfrecords_gzip/CsvExampleGen/examples")
        component = Transform(
            examples=examples, schema=self._schema(), module_file="taxi_preprocessing.py"
        )
        for name in Transform.WARM_IMPORTS:  # as a worker has them by the time Transform starts
            _import(name)
        return lambda: self._run(component, "tfrecords_gzip")

    def read_encode_compress(self) -> Callable[[], Any]:
        """Arrow's CSV reader, tfx-bsl's encoder and zlib."""
        import zlib

        import numpy as np
        import pyarrow as pa
        import pyarrow.csv
        from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

        (file,) = (self._root / "data").glob("*.csv")

        def lists(column: Any) -> Any:
            offsets = np.concatenate([[0], np.cumsum(column.is_valid().to_numpy(False))])
            return pa.ListArray.from_arrays(offsets.astype("int32"), column.drop_null())

        def work() -> None:
            with pyarrow.csv.open_csv(
                file, pyarrow.csv.ReadOptions(use_threads=False, block_size=4 << 20)
            ) as reader:
                strings = {pa.string(): pa.binary(), pa.float64(): pa.float32()}
                for batch in reader:
                    columns = [
                        lists(column.cast(strings.get(column.type, column.type)))
                        for column in batch.columns
                    ]
                    names = batch.schema.names
                    records = RecordBatchToExamplesEncoder().encode(
                        pa.RecordBatch.from_arrays(columns, names)
                    )
                    zlib.compress(b"".join(records), _GZIP_LEVEL)

        return work

    def _split_files(self, file_format: str) -> list[Path]:
        folder = self._root / file_format / "CsvExampleGen" / "examples" / "1"
        return sorted(folder.glob("Split-*/*"))

    def decode(self, encode: bool = False) -> Callable[[], Any]:
        """zlib and tfx-bsl's decoder; with `encode` also its encoder and zlib again."""
        import zlib

        from tfx_bsl.coders.example_coder import (
            ExamplesToRecordBatchDecoder,
            RecordBatchToExamplesEncoder,
        )

        def work() -> None:
            decoder, encoder = ExamplesToRecordBatchDecoder(), RecordBatchToExamplesEncoder()
            for path in self._split_files("tfrecords_gzip"):
                for records in _records(path, 10_000):
                    batch = decoder.DecodeBatch(records)
                    if encode:
                        zlib.compress(b"".join(encoder.encode(batch)), _GZIP_LEVEL)

        return work

    def read_parquet(self) -> Callable[[], Any]:
        """Arrow's Parquet reader."""
        import pyarrow.parquet as pq

        def work() -> None:
            for path in self._split_files("parquet"):
                for _ in pq.ParquetFile(path).iter_batches(10_000, use_threads=False):
                    pass

        return work

    def read_csv(self) -> Callable[[], Any]:
        """Arrow's CSV reader."""
        import pyarrow.csv

        (file,) = (self._root / "data").glob("*.csv")
        options = pyarrow.csv.ReadOptions(use_threads=False)
        return lambda: pyarrow.csv.read_csv(file, options)

    def parse_statistics(self) -> Callable[[], Any]:
        """Parse the serialized statistics."""
        from tensorflow_metadata.proto.v0 import statistics_pb2

        files = list(Path(self._statistics().uri).glob("Split-*/FeatureStats.pb"))
        parse = statistics_pb2.DatasetFeatureStatisticsList.FromString
        return lambda: [parse(path.read_bytes()) for path in files]


def _import(name: str) -> None:
    import importlib

    module, _, function = name.partition(":")
    loaded = importlib.import_module(module)
    if function:
        getattr(loaded, function)()


def _records(path: Path, size: int) -> Any:
    """Yield lists of a TFRecord file's records, without looking at checksums."""
    records: list[bytes] = []
    with gzip.open(path) as file:
        while header := file.read(12):
            length = int.from_bytes(header[:8], "little")
            records.append(file.read(length + 4)[:length])
            if len(records) == size:
                yield records
                records = []
    if records:
        yield records


# Name of a measurement: what makes the component, what makes its limit.
STAGES: dict[str, tuple[Callable[[Stages], Any], Callable[[Stages], Any]]] = {
    "CsvExampleGen": (Stages.csv_example_gen, Stages.read_encode_compress),
    "CsvExampleGen/parquet": (
        functools.partial(Stages.csv_example_gen, file_format="parquet"),
        Stages.read_csv,
    ),
    "StatisticsGen": (Stages.statistics_gen, Stages.decode),
    "StatisticsGen/parquet": (
        functools.partial(Stages.statistics_gen, file_format="parquet"),
        Stages.read_parquet,
    ),
    "StatisticsGen/csv": (Stages.statistics_of_csv, Stages.read_csv),
    "SchemaGen": (Stages.schema_gen, Stages.parse_statistics),
    "ExampleValidator": (Stages.example_validator, Stages.parse_statistics),
    "Transform": (Stages.transform, functools.partial(Stages.decode, encode=True)),
}


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _peak_rss_mb() -> float:
    """Return the peak of the largest of this process and its children."""
    status = Path("/proc/self/status").read_text()
    own = int(status.split("VmHWM:")[1].split()[0])
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def measure_here(root: Path, stage: str, limit: bool) -> dict[str, float]:
    """Run one stage in this process, with the imports made beforehand."""
    for name in WARM_IMPORTS:
        _import(name)
    work = STAGES[stage][limit](Stages(root))
    started, cpu = time.perf_counter(), _cpu_seconds()
    work()
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": _cpu_seconds() - cpu,
        "peak_rss_mb": _peak_rss_mb(),
    }


def measure(
    root: Path, stage: str, *, limit: bool = False, pinned: bool = False
) -> dict[str, float]:
    """Run one stage in a process of its own, which also gives `process_seconds`."""
    command = [sys.executable, str(Path(__file__).resolve()), "--stage", stage, "--root", str(root)]
    if pinned:
        command = ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0))), *command]
    started = time.perf_counter()
    done = subprocess.run(
        command + ["--limit"] * limit,
        capture_output=True,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    if done.returncode:
        sys.exit(f"{stage} failed:\n{done.stdout}{done.stderr}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures | {"process_seconds": time.perf_counter() - started}


def figures_of(root: Path, stage: str, rows: int, one_core: bool) -> dict[str, float | None]:
    """Measure a component and its limit, and the component on one core."""
    component, limit = measure(root, stage), measure(root, stage, limit=True)
    tfx = TFX_SECONDS.get(stage)
    seconds = component["seconds"]
    pinned = measure(root, stage, pinned=True)["seconds"] if one_core else None
    return {
        **({"one_core_over_seconds": round(pinned / seconds, 2)} if pinned else {}),
        **{name: round(value, 3) for name, value in component.items()},
        "rows_per_second": round(rows / seconds),
        "limit_seconds": round(limit["seconds"], 4),
        "seconds_over_limit": round(seconds / limit["seconds"], 2),
        "times_tfx": round(tfx / seconds, 1) if tfx and rows == TFX_ROWS else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=TFX_ROWS)
    parser.add_argument("--csv", type=Path, help="rows to repeat, with the columns of TFX's taxis")
    parser.add_argument("--columns", type=int, help="made-up rows of so many columns")
    parser.add_argument("--only", nargs="+", choices=list(STAGES))
    parser.add_argument("--one-core", action="store_true", help="measure on one core as well")
    parser.add_argument("--root", type=Path, help="keep outputs here; made where it is missing")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stage", choices=list(STAGES), help=argparse.SUPPRESS)
    parser.add_argument("--limit", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        print(json.dumps(measure_here(options.root, options.stage, options.limit)))
        return
    stages = options.only or (COLUMN_STAGES if options.columns else list(STAGES))
    if not options.columns and (options.csv is None or not options.csv.is_file()):
        missing = f"there is no file {options.csv}" if options.csv else "--csv is missing"
        parser.error(
            f"{missing}: give the taxi trips of TFX's repository, "
            "tfx/examples/chicago_taxi_pipeline/data/simple/data.csv, which Penstock does not ship"
        )

    root = options.root or Path(tempfile.mkdtemp(prefix="data-plane-"))
    try:
        (root / "data").mkdir(parents=True, exist_ok=True)
        if options.columns:
            write_columns(options.columns, options.rows, root / "data" / "data.csv")
        else:
            repeat_rows(options.csv, options.rows, root / "data" / "data.csv")
        figures: dict[str, Any] = {}
        for stage in stages:
            figures[stage] = figures_of(root, stage, options.rows, options.one_core)
            if not options.json:
                print(stage, figures[stage], flush=True)
    finally:
        if options.root is None:
            shutil.rmtree(root)
    if all(stage in figures for stage in THE_FIVE):
        total = sum(figures[stage]["seconds"] for stage in THE_FIVE)
        figures["the five"] = {
            "seconds": round(total, 2),
            "peak_rss_mb": max(figures[stage]["peak_rss_mb"] for stage in THE_FIVE),
            "times_tfx": round(sum(TFX_SECONDS[stage] for stage in THE_FIVE) / total, 1)
            if options.rows == TFX_ROWS
            else None,
        }
    figures["machine"] = {
        "rows": options.rows,
        "cpus": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
    }
    print(json.dumps(figures if options.json else {k: figures[k] for k in list(figures)[-2:]}))


if __name__ == "__main__":
    main()
