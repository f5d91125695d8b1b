"""How long the penguin example takes: eight components, from a cold process, and all cached.

TFX 1.21 takes 51 s and 21 s for it on such a machine (two cores). The limit that can be measured in
the same run is `import tensorflow`: nothing that trains with TensorFlow is faster than that.

    python benchmarks/main_job.py [--data FOLDER_WITH_CSV] [--repeat 3] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
LABELLED = HERE.parent / "tests" / "golden" / "penguin" / "labelled"


def measure(command: list[str], cwd: Path) -> tuple[float, float, str]:
    """Return (wall seconds, CPU seconds, standard output) of a command that succeeds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    environment = os.environ | {"PENSTOCK_STORE": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=LABELLED, help="folder of the example's CSV")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not list(options.data.glob("*.csv")):
        parser.error(f"no CSV in {options.data}; name the folder of TFX's penguins with --data")

    imports, colds, cpus, cached, cached_cpus = [], [], [], [], []
    run = [sys.executable, "-m", "penstock", "run", "pipelines/penguin.py"]
    for _ in range(options.repeat):
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder) / "project"
            shutil.copytree(HERE / "main_job_project", project)
            shutil.copytree(options.data, project / "data")
            imports.append(measure([sys.executable, "-c", "import tensorflow"], project)[0])
            seconds, cpu, _ = measure(run, project)
            colds.append(seconds)
            cpus.append(cpu)
            pushed = list((project / "serving_model" / "penguin").glob("*/saved_model.pb"))
            if len(pushed) != 1:
                sys.exit(f"no model was pushed to {project / 'serving_model'}")
            measure(run, project)  # the blessed baseline is new: Evaluator and Pusher run again
            seconds, cpu, shown = measure([*run, "--json"], project)
            cached.append(seconds)
            cached_cpus.append(cpu)
            states = {node["state"].upper() for node in json.loads(shown)["nodes"].values()}
            if not states <= {"CACHED", "COMPLETE"}:
                sys.exit(f"not everything was cached: {shown}")
    figures = {
        "cold_seconds": round(statistics.median(colds), 2),
        "cold_cpu_seconds": round(statistics.median(cpus), 2),
        "import_tensorflow_seconds": round(statistics.median(imports), 2),
        "cold_over_import": round(
            statistics.median(c / i for c, i in zip(colds, imports, strict=True)), 2
        ),
        "cached_seconds": round(statistics.median(cached), 2),
        "cached_cpu_seconds": round(statistics.median(cached_cpus), 2),
        "repeats": options.repeat,
    }
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
