"""The image is built from the Dockerfile, and nodes are run in it as Kubeflow would start them."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from engine import REPOSITORY, Containers, Engine

from penstock.cli.pipeline_file import load_pipeline
from penstock.components import CsvExampleGen, ExampleValidator, SchemaGen, StatisticsGen
from penstock.dsl import Pipeline
from penstock.graph import Graph, compile_pipeline
from penstock.runners.kubeflow import KubeflowConfig, compile_to_yaml
from penstock.runners.local import LocalDagRunner
from penstock.testing.kubeflow import CompiledPipeline
from penstock.testing.runners import fingerprints

pytestmark = [pytest.mark.container, pytest.mark.filterwarnings("default")]


def _shared(folder: Path) -> Path:
    """Return a folder that the image's user can write to."""
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def _compiled(graph: Graph, image: str, engine: Engine, folder: Path) -> CompiledPipeline:
    """Return a pipeline whose containers share `folder`."""
    references = _shared(folder / "kubeflow")
    text = compile_to_yaml(graph, KubeflowConfig(image=image, seed=7, deterministic=True))
    return CompiledPipeline(text, references, Containers(engine, folder))


def _pipeline() -> Pipeline:
    """From ingestion to validation."""
    examples = CsvExampleGen(input_base="data/penguins")
    statistics = StatisticsGen(examples=examples.outputs["examples"])
    schema = SchemaGen(statistics=statistics.outputs["statistics"])
    anomalies = ExampleValidator(statistics=statistics, schema=schema)
    return Pipeline("image", components=[examples, statistics, schema, anomalies])


def _printed(engine: Engine, image: str, program: str) -> Any:
    """Return what a program prints in JSON at its end, in a container."""
    return json.loads(engine.run_once(image, "python", "-c", program).splitlines()[-1])


def test_the_image_runs_as_nobody_special_and_carries_byte_code(engine: Engine, image: str) -> None:
    program = (
        "import json, os, importlib.util, penstock\n"
        "spec = importlib.util.find_spec('tensorflow')\n"
        "print(json.dumps({'uid': os.getuid(), 'cwd': os.getcwd(),"
        " 'compiled': [os.path.exists(importlib.util.cache_from_source(each))"
        " for each in (spec.origin, penstock.__file__)]}))"
    )
    said = _printed(engine, image, program)
    assert said["uid"] == 10001
    assert said["cwd"] == "/app"
    assert said["compiled"] == [True, True]


def test_the_image_carries_this_source(engine: Engine, image: str, source: Path) -> None:
    program = (
        "import hashlib, json, pathlib, penstock\n"
        "root = pathlib.Path(penstock.__file__).parent\n"
        "print(json.dumps({str(each.relative_to(root)): hashlib.sha256(each.read_bytes()).hexdigest()"
        " for each in root.rglob('*.py')}))"
    )
    found = _printed(engine, image, program)
    root = source / "src" / "penstock"
    assert found == {
        str(each.relative_to(root)): hashlib.sha256(each.read_bytes()).hexdigest()
        for each in root.rglob("*.py")
    }


def test_the_user_is_a_number(engine: Engine, image: str) -> None:
    """Kubernetes refuses names under `runAsNonRoot`, which it cannot look up."""
    said = engine.call("image", "inspect", "--format", "{{.Config.User}}", image)
    assert said.strip() == "10001"


def test_the_image_has_what_a_store_and_a_cluster_need(engine: Engine, image: str) -> None:
    names = ("psycopg", "pymysql", "s3fs", "gcsfs", "kubernetes")
    program = (
        "import importlib.util, json\n"
        f"print(json.dumps([importlib.util.find_spec(name) is not None for name in {names}]))"
    )
    assert _printed(engine, image, program) == [True] * len(names)


def test_the_image_s_user_cannot_write_the_installation(engine: Engine, image: str) -> None:
    program = (
        "import os; print(os.access('/opt/penstock/lib', os.W_OK), os.access('/app', os.W_OK))"
    )
    assert engine.run_once(image, "python", "-c", program).split()[-2:] == ["False", "True"]


def test_penstock_is_the_image_s_command(engine: Engine, image: str) -> None:
    assert "usage" in engine.run_once(image).lower()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the pipeline's nodes write in processes of this machine."""
    project = tmp_path_factory.mktemp("here") / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("[tool.penstock]\n")
    shutil.copytree(REPOSITORY / "data", project / "data")
    run = LocalDagRunner(in_process=True, progress="none").run(
        _pipeline(), project_root=str(project)
    )
    return fingerprints(run)


def _in_containers(engine: Engine, image: str, folder: Path) -> dict[str, Any]:
    shared = _shared(folder / "shared")
    compiled = _compiled(compile_pipeline(_pipeline()), image, engine, shared)
    return fingerprints(compiled.run({"pipeline_root": str(shared / "root")}))


def test_nodes_in_containers_write_what_they_write_here(
    engine: Engine, image: str, here: dict[str, Any], tmp_path: Path
) -> None:
    assert len(here["StatisticsGen"]["statistics"]) == 1
    assert _in_containers(engine, image, tmp_path) == here


def test_the_slim_image_ingests_describes_and_validates_without_tensorflow(
    engine: Engine, slim: str, here: dict[str, Any], tmp_path: Path
) -> None:
    program = (
        "import importlib.util, json\n"
        "print(json.dumps([each for each in ('tensorflow', 'keras', 'apache_beam')"
        " if importlib.util.find_spec(each)]))"
    )
    assert _printed(engine, slim, program) == []
    assert _in_containers(engine, slim, tmp_path) == here


def test_the_penguins_reach_a_pushed_model_each_node_in_a_container(
    engine: Engine, image: str, tmp_path: Path
) -> None:
    shared = _shared(tmp_path / "shared")
    graph = load_pipeline(str(REPOSITORY / "pipelines" / "penguin.py")).compile()
    run = _compiled(graph, image, engine, shared).run({"pipeline_root": str(shared / "root")})
    assert {node.id for node in graph.nodes} == {node.id for node in run.nodes.values()}
    assert Path(run.artifact("Evaluator", "blessing").uri, "BLESSED").exists()
    pushed = Path(run.artifact("Pusher", "pushed_model").uri, "saved_model.pb")
    trained = Path(run.artifact("Trainer", "model").uri, "Format-Serving", "saved_model.pb")
    assert pushed.read_bytes() == trained.read_bytes()
