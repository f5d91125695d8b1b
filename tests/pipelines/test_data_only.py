"""Nodes that ingest, describe and validate data, where there is neither TensorFlow nor Beam."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys

ABSENT = ("tensorflow", "keras", "apache_beam", "tensorflow_transform", "tensorflow_model_analysis")

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())

from penstock.components import CsvExampleGen, ExampleValidator, SchemaGen, StatisticsGen
from penstock.dsl import Pipeline
from penstock.runners.local import LocalDagRunner

examples = CsvExampleGen(input_base="data/penguins")
statistics = StatisticsGen(examples=examples)
schema = SchemaGen(statistics=statistics)
anomalies = ExampleValidator(statistics=statistics, schema=schema)
pipeline = Pipeline("data", sys.argv[1], [examples, statistics, schema, anomalies])
run = LocalDagRunner(in_process=True, progress="none").run(pipeline, project_root=sys.argv[2])
print(*(node.state for node in run.nodes.values()))
"""


def test_ingestion_to_validation(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(REPOSITORY / "data" / "penguins", project / "data" / "penguins")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "root"), str(project)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["COMPLETE"] * 4
