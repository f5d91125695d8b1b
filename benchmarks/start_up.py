"""How long it takes to begin: `import penstock`, `penstock --help`, `penstock runs`.

The limit measured beside them is a Python that does nothing.

    python benchmarks/start_up.py [--repeat 9] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ONE_RUN = """
import time
from penstock.store import MetadataStore, RunRecord, RunState
with MetadataStore.open("metadata.db") as store:
    store.create_run(RunRecord("r", "penguin", time.time()))
    store.finish_run("r", RunState.COMPLETE)
"""


def seconds(command: list[str], cwd: str, repeat: int) -> float:
    """Return the median wall time of a command that succeeds."""
    taken = []
    for _ in range(repeat + 1):
        started = time.perf_counter()
        subprocess.run(command, cwd=cwd, check=True, capture_output=True)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    python = [sys.executable, "-c"]
    penstock = [sys.executable, "-m", "penstock"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*python, ONE_RUN], cwd=folder, check=True)
        os.environ["PENSTOCK_STORE"] = f"{folder}/metadata.db"
        commands = {
            "python_seconds": [*python, "pass"],
            "import_penstock_seconds": [*python, "import penstock"],
            "help_seconds": [*penstock, "--help"],
            "runs_seconds": [*penstock, "runs"],
        }
        figures = {
            name: round(seconds(command, folder, options.repeat), 3)
            for name, command in commands.items()
        }
    for name in ("import_penstock", "help", "runs"):
        ratio = figures[f"{name}_seconds"] / figures["python_seconds"]
        figures[f"{name}_over_python"] = round(ratio, 2)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
