"""The penguin pipeline as Kubeflow runs it, with a root in S3 and in Google Cloud Storage (emulators)."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
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

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

REPOSITORY = Path(__file__).resolve().parents[2]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def _serving(command: list[str], url: str, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        for _ in range(240):
            with contextlib.suppress(urllib.error.HTTPError):
                try:
                    urllib.request.urlopen(url, timeout=1).close()
                except urllib.error.HTTPError:
                    break  # it answers
                except OSError:
                    assert server.poll() is None, log.read_text()[-2000:]
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        server.wait(0.5)
                else:
                    break
        else:
            pytest.fail(log.read_text()[-2000:])
        yield
    finally:
        server.kill()
        server.wait(30)


@pytest.fixture
def s3(
    python_with: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Run an S3 server; return the URL of a bucket."""
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed (extra s3)")
    url = f"http://127.0.0.1:{(port := _free_port())}"
    python = python_with("s3", "protobuf<8", "moto[server]>=5", "s3fs")
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    command = [python, "-m", "moto.server", "-p", str(port)]
    with _serving(command, f"{url}/moto-api/", tmp_path / "server.log"):
        s3fs.S3FileSystem().mkdir("pipelines")
        yield "s3://pipelines"
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def gs(
    python_with: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Run a server of Google Cloud Storage; return the URL of a bucket."""
    gcsfs = pytest.importorskip("gcsfs", reason="gcsfs is not installed (extra gcp)")
    python = python_with("gcs", "protobuf<8", "gcp-storage-emulator", "gcsfs")
    url = f"http://127.0.0.1:{(port := _free_port())}"
    command = [
        str(Path(python).parent / "gcp-storage-emulator"), "start", "--host=127.0.0.1",
        f"--port={port}", "--in-memory", "--default-bucket=pipelines",
    ]  # fmt: skip
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
    with _serving(command, url, tmp_path / "server.log"):
        yield "gs://pipelines"
    gcsfs.GCSFileSystem.clear_instance_cache()


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


@pytest.mark.parametrize("store", ["s3", "gs"])
def test_penguin_is_pushed_from_a_bucket(
    store: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    root = f"{request.getfixturevalue(store)}/penguin"
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


def test_minio_is_an_s3_server_of_one_s_own(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\n")
    compiled = CompiledPipeline(
        compile_to_yaml(compile_pipeline(runner_pipelines.values())),
        tmp_path / "kubeflow",
        Processes(tmp_path),
    )
    root = s3.replace("s3://", "minio://") + "/small"
    run = compiled.run({"pipeline_root": root})
    examples = run.artifact("write_examples", "examples")
    assert examples.uri.startswith(root)
    location.know_minio()
    monkeypatch.setitem(conf, "minio", {"endpoint_url": os.environ["AWS_ENDPOINT_URL"]})
    assert fingerprint(examples.uri)[0] == examples.fingerprint
    assert [name for name, _ in location.list_files(examples.uri.replace("minio://", "s3://"))]
