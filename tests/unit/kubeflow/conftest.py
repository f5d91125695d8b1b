"""Kubeflow's stand-in, and a small pipeline that runs on it."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kfp", reason="kfp is not installed")
# What tests on a cluster share, is used here with processes for pods.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cluster"))

from kubeflow_api import KubeflowApi
from kubeflow_driver import ProcessContainers

from penstock.kubeflow import Kubeflow

PIPELINE = '''
from penstock.artifacts import Integer, String
from penstock.dsl import Input, Output, Pipeline, Policy, RuntimeParameter, component


@component
def read(text: Output[String], words: str) -> None:
    """Read words, or wait or fail as they say."""
    import os
    import time

    print("reading", words, flush=True)
    while words == "wait":
        time.sleep(0.05)
    if words == "flaky" and not os.path.exists("tried"):
        open("tried", "w").close()
        raise ValueError("not the first time")
    if words == "bad":
        raise ValueError("these words are bad")
    text.value = words


@component
def count(text: Input[String], number: Output[Integer], times: int = 1) -> None:
    """Count words."""
    number.value = len(text.value.split()) * times
    print("counted", number.value)


words = RuntimeParameter("words", str, default="a b c")
reading = read(words=words).with_id("Read").with_policy(Policy(retries=1))
counting = count(text=reading.outputs["text"]).with_id("Count")
pipeline = Pipeline("words", components=[reading, counting])
'''


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text("[tool.penstock]\n")
    (folder / "words_on_kubeflow.py").write_text(textwrap.dedent(PIPELINE))
    return folder


@pytest.fixture(scope="session")
def package(project: Path) -> str:
    from penstock.cli.pipeline_file import load_pipeline
    from penstock.runners.kubeflow import KubeflowConfig, compile_to_yaml

    graph = load_pipeline(str(project / "words_on_kubeflow.py")).compile()
    return compile_to_yaml(graph, KubeflowConfig(image="words:1"))


@pytest.fixture
def make_api(tmp_path: Path, project: Path) -> Iterator[Callable[..., KubeflowApi]]:
    servers: list[KubeflowApi] = []

    def make(instead: Sequence[str] = (), **settings: Any) -> KubeflowApi:
        containers = ProcessContainers(project, tmp_path / "logs", instead=instead)
        server = KubeflowApi(tmp_path / "kubeflow", containers, **settings)
        servers.append(server)
        return server.__enter__()

    yield make
    for server in servers:
        server.__exit__(None, None, None)
    (project / "tried").unlink(missing_ok=True)


@pytest.fixture
def api(make_api: Callable[..., KubeflowApi]) -> KubeflowApi:
    return make_api()


@pytest.fixture
def idle_api(make_api: Callable[..., KubeflowApi]) -> KubeflowApi:
    """A server whose runs do nothing, for a minute: where only the runs themselves matter."""
    return make_api(instead=["sleep", "60"])


@pytest.fixture
def idle_kubeflow(idle_api: KubeflowApi) -> Kubeflow:
    return _client(idle_api)


@pytest.fixture
def kubeflow(api: KubeflowApi) -> Kubeflow:
    return _client(api)


def _client(api: KubeflowApi) -> Kubeflow:
    """Return a client that does not wait between tries."""
    found = Kubeflow.at(api.url)
    found.pause = 0.1
    found.server.transport.sleep = lambda seconds: None
    return found
