"""A small project: numbers to train on, and a way to run a Trainer on a module written in the test."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pyarrow as pa
import pytest

from penstock.artifacts import Examples, Schema
from penstock.components import Trainer
from penstock.io import ExamplesWriter
from penstock.testing import run_component

SCHEMA = "".join(
    f'feature {{ name: "{name}" type: FLOAT presence {{ min_fraction: 1 }} shape {{ dim {{ size: 1 }} }} }}\n'
    for name in ("x", "y")
)
ROWS = 64

STEPWISE = """
import os, pathlib, signal
import numpy as np

class Steps:
    # The weights of a loop of the module's own, kept every few steps, and a process that is killed once.
    def __init__(self, fn_args, model):
        self.folder, self.model, self.fn_args = pathlib.Path(fn_args.checkpoint_dir), model, fn_args
        self.checkpoint, self.begun = self.folder / "step.npz", 0
        if self.checkpoint.exists():
            with np.load(self.checkpoint) as saved:
                self.begun = int(saved["step"])
                model.set_weights([saved[str(i)] for i in range(len(model.weights))])
        print(f"begins at step {self.begun}")

    def begin(self, number):
        config, marker = self.fn_args.custom_config, self.folder / "was-killed"
        is_the_one = self.fn_args.worker_index == config.get("who", 1)
        if number == config.get("kill_at") and is_the_one and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def end(self, number, every):
        if self.fn_args.is_chief and number % every == every - 1:
            values = {str(i): value for i, value in enumerate(self.model.get_weights())}
            np.savez(self.folder / "new.npz", step=number + 1, **values)
            os.replace(self.folder / "new.npz", self.checkpoint)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema/schema.pbtxt").write_text(SCHEMA)
    (tmp_path / "stepwise.py").write_text(STEPWISE)
    for file_format in ("tfrecords_gzip", "parquet"):
        folder = str(tmp_path / file_format)
        with ExamplesWriter(folder, ["train", "eval"], file_format=file_format) as writer:
            for split, rows in (("train", ROWS), ("eval", 8)):
                x = [[i / rows] for i in range(rows)]
                y = [[3 * i / rows - 1] for i in range(rows)]
                columns = [pa.array(each, pa.large_list(pa.float32())) for each in (x, y)]
                writer.write(split, pa.RecordBatch.from_arrays(columns, ["x", "y"]))
    return tmp_path


# A module is imported once a process by its name.
_NUMBERS = itertools.count()


@pytest.fixture
def run(project):
    """Run a Trainer on a module; return what the module wrote as `seen.json`, and the outputs."""

    def call(
        source: str,
        *,
        replicas=1,
        parameter_servers=0,
        file_format="tfrecords_gzip",
        deterministic=False,
        **arguments,
    ):
        name = f"group_module_{next(_NUMBERS)}"
        (project / f"{name}.py").write_text(source)
        examples = Examples(str(project / file_format))
        examples.file_format = file_format
        examples.splits = ["train", "eval"]
        arguments = {"module_file": f"{name}.py"} | arguments
        trainer = Trainer(
            examples=examples, schema=Schema(str(project / "schema")), **arguments
        ).with_resources(replicas=replicas, parameter_servers=parameter_servers)
        outputs = run_component(
            trainer,
            project / f"out-{name}",
            project_root=project,
            seed=5,
            deterministic=deterministic,
        )
        seen = Path(outputs["model_run"].uri, "seen.json")
        return json.loads(seen.read_text()) if seen.exists() else {}, outputs

    return call


@pytest.fixture
def left_over():
    """Return the command lines of processes that a group started and that still run."""

    def find() -> list[str]:
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                command = (folder / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if "processes.child_main" in command and f"/{Path.cwd().name}/" in command:
                found.append(command)
        return found

    return find
