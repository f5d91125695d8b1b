"""The penguin pipeline as Kubeflow runs it, against the local runner: the same artifacts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kfp", reason="kfp is not installed")

from penstock.cli.pipeline_file import load_pipeline
from penstock.graph import Graph
from penstock.runners.kubeflow import KubeflowConfig, compile_to_yaml
from penstock.runners.local import LocalDagRunner
from penstock.testing.kubeflow import CompiledPipeline, Processes
from penstock.testing.runners import fingerprints

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def graph() -> Graph:
    return load_pipeline(str(REPOSITORY / "pipelines" / "penguin.py")).compile()


def _project(folder: Path) -> Path:
    """Return a copy of the project, so that nothing is written into this one."""
    folder.mkdir()
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    for name in ("pipelines", "modules", "data"):
        shutil.copytree(REPOSITORY / name, folder / name)
    return folder


def _files(folder: str) -> dict[str, bytes]:
    return {
        str(each.relative_to(folder)): each.read_bytes()
        for each in sorted(Path(folder).rglob("*"))
        if each.is_file()
    }


def _weights(model: str) -> dict[str, Any]:
    import tensorflow as tf

    reader = tf.train.load_checkpoint(f"{model}/Format-Serving/variables/variables")
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("_")]
    return {name: reader.get_tensor(name) for name in names}


def test_every_node_writes_what_the_local_runner_writes(graph: Graph, tmp_path: Path) -> None:
    import numpy as np

    given: dict[str, Any] = {"train_steps": 60}
    here = _project(tmp_path / "here")
    local = LocalDagRunner(max_parallel=2, progress="none").run(
        graph, parameters=given, project_root=str(here), seed=7, deterministic=True
    )
    there = _project(tmp_path / "there")
    compiled = CompiledPipeline(
        compile_to_yaml(graph, KubeflowConfig(seed=7, deterministic=True)),
        tmp_path / "kubeflow",
        Processes(there),
    )
    run = compiled.run({"pipeline_root": str(tmp_path / "root"), **given})

    expected, found = fingerprints(local), fingerprints(run)
    assert {node: set(keys) for node, keys in found.items()} == {
        node: set(keys) for node, keys in expected.items()
    }
    # These hold more than what was computed: names that Keras and TensorFlow number in a process,
    # times, places and ids. What was computed is compared below.
    for key in ("Trainer.model", "Trainer.model_run", "Evaluator.evaluation",
                "Pusher.pushed_model", "ModelCard.model_card"):  # fmt: skip
        node, _, name = key.partition(".")
        for each in (expected, found):
            each[node].pop(name)
    assert found == expected

    one, two = (_weights(each.artifact("Trainer", "model").uri) for each in (local, run))
    assert one.keys() == two.keys() != set()
    assert all(np.array_equal(one[name], two[name]) for name in one)
    runs = [_files(each.artifact("Trainer", "model_run").uri) for each in (local, run)]
    assert runs[0]["history.json"] == runs[1]["history.json"]
    metrics = [_files(each.artifact("Evaluator", "evaluation").uri) for each in (local, run)]
    for each in metrics:
        del each["eval_config.json"]  # names the model's folder
    assert metrics[0] == metrics[1] != {}
    pushed = _files(run.artifact("Pusher", "pushed_model").uri)
    assert pushed == _files(f"{run.artifact('Trainer', 'model').uri}/Format-Serving")
    assert (there / "serving_model" / "penguin").is_dir()
