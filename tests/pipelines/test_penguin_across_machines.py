"""A laptop's run of the penguin pipeline, then its compiled form elsewhere: everything is found in the cache.

Both write to one root and one PostgreSQL store; folder, user and home of the second are others.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("kfp", reason="kfp is not installed")
pytest.importorskip("psycopg", reason="psycopg is not installed")

from penstock.cli import main
from penstock.cli.pipeline_file import load_pipeline
from penstock.runners.kubeflow import KubeflowConfig, SecretKey, compile_to_yaml
from penstock.runners.local import LocalDagRunner
from penstock.store import MetadataStore, RunState
from penstock.testing.kubeflow import CompiledPipeline, ContainerCall

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow, pytest.mark.server]

REPOSITORY = Path(__file__).resolve().parents[2]


class OtherUser:
    """Starts containers as processes of another user, in another folder, with another home."""

    def __init__(self, project: Path, home: Path) -> None:
        self._project, self._home = project, home

    def run(self, call: ContainerCall) -> tuple[int, str]:
        kept = {name: os.environ[name] for name in ("PYTHONPATH", "LANG") if name in os.environ}
        path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
        ended = subprocess.run(
            [*_as_nobody(), *call.command],
            cwd=self._project,
            env={**kept, "PATH": path, "HOME": str(self._home), **call.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout


def _as_nobody() -> list[str]:
    """Return the command before another, which makes it nobody's; of root only.

    Nobody keeps the right to read root's files: Python itself may be among them.
    """
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        return []
    nobody = pwd.getpwnam("nobody")
    right = "+dac_read_search"
    return [
        setpriv, f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups",
        f"--inh-caps={right}", f"--ambient-caps={right}",
    ]  # fmt: skip


@pytest.fixture
def url() -> Iterator[str]:
    path = REPOSITORY / "tests" / "store" / "servers.py"
    spec = importlib.util.spec_from_file_location("penguin_servers", path)
    assert spec is not None
    assert spec.loader is not None
    servers = importlib.util.module_from_spec(spec)
    sys.modules["penguin_servers"] = servers
    spec.loader.exec_module(servers)
    with contextlib.ExitStack() as held:
        try:
            yield held.enter_context(servers.postgresql())
        except servers.Absent as absent:
            pytest.skip(str(absent))


def _project(folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    for name in ("pipelines", "modules", "data"):
        shutil.copytree(REPOSITORY / name, folder / name)
    return folder


def _open_to_all(folder: Path) -> None:
    """Let another user write below a folder."""
    for each in folder.rglob("*"):
        each.chmod(0o777 if each.is_dir() else 0o666)
    folder.chmod(0o777)


def test_the_cluster_finds_what_the_laptop_has_computed(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = load_pipeline(str(REPOSITORY / "pipelines" / "penguin.py")).compile()
    root = tmp_path / "shared" / "root"
    here, there = _project(tmp_path / "laptop"), _project(tmp_path / "elsewhere")
    laptop = LocalDagRunner(max_parallel=2, progress="none", store=url).run(
        dataclasses.replace(graph, root=str(root)),
        parameters={"train_steps": 60},
        project_root=str(here),
        run_id="laptop-1",
        seed=7,
    )
    for name in ("kubeflow", "home"):
        (tmp_path / name).mkdir()
        _open_to_all(tmp_path / name)
    _open_to_all(root)
    _open_to_all(there)
    # What was pushed lies outside of the root; a cluster pushes to a place that all machines reach.
    shutil.copytree(here / "serving_model", there / "serving_model")
    compiled = CompiledPipeline(
        compile_to_yaml(graph, KubeflowConfig(seed=7, store=SecretKey("store", "url"))),
        tmp_path / "kubeflow",
        OtherUser(there, tmp_path / "home"),
        secrets={("store", "url"): url},
    )
    run = compiled.run({"pipeline_root": str(root), "train_steps": 60})
    with MetadataStore.open(url) as store:
        executions = {each.node_id: each for each in store.run_executions(run.run_id)}
        assert store.get_run(run.run_id).state is RunState.COMPLETE
        before = {each.node_id: each.id for each in store.run_executions("laptop-1")}
    states = {name: each.state.name for name, each in executions.items()}
    logs = {node.id: Path(node.log_path or "").read_text()[-300:] for node in run.nodes.values()}
    # A resolver looks anew each time.
    expected = {
        node.id: "COMPLETE" if node.kind == "resolver" else "CACHED" for node in graph.nodes
    }
    assert states == expected, logs
    assert executions["Trainer"].cached_from == before["Trainer"]
    assert laptop.state == run.state == "COMPLETE"
    capsys.readouterr()
    assert main(["why", run.run_id, "Trainer", "--store", url]) == 0
    assert "laptop-1" in capsys.readouterr().out
