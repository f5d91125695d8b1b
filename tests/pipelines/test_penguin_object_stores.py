"""The penguin pipeline as Kubeflow runs it, with a root in S3 and in Google Cloud Storage (emulators)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kfp", reason="kfp is not installed")

from fsspec.config import conf

from penstock.artifacts import location
from penstock.artifacts.fingerprint import fingerprint
from penstock.cli.pipeline_file import load_pipeline
from penstock.graph import compile_pipeline
from penstock.runners.kubeflow import KubeflowConfig, compile_to_yaml
from penstock.testing import runner_pipelines
from penstock.testing.kubeflow import CompiledPipeline, Processes

from ..object_store_emulators import emulator

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["s3", "gs"])
def bucket(
    request: pytest.FixtureRequest,
    python_with: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """Run an object store; return the URL of a bucket."""
    name = {"s3": "s3fs", "gs": "gcsfs"}[request.param]
    package = pytest.importorskip(name, reason=f"{name} is not installed")
    with emulator(request.param, "pipelines", python_with, tmp_path / "server.log") as running:
        for key, value in running.environment.items():
            monkeypatch.setenv(key, value)
        yield running.url
    system = package.S3FileSystem if request.param == "s3" else package.GCSFileSystem
    system.clear_instance_cache()


def _run(root: str, folder: Path, parameters: Mapping[str, Any]) -> Any:
    project = folder / "project"
    project.mkdir()
    shutil.copy(REPOSITORY / "pyproject.toml", project)
    for name in ("pipelines", "modules", "data"):
        shutil.copytree(REPOSITORY / name, project / name)
    graph = load_pipeline(str(REPOSITORY / "pipelines" / "penguin.py")).compile()
    compiled = CompiledPipeline(
        compile_to_yaml(graph, KubeflowConfig(seed=7)), folder / "kubeflow", Processes(project)
    )
    return compiled.run({"pipeline_root": root, **parameters}), project


def test_penguin_is_pushed_from_a_bucket(bucket: str, tmp_path: Path) -> None:
    root = f"{bucket}/penguin"
    run, project = _run(root, tmp_path, {"train_steps": 60})
    assert run.state == "COMPLETE"
    for node in run.nodes.values():
        for artifacts in node.outputs.values():
            for artifact in artifacts:
                if artifact.uri.startswith(root):
                    assert fingerprint(artifact.uri)[0] == artifact.fingerprint
                else:
                    assert node.id == "ImportSchema", artifact.uri
    assert any(name.endswith("saved_model.pb") for name, _ in location.list_files(
        run.artifact("Trainer", "model").uri
    ))  # fmt: skip
    blessing = run.artifact("Evaluator", "blessing")
    assert blessing.custom_properties["current_model"] == run.artifact("Trainer", "model").uri
    (version,) = (project / "serving_model" / "penguin").iterdir()
    assert (version / "saved_model.pb").exists()
    # Nothing of the nodes is left on the machine that ran them.
    assert not [name for name in os.listdir("/tmp") if name.endswith(".staged")]


@pytest.mark.parametrize("bucket", ["s3"], indirect=True)
def test_minio_is_an_s3_server_of_one_s_own(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\n")
    compiled = CompiledPipeline(
        compile_to_yaml(compile_pipeline(runner_pipelines.values())),
        tmp_path / "kubeflow",
        Processes(tmp_path),
    )
    root = bucket.replace("s3://", "minio://") + "/small"
    run = compiled.run({"pipeline_root": root})
    examples = run.artifact("write_examples", "examples")
    assert examples.uri.startswith(root)
    location.know_minio()
    monkeypatch.setitem(conf, "minio", {"endpoint_url": os.environ["AWS_ENDPOINT_URL"]})
    assert fingerprint(examples.uri)[0] == examples.fingerprint
    assert [name for name, _ in location.list_files(examples.uri.replace("minio://", "s3://"))]
